import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureOldTemporalCli, ensureTemporalCli, ensureTemporalServer } from './temporal-binaries.ts';

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nexus-lambda-binaries-'));
  await mkdir(join(home, 'bin'));
  env = { HOME: home, PATH: join(home, 'bin') };
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Puts a shell script on the PATH of `env`. The PATH holds nothing else: only what the shell itself knows works. */
async function command(name: string, script: string): Promise<void> {
  const path = join(home, 'bin', name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

/** A `go` that says what the real one says, and notes each run in `runs`. */
function workingGo(file: string): Promise<void> {
  return command(
    'go',
    `echo "$@" >> ${home}/runs
     echo 'go: downloading go.temporal.io/api v1.53.0' >&2
     echo 'internal/goarch' >&2
     echo 'go.temporal.io/api/common/v1' >&2
     echo 'the whole command' > "$GOBIN/${file}"`,
  );
}

const runs = () => readFile(join(home, 'runs'), 'utf8');
const cacheDir = () => join(home, '.cache', 'nexus-lambda');

describe('a binary that is built with Go', () => {
  it('is built once, into a folder that names its version', async () => {
    await workingGo('server');
    const path = await ensureTemporalServer({ env });
    expect(path).toBe(join(cacheDir(), 'temporal-server-v1.32.1', 'server'));
    expect(await readFile(path, 'utf8')).toBe('the whole command\n');
    expect(await ensureTemporalServer({ env })).toBe(path);
    expect(await runs()).toBe('install -v go.temporal.io/server/cmd/server@v1.32.1\n');
  });

  it('goes into XDG_CACHE_HOME where that is an absolute path', async () => {
    await workingGo('server');
    const path = await ensureTemporalServer({ env: { ...env, XDG_CACHE_HOME: join(home, 'xdg') } });
    expect(path).toBe(join(home, 'xdg', 'nexus-lambda', 'temporal-server-v1.32.1', 'server'));
    expect(await ensureTemporalServer({ env: { ...env, XDG_CACHE_HOME: 'relative' } })).toContain(cacheDir());
  });

  it('is built by one of two that ask at the same time, and the other waits', async () => {
    await workingGo('server');
    const lines: string[] = [];
    const ask = () => ensureTemporalServer({ env, onProgress: (line) => lines.push(line) });
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(first).toBe(second);
    expect(await runs()).toBe('install -v go.temporal.io/server/cmd/server@v1.32.1\n');
    expect(lines).toContain('another process is building the Temporal server 1.32.1: waiting for it');
  });

  it('says how far the build is', async () => {
    await workingGo('temporal');
    const lines: string[] = [];
    await ensureOldTemporalCli({ env, onProgress: (line) => lines.push(line) });
    expect(lines.at(0)).toBe('building the Temporal CLI 1.5.1 with Go, once; this takes some minutes');
    expect(lines.at(1)).toBe('building the Temporal CLI 1.5.1: 1 modules downloaded, 0 s');
    expect(lines.at(-1)).toBe('built the Temporal CLI 1.5.1 in 0 s');
  });

  it('leaves nothing behind where Go fails, and says what Go said', async () => {
    await command(
      'go',
      `echo half > "$GOBIN/server"
       echo 'go.temporal.io/api/common/v1' >&2
       echo 'no space left on device' >&2
       exit 1`,
    );
    await expect(ensureTemporalServer({ env })).rejects.toThrow(
      /go install go\.temporal\.io\/server\S* failed with code 1:\nno space left on device$/,
    );
    expect(await readdir(cacheDir())).toEqual(['temporal-server-v1.32.1.lock']);
  });

  it('is built anew, by whoever asks next, where the process that built it was killed', async () => {
    await command('go', 'echo half > "$GOBIN/server"; echo "internal/goarch" >&2; read -r _ < "$HOME/fifo"');
    const builder = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '--eval',
        `import { ensureTemporalServer } from ${JSON.stringify(new URL('temporal-binaries.ts', import.meta.url).href)};
         const env = ${JSON.stringify(env)};
         await ensureTemporalServer({ env, onProgress: (line) => console.log(line) });`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const started = createInterface({ input: builder.stdout! });
    await once(started, 'line');
    builder.kill('SIGKILL');
    await once(builder, 'exit');
    await workingGo('server');
    const path = await ensureTemporalServer({ env });
    expect(await readFile(path, 'utf8')).toBe('the whole command\n');
    expect((await readdir(cacheDir())).sort()).toEqual(['temporal-server-v1.32.1', 'temporal-server-v1.32.1.lock']);
  });

  it('fails where there is no Go, naming what to install', async () => {
    await expect(ensureTemporalServer({ env })).rejects.toThrow(
      /^the Temporal server 1\.32\.1 is missing \(looked for \S+\) and there is no Go on the PATH to build it with: install Go 1\.21 or newer \(https:\/\/go\.dev\/dl\)$/,
    );
    await expect(ensureTemporalCli({ env })).rejects.toThrow(/install Go .*, or the Temporal CLI 1\.5\.1/);
  });
});

describe('the Temporal CLI', () => {
  const installed = () => join(home, 'bin', 'temporal');

  it('is the one on the PATH where that runs', async () => {
    await command('temporal', 'echo "temporal version 1.8.2 (Server 1.31.2, UI 2.50.0)"');
    expect(await ensureTemporalCli({ env })).toBe(installed());
  });

  it('is built where the one on the PATH does not run', async () => {
    await command('temporal', 'exit 126');
    await workingGo('temporal');
    expect(await ensureTemporalCli({ env })).toBe(join(cacheDir(), 'temporal-cli-v1.5.1', 'temporal'));
  });

  it.each([
    'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)',
    'temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)',
  ])('serves as the old one where it says "%s"', async (version) => {
    await command('temporal', `echo "${version}"`);
    expect(await ensureOldTemporalCli({ env })).toBe(installed());
  });

  it('does not serve as the old one in another version: that one is built', async () => {
    await command('temporal', 'echo "temporal version 1.5.0 (Server 1.29.10, UI 2.42.1)"');
    await workingGo('temporal');
    const path = await ensureOldTemporalCli({ env });
    expect(path).toBe(join(cacheDir(), 'temporal-cli-v1.5.1', 'temporal'));
    expect((await stat(path)).isFile()).toBe(true);
  });
});
