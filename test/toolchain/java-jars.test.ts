import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureJars } from './java-jars.ts';

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'nexus-lambda-jars-'));
  await mkdir(join(home, 'bin'));
  env = { HOME: home, PATH: `${join(home, 'bin')}:/usr/bin:/bin` };
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** A `mvn` that notes each run in `runs`. */
async function maven(script: string): Promise<void> {
  const path = join(home, 'bin', 'mvn');
  await writeFile(path, `#!/bin/sh\necho "$@" >> "${home}/runs"\n${script}\n`);
  await chmod(path, 0o755);
}

const workingMaven = 'echo "Downloaded from here: elasticmq.jar"; mkdir jars; cat pom.xml > jars/elasticmq.jar';
const jars = { title: 'ElasticMQ 1.7.1', pom: 'elasticmq' };
const cacheDir = () => join(home, '.cache', 'nexus-lambda');

describe('the jars of a Java program', () => {
  it('are fetched once, into the cache folder', async () => {
    await maven(workingMaven);
    const folder = await ensureJars(jars, { env });
    expect(folder).toMatch(new RegExp(`^${cacheDir()}/elasticmq-[0-9a-f]{16}$`));
    expect(await readFile(join(folder, 'elasticmq.jar'), 'utf8')).toContain('<version>1.7.1</version>');
    expect(await ensureJars(jars, { env })).toBe(folder);
    expect(await readFile(join(home, 'runs'), 'utf8')).toBe(
      '-B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=jars\n',
    );
  });

  it('leave nothing behind where Maven fails, which says why', async () => {
    await maven('mkdir jars; echo half > jars/elasticmq.jar; echo "[ERROR] no such artifact"; exit 1');
    await expect(ensureJars(jars, { env })).rejects.toThrow(
      /^fetching ElasticMQ 1\.7\.1 failed with code 1:\n\[ERROR\] no such artifact$/,
    );
    expect(await readdir(cacheDir())).toEqual([expect.stringMatching(/^elasticmq-[0-9a-f]{16}\.lock$/)]);
  });

  it('are fetched anew, by whoever asks next, where the process that fetched them was killed', async () => {
    await maven('mkdir jars; echo half > jars/elasticmq.jar; echo "Downloaded from here"; exec sleep 1000');
    const module = JSON.stringify(new URL('java-jars.ts', import.meta.url).href);
    const script = `
      import { ensureJars } from ${module};
      const env = ${JSON.stringify(env)};
      await ensureJars(${JSON.stringify(jars)}, { env, onProgress: (line) => console.log(line) });`;
    const fetcher = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: fetcher.stdout! })) if (line.includes(': 1 files')) break;
    fetcher.kill('SIGKILL');
    await once(fetcher, 'exit');
    await maven(workingMaven);
    const folder = await ensureJars(jars, { env });
    expect(await readFile(join(folder, 'elasticmq.jar'), 'utf8')).toContain('<project');
    expect(await readdir(cacheDir())).toHaveLength(2);
  });

  it('cannot be had without Maven, which is then named', async () => {
    const noMaven = { ...env, PATH: join(home, 'bin') };
    await expect(ensureJars(jars, { env: noMaven })).rejects.toThrow(
      /^ElasticMQ 1\.7\.1 is missing \(looked for \S+\) and there is no mvn on the PATH to fetch it with: install Maven/,
    );
  });
});
