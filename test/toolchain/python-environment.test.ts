import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensurePythonTools } from './python-environment.ts';

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nexus-lambda-python-'));
  await mkdir(join(home, 'bin'));
  env = { HOME: home, PATH: `${join(home, 'bin')}:/usr/bin:/bin` };
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A `python3` that makes environments with itself in them, notes each run in `runs`, and runs `pip` as pip. */
async function python(pip: string): Promise<void> {
  const path = join(home, 'bin', 'python3');
  const script = `#!/bin/sh
    echo "$3" >> "${home}/runs"
    case "$3" in
      venv) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
      pip) bin=$(dirname "$0"); ${pip} ;;
    esac`;
  await writeFile(path, script);
  await chmod(path, 0o755);
}

const workingPip = `echo 'Collecting ministack==1.5.33'; echo whole > "$bin/ministack"; echo whole > "$bin/cfn-lint"`;
const runs = async () => (await readFile(join(home, 'runs'), 'utf8')).trim().split('\n');
const cacheDir = () => join(home, '.cache', 'nexus-lambda');

describe('the Python environment of the tests', () => {
  it('is made once, in the cache folder', async () => {
    await python(workingPip);
    const tools = await ensurePythonTools({ env });
    expect(await readFile(tools.ministack, 'utf8')).toBe('whole\n');
    expect(await readFile(tools.cfnLint, 'utf8')).toBe('whole\n');
    expect(dirname(dirname(dirname(tools.ministack)))).toBe(cacheDir());
    expect(await ensurePythonTools({ env })).toEqual(tools);
    expect(await runs()).toEqual(['venv', 'pip']);
  });

  it('is made by one of two that ask at the same time, and the other waits', async () => {
    await python(workingPip);
    const lines: string[] = [];
    const ask = () => ensurePythonTools({ env, onProgress: (line) => lines.push(line) });
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(first).toEqual(second);
    expect(await runs()).toEqual(['venv', 'pip']);
    expect(lines).toContain(
      'another process is making the Python environment of MiniStack and cfn-lint: waiting for it',
    );
  });

  it('says how far it is', async () => {
    await python(workingPip);
    const lines: string[] = [];
    await ensurePythonTools({ env, onProgress: (line) => lines.push(line) });
    expect(lines).toEqual([
      'making the Python environment of MiniStack and cfn-lint, once; this takes about half a minute',
      expect.stringMatching(/: 1 packages, \d+ s$/),
      expect.stringMatching(/^made the Python environment of MiniStack and cfn-lint in \d+ s$/),
    ]);
  });

  it('is made anew where the Python is gone that it was made with', async () => {
    await python(workingPip);
    const { ministack } = await ensurePythonTools({ env });
    await rm(join(dirname(ministack), 'python'));
    await ensurePythonTools({ env });
    expect(await runs()).toEqual(['venv', 'pip', 'venv', 'pip']);
  });

  it('leaves nothing behind where pip fails, and says what pip said', async () => {
    await python(`echo half > "$bin/ministack"; echo 'ERROR: no matching distribution' >&2; exit 1`);
    await expect(ensurePythonTools({ env })).rejects.toThrow(
      /which needs Python 3\.10 or newer with venv: \S+ -I -m pip install .* ended with code 1:\nERROR: no matching distribution$/,
    );
    expect(await readdir(cacheDir())).toEqual([expect.stringMatching(/^python-[0-9a-f]{16}\.lock$/)]);
  });

  it('is made anew, by whoever asks next, where the process that made it was killed', async () => {
    await python(`echo half > "$bin/ministack"; echo 'Collecting ministack'; exec sleep 1000`);
    const module = JSON.stringify(new URL('python-environment.ts', import.meta.url).href);
    const script = `
      import { ensurePythonTools } from ${module};
      await ensurePythonTools({ env: ${JSON.stringify(env)}, onProgress: (line) => console.log(line) });`;
    const maker = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: maker.stdout! })) if (line.includes(': 1 packages')) break;
    maker.kill('SIGKILL');
    await once(maker, 'exit');
    await python(workingPip);
    const { ministack } = await ensurePythonTools({ env });
    expect(await readFile(ministack, 'utf8')).toBe('whole\n');
  });

  it('fails where there is no Python, naming what to install', async () => {
    const noPython = { ...env, PATH: join(home, 'bin') };
    await expect(ensurePythonTools({ env: noPython })).rejects.toThrow(
      /^the Python environment of MiniStack and cfn-lint is missing \(looked for \S+\) and there is no python3 on the PATH to make it with: install Python 3\.10 or newer with venv/,
    );
  });
});
