import { expect, it, onTestFinished } from 'vitest';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore, openStore } from '../../src/local/store.ts';
import { describeLimitStore } from '../contract/limit-store.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeLimitStore(
  'SQLite in a folder',
  async () => {
    const store = openStore(temporaryFolder());
    onTestFinished(() => store.close());
    return createSqliteLimitStore(store.db);
  },
  { runs: 20 },
);

describeLimitStore('SQLite in memory', async () => {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  return createSqliteLimitStore(store.db);
});

it('lets slots go of a process that ended, and keeps what was taken of rate limits', async () => {
  const folder = temporaryFolder();
  const now = Date.UTC(2026, 0, 1);
  const ask = { nowUs: now * 1_000, intervalUs: 1_000_000, lifeUs: 0, count: 1, leftUs: 0 };
  const first = openStore(folder);
  const store = createSqliteLimitStore(first.db);
  await store.takeSlot({ part: 'shop', slot: 0, holder: 'one' }, { now, until: now + 60_000 });
  await store.takeTokens('shop', ask);
  first.close();
  const second = openStore(folder);
  onTestFinished(() => second.close());
  const again = createSqliteLimitStore(second.db);
  expect(await again.heldSlots('shop', now)).toEqual(new Set());
  expect(await again.takeTokens('shop', ask)).toMatchObject({ kind: 'refused' });
});
