import { expect, it, onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { watchStore } from '../../src/local/watched-store.ts';
import { NOW, newRecord } from '../contract/operation-records.ts';

const LONG_MS = 3_600_000;

function setUp() {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  return watchStore(createSqliteOperationStore(db));
}

/** Whether it has come to an end, once all that can has. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol();
  const after = new Promise((resolve) => setImmediate(resolve, pending));
  return (await Promise.race([promise, after])) !== pending;
}

it('tells all who wait for a record as soon as it is written', async () => {
  const { store, changed } = setUp();
  const [record, other] = [newRecord(), newRecord()];
  await store.create(record, NOW);
  await store.create(other, NOW);
  const waiting = [changed(record.token, LONG_MS), changed(record.token, LONG_MS)];
  const elsewhere = changed(other.token, LONG_MS);
  expect(await store.update(record, { ...record, version: record.version + 1 })).toBe(true);
  await Promise.all(waiting);
  expect(await isSettled(elsewhere)).toBe(false);
  await store.update(other, { ...other, version: other.version + 1 });
  await elsewhere;
});

it('does not tell of a write that came too late', async () => {
  const { store, changed } = setUp();
  const record = newRecord();
  await store.create(record, NOW);
  const waiting = changed(record.token, LONG_MS);
  expect(await store.update({ ...record, version: record.version + 1 }, record)).toBe(false);
  expect(await isSettled(waiting)).toBe(false);
  await store.update(record, { ...record, version: record.version + 1 });
  await waiting;
});

it('lets nobody wait for longer than was asked for', async () => {
  await setUp().changed('token', 1);
});
