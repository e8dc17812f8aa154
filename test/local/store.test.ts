import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { migrate } from '../../src/local/schema.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openStore } from '../../src/local/store.ts';
import { temporaryFolder } from './temporary-folder.ts';

const WRITER = fileURLToPath(new URL('./fixtures/registry-writer.ts', import.meta.url));

/** Lets a process write until it has acknowledged `writes`, kills it at once, and returns what it acknowledged. */
async function writeAndKill(folder: string, writes: number): Promise<number[]> {
  const writer = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: number[] = [];
  const ended = once(writer, 'exit');
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === writes) writer.kill('SIGKILL');
  }
  expect((await ended)[1]).toBe('SIGKILL');
  return acknowledged;
}

it('has everything that was acknowledged after SIGKILL in mid-write, time after time', async () => {
  const folder = temporaryFolder();
  for (const writes of [1, 17, 50]) {
    const acknowledged = await writeAndKill(folder, writes);
    const store = openStore(folder);
    const registry = createSqliteEndpointRegistry(store.db, { now: () => 0 });
    const stored = await registry.list();
    const names = new Set(stored.map(({ name }) => name));
    expect(acknowledged.filter((version) => !names.has(`created-${version}`))).toEqual([]);
    expect((await registry.get('counter'))?.version).toBeGreaterThanOrEqual(acknowledged.at(-1)!);
    store.close();
  }
}, 30_000);

it('refuses a folder that is open already, naming the folder and the process', () => {
  const folder = temporaryFolder();
  const store = openStore(folder);
  expect(() => openStore(folder)).toThrow(`the data folder ${folder} is in use by process ${process.pid};`);
  store.close();
  openStore(folder).close();
});

it('fails when the folder cannot be created', () => {
  expect(() => openStore('/dev/null/data')).toThrow('cannot create the data folder /dev/null/data');
});

it('keeps its endpoints from one opening to the next', async () => {
  const folder = join(temporaryFolder(), 'below', 'that');
  const first = openStore(folder);
  const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };
  const created = await createSqliteEndpointRegistry(first.db, { now: () => 7 }).create(spec);
  first.close();
  const second = openStore(folder);
  expect(await createSqliteEndpointRegistry(second.db, { now: () => 8 }).list()).toEqual([created]);
  second.close();
});

it('goes on with the steps that an older version had not', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ['CREATE TABLE one (a INTEGER)']);
  migrate(db, ['CREATE TABLE one (a INTEGER)', 'CREATE TABLE two (b INTEGER)']);
  expect(db.prepare('SELECT count(*) AS n FROM two').get()).toEqual({ n: 0 });
});

it('takes a step whole or not at all', () => {
  const db = new DatabaseSync(':memory:');
  expect(() => migrate(db, ['CREATE TABLE one (a INTEGER); CREATE TABLE one (a INTEGER)'])).toThrow('already exists');
  migrate(db, ['CREATE TABLE one (a INTEGER)']);
  expect(db.prepare('SELECT version FROM schema_version').all()).toEqual([{ version: 1 }]);
});

it('refuses data that a newer version wrote', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ['CREATE TABLE one (a INTEGER)', 'CREATE TABLE two (b INTEGER)']);
  expect(() => migrate(db, ['CREATE TABLE one (a INTEGER)'])).toThrow('the data is of schema 2, written by a newer');
});
