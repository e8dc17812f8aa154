import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGuarded } from '../toolchain/guarded-process.ts';
import { useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

const SERVICES = `
import { operation, service, serviceHandler } from 'nexus-rpc';

enum Unit { Piece = 'piece' } // Not erasable: a module of TypeScript as it is, not only what Node.js strips.

const stock = service('stock', { count: operation<{ item: string }, { item: string; count: number; unit: Unit }>() });
export default serviceHandler(stock, { count: async (_ctx, { item }) => ({ item, count: 3, unit: Unit.Piece }) });
`;

let folder: string;
let shop: Dev | undefined;

interface Dev {
  readonly url: string;
  stop(): Promise<void>;
}

/** What `npx nexus-lambda dev` runs; npx itself would keep the signal that ends it from it. */
async function startDev(...args: readonly string[]): Promise<Dev> {
  const command = join(folder, 'node_modules/.bin/nexus-lambda');
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const dev = startGuarded(command, ['dev', ...args, '--port', '0', '--ephemeral'], {
    output: 'pipe',
    cwd: folder,
    env,
  });
  const { stdout, stderr } = dev.process;
  if (stdout === null || stderr === null) throw new Error('its output was asked for');
  const said: string[] = [];
  createInterface({ input: stderr }).on('line', (line) => said.push(line));
  for await (const line of createInterface({ input: stdout })) {
    said.push(line);
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    stdout.resume();
    return { url, stop: dev.stop };
  }
  throw new Error(`nexus-lambda dev ended; it said:\n${said.join('\n')}`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-packed-'));
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  await writeFile(join(folder, 'services.ts'), SERVICES);
  const tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', tarball, 'nexus-rpc'], { cwd: folder });

  shop = await startDev('./services.ts', '--endpoint', 'shop');
}, 300_000);

afterAll(async () => {
  await shop?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each(serverVersions)('the packed tarball in a project of its own, called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it('serves a module that was written there', async () => {
    const endpoint = await temporal.createEndpoint(`${shop?.url}/nexus/endpoints/shop/services`);
    const result = await temporal.resultOf({ endpoint, service: 'stock', operation: 'count' }, { item: 'pen' });
    expect(result).toEqual({ item: 'pen', count: 3, unit: 'piece' });
  });
});

describe('the first screen of the README', () => {
  it('is under the first 40 lines, and its curl gets its answer', async () => {
    const readme = (await readFile(join(root, 'README.md'), 'utf8')).split('\n').slice(0, 40).join('\n');
    const [program = '', , curl = '', answer = ''] = [...readme.matchAll(/```\w*\n(.*?)```/gs)].map(
      (match) => match[1],
    );
    await writeFile(join(folder, 'greeting.ts'), program);
    const dev = await startDev('greeting.ts');
    const parts = /curl --json '(.*)' http:\/\/127\.0\.0\.1:9233(\S+)/.exec(curl);
    const response = await fetch(`${dev.url}${parts?.[2]}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: parts?.[1] ?? '',
    });
    expect(await response.text()).toBe(answer.trim());
    await dev.stop();
  });
});
