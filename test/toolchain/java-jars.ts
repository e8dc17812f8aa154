import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultCacheDir } from './cache-dir.ts';
import { commandPath } from './command-path.ts';
import { withFileLock } from './file-lock.ts';
import { runCommand } from './run-command.ts';
import type { BinaryOptions } from './temporal-binaries.ts';

/** A Java program that Maven can fetch. */
export interface JavaJars {
  /** As it reads in a sentence: `DynamoDB Local 2.6.1`. */
  readonly title: string;
  /** The file of `java/` that names it, without `.xml`. */
  readonly pom: string;
}

const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const PROGRESS_EVERY_MS = 1_000;

/**
 * Folder in the cache folder that holds the jars of the program and of all that it needs, fetched with Maven where it
 * is missing. Any number of processes may ask at once: one fetches, the others wait. A folder at that path is whole.
 */
export async function ensureJars(
  jars: JavaJars,
  { env = process.env, cacheDir = defaultCacheDir(env), onProgress = () => {} }: BinaryOptions = {},
): Promise<string> {
  const pomFile = fileURLToPath(new URL(`java/${jars.pom}.xml`, import.meta.url));
  const hash = createHash('sha256').update(await readFile(pomFile));
  const name = `${jars.pom}-${hash.digest('hex').slice(0, 16)}`;
  const folder = join(cacheDir, name);
  if (await exists(folder)) return folder;
  const mvn = await commandPath('mvn', env);
  if (mvn === undefined) {
    throw new Error(
      `${jars.title} is missing (looked for ${folder}) and there is no mvn on the PATH to fetch it with: ` +
        'install Maven (https://maven.apache.org/install.html) and a JDK, 17 or newer',
    );
  }
  await mkdir(cacheDir, { recursive: true });
  const onWait = () => onProgress(`another process is fetching ${jars.title}: waiting for it`);
  return withFileLock(`${folder}.lock`, onWait, async () => {
    if (!(await exists(folder))) await fetchJars(jars, { mvn, pomFile, cacheDir, name, env, onProgress });
    return folder;
  });
}

interface FetchOptions {
  readonly mvn: string;
  readonly pomFile: string;
  readonly cacheDir: string;
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
}

/** Fetches beside the final place and moves the result there: whoever holds the lock owns all that looks like a rest. */
async function fetchJars({ title }: JavaJars, options: FetchOptions): Promise<void> {
  const { mvn, pomFile, cacheDir, name, env, onProgress } = options;
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const isRest = (file: string) => file.startsWith(`${name}.fetching-`);
  const rests = (await readdir(cacheDir)).filter(isRest);
  await Promise.all(rests.map((file) => rm(join(cacheDir, file), { recursive: true, force: true })));
  const folder = join(cacheDir, `${name}.fetching-${process.pid}`);
  await mkdir(folder);
  try {
    // Maven leaves files beside the pom.
    await copyFile(pomFile, join(folder, 'pom.xml'));
    onProgress(`fetching ${title} with Maven, once`);
    let files = 0;
    let nextReport = 0;
    const { code, lines } = await runCommand(mvn, ['-B', COPY_DEPENDENCIES, '-DoutputDirectory=jars'], {
      env,
      cwd: folder,
      onLine(line) {
        if (line.includes('Downloaded from ')) files++;
        if (performance.now() < nextReport) return;
        nextReport = performance.now() + PROGRESS_EVERY_MS;
        onProgress(`fetching ${title}: ${files} files, ${seconds()} s`);
      },
    });
    if (code !== 0) throw new Error(`fetching ${title} failed with code ${code}:\n${lines.slice(-20).join('\n')}`);
    await rename(join(folder, 'jars'), join(cacheDir, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  onProgress(`fetched ${title} in ${seconds()} s`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
