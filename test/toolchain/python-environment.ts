import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultCacheDir } from './cache-dir.ts';
import { commandPath } from './command-path.ts';
import { withFileLock } from './file-lock.ts';
import { runCommand } from './run-command.ts';
import type { BinaryOptions } from './temporal-binaries.ts';

/** Paths of the commands that are Python programs. */
export interface PythonTools {
  readonly ministack: string;
  readonly cfnLint: string;
}

const TITLE = 'the Python environment of MiniStack and cfn-lint';
const REQUIREMENTS_FILE = fileURLToPath(new URL('python-requirements.txt', import.meta.url));
/** Written last, since an environment names its own path and so cannot be made elsewhere and moved. */
const COMPLETE = 'complete';
const PROGRESS_EVERY_MS = 1_000;

/**
 * The commands of `python-requirements.txt`, from a Python environment in the cache folder that is made where there is
 * none for that file yet. Any number of processes may ask at once: one makes it, the others wait.
 *
 * Fails where there is no Python with venv, saying what to install, and with the end of what pip said where that fails.
 */
export async function ensurePythonTools({
  env = process.env,
  cacheDir = defaultCacheDir(env),
  onProgress = () => {},
}: BinaryOptions = {}): Promise<PythonTools> {
  const hash = createHash('sha256').update(await readFile(REQUIREMENTS_FILE));
  const folder = join(cacheDir, `python-${hash.digest('hex').slice(0, 16)}`);
  const tools = { ministack: join(folder, 'bin', 'ministack'), cfnLint: join(folder, 'bin', 'cfn-lint') };
  if (await isComplete(folder)) return tools;
  const python = await commandPath('python3', env);
  if (python === undefined) {
    throw new Error(
      `${TITLE} is missing (looked for ${folder}) and there is no python3 on the PATH to make it with: ` +
        'install Python 3.10 or newer with venv (https://www.python.org/downloads)',
    );
  }
  await mkdir(cacheDir, { recursive: true });
  const onWait = () => onProgress(`another process is making ${TITLE}: waiting for it`);
  return withFileLock(`${folder}.lock`, onWait, async () => {
    if (!(await isComplete(folder))) await make(folder, { python, env, onProgress });
    return tools;
  });
}

/** An environment needs the Python that it was made with, which an upgrade may have removed. */
async function isComplete(folder: string): Promise<boolean> {
  try {
    await access(join(folder, COMPLETE));
    await access(join(folder, 'bin', 'python'), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface MakeOptions {
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
}

async function make(folder: string, { python, env, onProgress }: MakeOptions): Promise<void> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const run = async (command: string, args: readonly string[], onLine?: (line: string) => void) => {
    const { code, lines } = await runCommand(command, args, { env, ...(onLine === undefined ? {} : { onLine }) });
    if (code === 0) return;
    throw new Error(
      `making ${TITLE} failed, which needs Python 3.10 or newer with venv: ` +
        `${[command, ...args].join(' ')} ended with code ${code}:\n${lines.slice(-20).join('\n')}`,
    );
  };
  onProgress(`making ${TITLE}, once; this takes about half a minute`);
  await rm(folder, { recursive: true, force: true });
  try {
    // -I: no PYTHONPATH or PYTHONHOME of the person who runs the tests.
    await run(python, ['-I', '-m', 'venv', folder]);
    let packages = 0;
    let nextReport = 0;
    const pip = ['-I', '-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--progress-bar', 'off'];
    await run(join(folder, 'bin', 'python'), [...pip, '--require-hashes', '-r', REQUIREMENTS_FILE], (line) => {
      if (line.startsWith('Collecting ')) packages++;
      if (performance.now() < nextReport) return;
      nextReport = performance.now() + PROGRESS_EVERY_MS;
      onProgress(`making ${TITLE}: ${packages} packages, ${seconds()} s`);
    });
    await writeFile(join(folder, COMPLETE), '');
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  onProgress(`made ${TITLE} in ${seconds()} s`);
}
