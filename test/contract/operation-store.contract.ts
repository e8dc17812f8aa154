import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createToken } from '../../src/operations/operation-token.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { received } from '../../src/operations/transitions.ts';
import { describeOperationAttempts } from './operation-attempts.contract.ts';
import { describeOperationLists } from './operation-lists.contract.ts';
import { CLAIM, claimedRecord, history, NOW, newRecord, tokenOf } from './operation-records.ts';

export interface OperationStoreOptions {
  /** How many histories are played. Default: 100. */
  readonly runs?: number;
}

/** What every adapter of the OperationStore port does. `open` makes an empty one. */
export function describeOperationStore(
  adapter: string,
  open: () => Promise<OperationStore>,
  { runs = 100 }: OperationStoreOptions = {},
): void {
  /** A store with one record in it. */
  async function setUp(members: Parameters<typeof newRecord>[0] = {}) {
    const store = await open();
    const record = newRecord(members);
    expect(await store.create(record, NOW)).toBeUndefined();
    return { store, record };
  }

  /** The record with another version, and something else in it. */
  const changed = (record: OperationRecord, invocation = 'i-1') => claimedRecord(record, { ...CLAIM, invocation });

  describe(`the store of operations on ${adapter}`, () => {
    it('returns what was created, by its token', async () => {
      const { store, record } = await setUp();
      expect(await store.get(record.token)).toStrictEqual(record);
    });

    it('returns nothing for a token that it did not store', async () => {
      const { store, record } = await setUp();
      const sameKey = tokenOf(record.key);
      const secret = record.token.slice(-22);
      const otherKey = createToken(createHash('sha256').update('other').digest(), Buffer.from(secret, 'base64url'));
      for (const token of [sameKey, otherKey, '', 'a', `${record.token}A`, record.token.slice(1), 'x'.repeat(4_096)]) {
        expect(await store.get(token)).toBeUndefined();
        expect(await store.claim(token, { ...CLAIM, attempt: 1 }, NOW)).toBeUndefined();
      }
    });

    describe('asked to create a record of a key that is there,', () => {
      it('returns the one that is there, as it is by now, and keeps it', async () => {
        const { store, record } = await setUp();
        const next = changed(record);
        await store.update(record, next);
        const again = newRecord({ key: record.key, requestId: 'again' });
        expect(await store.create(again, NOW)).toStrictEqual(next);
        expect(await store.get(again.token)).toBeUndefined();
        expect(await store.get(record.token)).toStrictEqual(next);
      });

      it('takes the same token for a repetition, and writes nothing', async () => {
        const { store, record } = await setUp();
        const next = changed(record);
        await store.update(record, next);
        expect(await store.create(record, NOW)).toBeUndefined();
        expect(await store.get(record.token)).toStrictEqual(next);
      });

      it('returns it until the time that it is kept for is over, and then replaces it', async () => {
        const { store, record } = await setUp({ expiresAt: NOW + 5, callback: { url: 'http://a', headers: {} } });
        const { key, retainUntil } = record;
        const again = newRecord({ key, acceptedAt: retainUntil });
        expect(await store.create(again, retainUntil - 1)).toStrictEqual(record);
        expect(await store.create(again, retainUntil)).toBeUndefined();
        expect(await store.get(record.token)).toBeUndefined();
        expect(await store.get(again.token)).toStrictEqual(again);
        expect(await store.update(record, changed(record))).toBe(false);
        expect(await store.claim(record.token, { ...CLAIM, attempt: 1 }, NOW)).toBeUndefined();
      });

      it('lets one of several that come at once win, and says to the others which', async () => {
        const { store } = await setUp();
        const key = 'a key that many start with';
        const rivals = Array.from({ length: 8 }, (_, n) => newRecord({ key, requestId: `${n}` }));
        const existing = await Promise.all(rivals.map((record) => store.create(record, NOW)));
        const winners = rivals.filter((_, n) => existing[n] === undefined);
        expect(winners).toHaveLength(1);
        const others = existing.filter((record) => record !== undefined);
        expect(others).toStrictEqual(others.map(() => winners[0]));
      });
    });

    describe('asked to update a record,', () => {
      it('writes what differs', async () => {
        const { store, record } = await setUp();
        const next = changed(record);
        expect(await store.update(record, next)).toBe(true);
        expect(await store.get(record.token)).toStrictEqual(next);
      });

      it('refuses what is based on a version that somebody wrote over', async () => {
        const { store, record } = await setUp();
        const next = changed(record);
        await store.update(record, next);
        expect(await store.update(record, changed(record, 'i-2'))).toBe(false);
        expect(await store.get(record.token)).toStrictEqual(next);
      });

      it('refuses it where there is no such record', async () => {
        const store = await open();
        const record = newRecord();
        expect(await store.update(record, changed(record))).toBe(false);
        expect(await store.get(record.token)).toBeUndefined();
      });

      it('refuses it where another record has taken its key, of whatever version', async () => {
        const { store, record } = await setUp();
        const rival = newRecord({ key: record.key });
        expect(rival.version).toBe(record.version);
        expect(await store.update(rival, changed(rival))).toBe(false);
        expect(await store.get(record.token)).toStrictEqual(record);
      });

      it.each([
        ['different', (n: number) => `i-${n}`],
        ['equal', () => 'i-1'],
      ])('lets one of several %s ones win that come at once', async (_, invocation) => {
        const { store, record } = await setUp();
        const rivals = Array.from({ length: 8 }, (_, n) => changed(record, invocation(n)));
        const written = await Promise.all(rivals.map((next) => store.update(record, next)));
        expect(written.filter(Boolean)).toHaveLength(1);
        expect(await store.get(record.token)).toStrictEqual(rivals[written.indexOf(true)]);
      });
    });

    it('keeps a body of 300 KB, and what is said in many scripts', async () => {
      const body = randomBytes(300_000).toString('base64');
      const start = { service: 'größe', operation: '价格 😀', headers: { ü: '\u0000\n' }, query: 'a=%C3%BC', body };
      const { store, record } = await setUp({ start, principal: 'basic:Zoë', endpoint: 'größe' });
      expect(await store.get(record.token)).toStrictEqual(record);
      const next = changed(record);
      await store.update(record, next);
      expect(await store.get(record.token)).toStrictEqual(next);
    });

    it('gives back each record that the transitions make, and claims as they do', async () => {
      const store = await open();
      const play = fc.asyncProperty(history, async ({ first, steps }) => {
        let record = newRecord(first);
        const { token } = record;
        expect(await store.create(record, NOW)).toBeUndefined();
        for (const step of steps) {
          if (step.kind === 'claim') {
            const { ahead, now, logStream } = step;
            const claim = { leaseUntil: now + 1, invocation: 'i', ...(logStream !== undefined && { logStream }) };
            const attempt = record.attempt + ahead;
            const arrived = received(record, { attempt, claim, now, random: 0 });
            const claimed = arrived.kind === 'run' ? arrived.transition.record : undefined;
            expect(await store.claim(token, { attempt, ...claim }, now)).toStrictEqual(claimed);
            record = claimed ?? record;
          } else {
            const next = step.change(record);
            if (next === undefined) continue;
            expect(await store.update(record, next)).toBe(true);
            record = next;
          }
          expect(await store.get(token)).toStrictEqual(record);
        }
        const { dueAt = Number.MAX_SAFE_INTEGER } = record;
        expect(await store.due(dueAt - 1, 10_000)).not.toContain(token);
        expect((await store.due(dueAt, 10_000)).includes(token)).toBe(record.dueAt !== undefined);
      });
      await fc.assert(play, { numRuns: runs });
    });
  });

  describeOperationAttempts(adapter, open);
  describeOperationLists(adapter, open);
}
