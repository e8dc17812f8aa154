import { describe, expect, it } from 'vitest';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { attemptEnded, reconciled } from '../../src/operations/transitions.ts';
import { CLAIM, claimedRecord, NOW, newRecord } from './operation-records.ts';

/** How every adapter of the OperationStore port claims attempts, and knows what is due. */
export function describeOperationAttempts(adapter: string, open: () => Promise<OperationStore>): void {
  /** A store with one record in it. */
  async function setUp(members: Parameters<typeof newRecord>[0] = {}) {
    const store = await open();
    const record = newRecord(members);
    await store.create(record, NOW);
    return { store, record };
  }

  describe(`a claim of an attempt on ${adapter}`, () => {
    it('lets one of several win that come at once, and returns to it the record as it is stored', async () => {
      const { store, record } = await setUp();
      const claims = Array.from({ length: 8 }, () => ({ ...CLAIM, attempt: 1 }));
      const claimed = await Promise.all(claims.map((claim) => store.claim(record.token, claim, NOW)));
      const [winner, ...more] = claimed.filter((record) => record !== undefined);
      expect(more).toEqual([]);
      expect(winner).toStrictEqual(claimedRecord(record));
      expect(await store.get(record.token)).toStrictEqual(winner);
    });

    const expiring = { expiresAt: NOW + 1_000 };
    const canceled = (record: OperationRecord) => ({
      ...record,
      cancelRequestedAt: NOW,
      version: record.version + 1,
    });
    const failed = { kind: 'failed', message: 'no', retryable: true, failure: {} } as const;
    const waiting = (record: OperationRecord) =>
      attemptEnded(claimedRecord(record), { attempt: 1, result: failed, now: NOW, random: 0 })!.record;
    it.each<[string, { attempt?: number; now?: number; of?: object; as?: (r: OperationRecord) => OperationRecord }]>([
      ['is the one before', { attempt: 0 }],
      ['is not yet the next', { attempt: 2 }],
      ['is claimed', { as: (record) => claimedRecord(record) }],
      ['is of an operation that ended', { as: (record) => cancelRequested(record, { now: NOW })!.record }],
      ['is of an operation that was canceled', { as: canceled }],
      ['is of an operation whose time is over', { of: expiring, now: expiring.expiresAt }],
      ['is to wait', { attempt: 2, as: waiting }],
    ])('writes nothing where the attempt %s', async (_, { attempt = 1, now = NOW, of, as }) => {
      const { store, record } = await setUp(of);
      const stored = as?.(record) ?? record;
      if (stored !== record) await store.update(record, stored);
      expect(await store.claim(record.token, { ...CLAIM, attempt }, now)).toBeUndefined();
      expect(await store.get(record.token)).toStrictEqual(stored);
    });
  });

  describe(`what is due on ${adapter}`, () => {
    it('has the records due whose time has come, the longest overdue first, and so many at most', async () => {
      const store = await open();
      const records = Array.from({ length: 12 }, (_, n) => newRecord({ acceptedAt: NOW + ((n * 7) % 12) * 1_000 }));
      for (const record of records) await store.create(record, NOW);
      const inOrder = records.toSorted((a, b) => a.dueAt! - b.dueAt!).map(({ token }) => token);
      const dueAt = records[0]!.dueAt!;
      expect(await store.due(dueAt - 1, 100)).toEqual([]);
      expect(await store.due(dueAt, 100)).toEqual(inOrder.slice(0, 1));
      expect(await store.due(dueAt + 7_999, 100)).toEqual(inOrder.slice(0, 8));
      expect(await store.due(dueAt + 7_999, 5)).toEqual(inOrder.slice(0, 5));
      expect(await store.due(Number.MAX_SAFE_INTEGER, 100)).toEqual(inOrder);
    });

    it('has a record due at its new time once that was moved, and never once nothing is left to do', async () => {
      const { store, record } = await setUp();
      const later = reconciled(record, { now: record.dueAt!, random: 0 })!.record;
      await store.update(record, later);
      expect(await store.due(later.dueAt! - 1, 1)).toEqual([]);
      expect(await store.due(later.dueAt!, 1)).toEqual([record.token]);
      await store.update(later, cancelRequested(later, { now: NOW })!.record);
      expect(await store.due(Number.MAX_SAFE_INTEGER, 1)).toEqual([]);
    });
  });
}
