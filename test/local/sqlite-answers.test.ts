import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteAnswers } from '../../src/local/sqlite-answers.ts';
import { openEphemeralStore, openStore } from '../../src/local/store.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { createDeduplication } from '../../src/router/deduplication.ts';
import { describeDeduplication, START } from '../contract/deduplication.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeDeduplication('SQLite', async () => {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  return { createLayer: createSqliteAnswers(store.db) };
});

describe('answers on SQLite, by themselves,', () => {
  const RESULT: NexusHttpResponse = { status: 200, headers: {}, body: new Uint8Array([1]) };

  function openIn(folder: string) {
    const { db, close } = openStore(folder);
    const createLayer = createSqliteAnswers(db);
    const deduplicate = createDeduplication({
      createLayer,
      logger: recordingLogger().logger,
      clock: Date,
      random: Math.random,
    });
    const request = (key: string, deliver: () => Promise<NexusHttpResponse>) =>
      deduplicate({ ...START, key }, deliver, () => 10_000);
    return { db, close, request };
  }

  it('are there after a restart, and what was under way then runs again at once', async () => {
    const folder = temporaryFolder();
    const before = openIn(folder);
    await before.request('done', async () => RESULT);
    const started = Promise.withResolvers<void>();
    void before.request('interrupted', () => {
      started.resolve();
      return new Promise(() => {});
    });
    await started.promise;
    before.close();
    const after = openIn(folder);
    onTestFinished(() => after.close());
    expect(await after.request('done', () => expect.unreachable())).toEqual(RESULT);
    expect(await after.request('interrupted', async () => ({ ...RESULT, status: 201 }))).toMatchObject({ status: 201 });
  });
});
