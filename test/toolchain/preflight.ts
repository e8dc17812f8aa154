/*
 * Says what a test run would miss before anything runs, instead of failing minutes later.
 */
import { execFileSync } from 'node:child_process';
import { styleText } from 'node:util';

interface Need {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly atLeast: readonly [number, number];
  readonly mend: string;
}

const NEEDS: readonly Need[] = [
  {
    name: 'Node.js',
    command: 'node',
    args: ['--version'],
    atLeast: [24, 0],
    mend: 'run this through npm (`npm test`): its scripts use the Node.js 24 that `npm ci` installs',
  },
  {
    name: 'Go',
    command: 'go',
    args: ['version'],
    // go.mod of the Temporal server 1.32.1; an older `go` of 1.21 or later fetches that toolchain by itself.
    atLeast: [1, 21],
    mend: 'install Go 1.21 or newer (https://go.dev/dl): the Temporal servers of the tests are built with it, once',
  },
  {
    name: 'Python with venv',
    command: 'python3',
    // Debian and Ubuntu have Python without these, in which no environment can be made.
    args: ['-I', '-c', 'import ensurepip, platform, venv; print(platform.python_version())'],
    atLeast: [3, 10],
    mend:
      'install Python 3.10 or newer (https://www.python.org/downloads), on Debian and Ubuntu with python3-venv: ' +
      'MiniStack and cfn-lint, which the tests use, are installed with it, once',
  },
];

const found: string[] = [];
const missing: string[] = [];
for (const need of NEEDS) {
  const version = versionOf(need);
  if (version === undefined)
    missing.push(`${need.name} ${need.atLeast.join('.')} or newer is not on the PATH: ${need.mend}`);
  else if (isOlder(version, need.atLeast)) missing.push(`${need.name} is ${version.join('.')}: ${need.mend}`);
  else found.push(`${need.name} ${version.join('.')}`);
}
console.log(`preflight: ${found.join(', ')}${missing.length === 0 ? '; nothing is missing' : ''}`);
for (const line of missing) console.error(styleText('red', `preflight: ${line}`));
process.exit(missing.length === 0 ? 0 : 1);

function versionOf({ command, args }: Need): [number, number] | undefined {
  try {
    const match = /(\d+)\.(\d+)/.exec(
      execFileSync(command, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    return match ? [Number(match[1]), Number(match[2])] : undefined;
  } catch {
    return undefined;
  }
}

function isOlder(
  [major, minor]: readonly [number, number],
  [needMajor, needMinor]: readonly [number, number],
): boolean {
  return major < needMajor || (major === needMajor && minor < needMinor);
}
