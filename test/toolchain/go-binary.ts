import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { commandPath } from './command-path.ts';
import { withFileLock } from './file-lock.ts';
import { startGuarded } from './guarded-process.ts';

/** A command that `go install` can build. */
export interface GoBinary {
  /** As it reads in a sentence: `the Temporal CLI 1.5.1`. */
  readonly title: string;
  /** What `go install` is given. */
  readonly module: string;
  /** Folder below the cache folder that holds it; names the version, too. */
  readonly folder: string;
  /** Name of the file that Go makes of it. */
  readonly file: string;
  /** What helps, other than Go, where it can neither be found nor built. */
  readonly orInstall?: string;
}

export interface GoBinaryOptions {
  readonly cacheDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
}

const PROGRESS_EVERY_MS = 1_000;
/** Linking says nothing, and takes as long as many packages. */
const SIGN_OF_LIFE_EVERY_MS = 5_000;

/**
 * Path of the command in the cache folder, where it is built if it is missing. Any number of processes may ask at
 * once: one builds, the others wait for it. What is at that path is always whole.
 */
export async function ensureGoBinary(binary: GoBinary, options: GoBinaryOptions): Promise<string> {
  const path = join(options.cacheDir, binary.folder, binary.file);
  if (await exists(path)) return path;
  const go = await commandPath('go', options.env);
  if (go === undefined) {
    throw new Error(
      `${binary.title} is missing (looked for ${path}) and there is no Go on the PATH to build it with: ` +
        `install Go 1.21 or newer (https://go.dev/dl)${binary.orInstall === undefined ? '' : `, or ${binary.orInstall}`}`,
    );
  }
  await mkdir(options.cacheDir, { recursive: true });
  const lockFile = join(options.cacheDir, `${binary.folder}.lock`);
  const onWait = () => options.onProgress(`another process is building ${binary.title}: waiting for it`);
  return withFileLock(lockFile, onWait, async () => {
    if (!(await exists(path))) await build(go, binary, options);
    return path;
  });
}

/** Builds beside the final place and moves the result there: whoever holds the lock owns all that looks like a rest. */
async function build(go: string, binary: GoBinary, { cacheDir, env, onProgress }: GoBinaryOptions): Promise<void> {
  const isRest = (name: string) => name.startsWith(`${binary.folder}.building-`);
  const rests = (await readdir(cacheDir)).filter(isRest);
  await Promise.all(rests.map((name) => rm(join(cacheDir, name), { recursive: true, force: true })));
  const bin = join(cacheDir, `${binary.folder}.building-${process.pid}`);
  await mkdir(bin);
  try {
    await goInstall(go, binary, { ...env, GOBIN: bin }, onProgress);
    const folder = join(cacheDir, binary.folder);
    await mkdir(folder, { recursive: true });
    await rename(join(bin, binary.file), join(folder, binary.file));
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
}

async function goInstall(
  command: string,
  { title, module }: GoBinary,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<void> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const go = startGuarded(command, ['install', '-v', module], { env, output: 'pipe', killAfterMs: 1_000 });
  const said: string[] = [];
  let downloaded = 0;
  let compiled = 0;
  let nextReport = 0;
  const report = () => {
    nextReport = performance.now() + PROGRESS_EVERY_MS;
    const done = compiled > 0 ? `${compiled} packages compiled` : `${downloaded} modules downloaded`;
    onProgress(`building ${title}: ${done}, ${seconds()} s`);
  };
  onProgress(`building ${title} with Go, once; this takes some minutes`);
  const signOfLife = setInterval(report, SIGN_OF_LIFE_EVERY_MS);
  for await (const line of createInterface({ input: go.process.stderr! })) {
    // With -v, Go says `go: downloading MODULE VERSION`, then each package as it compiles it.
    if (line.startsWith('go: downloading ')) downloaded++;
    else if (/^[\w.~-]+(\/[\w.~-]+)*$/.test(line)) compiled++;
    else said.push(line);
    if (performance.now() >= nextReport) report();
  }
  clearInterval(signOfLife);
  const code = await go.exited;
  if (code !== 0) {
    throw new Error(`go install ${module} failed with code ${code}:\n${said.slice(-20).join('\n')}`);
  }
  onProgress(`built ${title} in ${seconds()} s`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
