import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LimitStore } from '../../src/router/ports.ts';
import { type TokenAsk, takeTokens } from '../../src/router/tokens.ts';

export interface LimitStoreOptions {
  /** How many histories are played. Default: 100. */
  readonly runs?: number;
}

const NOW = Date.UTC(2026, 0, 1);
const NOW_US = NOW * 1_000;
const SECOND_US = 1_000_000;

/** Ten a second, ten at once. */
const ASK: TokenAsk = { intervalUs: 100_000, lifeUs: 900_000, nowUs: NOW_US, count: 1, leftUs: 0 };

/** What every adapter of the LimitStore port does. `open` makes an empty one. */
export function describeLimitStore(
  adapter: string,
  open: () => Promise<LimitStore>,
  { runs = 100 }: LimitStoreOptions = {},
): void {
  let names = 0;
  const newName = () => `shop#${++names}`;

  describe(`the tokens on ${adapter}`, () => {
    it('are as many as the burst after a quiet time, and none after them', async () => {
      const store = await open();
      const name = newName();
      for (let taken = 0; taken < 10; taken++) {
        const firstUs = NOW_US - 900_000 + taken * 100_000;
        expect(await store.takeTokens(name, ASK)).toEqual({ kind: 'taken', firstUs, nextUs: firstUs + 100_000 });
      }
      expect(await store.takeTokens(name, ASK)).toEqual({ kind: 'refused', nextUs: NOW_US + 100_000 });
    });

    it('are given out once, whoever asks at the same time, and whatever each has seen', async () => {
      const store = await open();
      const name = newName();
      const asks = Array.from({ length: 30 }, (_, n) => ({ ...ASK, ...(n % 2 === 0 && { seenUs: NOW_US - 900_000 }) }));
      // Two environments that take the first tokens at the same moment may both be told that there are none.
      const answers = [];
      for (let round = 0; round < 3; round++) {
        answers.push(...(await Promise.all(asks.map((ask) => store.takeTokens(name, ask)))));
      }
      const firsts = answers.flatMap((answer) => (answer.kind === 'taken' ? [answer.firstUs] : []));
      expect(firsts.sort((a, b) => a - b)).toEqual(
        Array.from({ length: 10 }, (_, n) => NOW_US - 900_000 + n * 100_000),
      );
    });

    it('are taken several at once, those that are minted later among them', async () => {
      const store = await open();
      const name = newName();
      const ask = { ...ASK, count: 3, leftUs: 900_000 };
      expect(await store.takeTokens(name, ask)).toEqual({
        kind: 'taken',
        firstUs: NOW_US,
        nextUs: NOW_US + 300_000,
      });
      expect(await store.takeTokens(name, ask)).toEqual({ kind: 'refused', nextUs: NOW_US + 300_000 });
    });

    it('are of each limit for itself', async () => {
      const store = await open();
      const [one, other] = [newName(), newName()];
      await store.takeTokens(one, { ...ASK, count: 20 });
      expect(await store.takeTokens(one, ASK)).toMatchObject({ kind: 'refused' });
      expect(await store.takeTokens(other, ASK)).toMatchObject({ kind: 'taken' });
    });

    it('of a caller whose name is longer than a key may be are told from those of another one', async () => {
      const store = await open();
      const [one, other] = [`${newName()}${'x'.repeat(3_000)}`, `${newName()}${'x'.repeat(2_999)}y`];
      await store.takeTokens(one, { ...ASK, count: 20 });
      expect(await store.takeTokens(one, ASK)).toMatchObject({ kind: 'refused' });
      expect(await store.takeTokens(other, ASK)).toMatchObject({ kind: 'taken' });
    });

    it('are taken anew where a clock that is far ahead has taken those of a day to come', async () => {
      const store = await open();
      const name = newName();
      await store.takeTokens(name, { ...ASK, nowUs: NOW_US + 86_400 * SECOND_US });
      expect(await store.takeTokens(name, ASK)).toEqual({ kind: 'taken', firstUs: NOW_US, nextUs: NOW_US + 100_000 });
    });

    it('are what takeTokens says, in any history, whatever the asker has seen', async () => {
      const store = await open();
      const step = fc.record({
        afterUs: fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 0, max: 10 * SECOND_US })),
        intervalUs: fc.constantFrom(500, 100_000, SECOND_US),
        burst: fc.integer({ min: 1, max: 20 }),
        count: fc.integer({ min: 1, max: 5 }),
        leftShare: fc.double({ min: 0, max: 1, noNaN: true }),
        sees: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          const name = newName();
          let stored: number | undefined;
          let seenUs: number | undefined;
          let nowUs = NOW_US;
          for (const { afterUs, intervalUs, burst, count, leftShare, sees } of steps) {
            nowUs += afterUs;
            const lifeUs = (burst - 1) * intervalUs;
            const leftUs = Math.floor(lifeUs * leftShare);
            const ask = { nowUs, intervalUs, lifeUs, count, leftUs, ...(sees && seenUs !== undefined && { seenUs }) };
            const expected = takeTokens(stored, ask);
            expect(await store.takeTokens(name, ask)).toEqual(expected);
            if (expected.kind === 'taken') stored = expected.nextUs;
            if (sees) seenUs = stored;
          }
        }),
        { numRuns: runs },
      );
    });
  });

  describe(`the slots on ${adapter}`, () => {
    const times = { now: NOW, until: NOW + 5_000 };

    async function setUp() {
      const store = await open();
      const part = newName();
      const lease = (slot: number, holder = 'one') => ({ part, slot, holder });
      return { store, part, lease };
    }

    it('are taken by one at a time, each for itself', async () => {
      const { store, part, lease } = await setUp();
      expect(await store.takeSlot(lease(3), times)).toBe(true);
      expect(await store.takeSlot(lease(3, 'two'), times)).toBe(false);
      expect(await store.takeSlot(lease(12, 'two'), times)).toBe(true);
      expect(await store.heldSlots(part, NOW)).toEqual(new Set([3, 12]));
      expect(await store.heldSlots(`${part}0`, NOW)).toEqual(new Set());
    });

    it('are given to one of all that ask at the same time', async () => {
      const { store, lease } = await setUp();
      const askers = Array.from({ length: 20 }, (_, n) => store.takeSlot(lease(0, `holder-${n}`), times));
      expect((await Promise.all(askers)).filter((taken) => taken)).toHaveLength(1);
    });

    it('are taken by a repetition whose first answer was lost', async () => {
      const { store, part, lease } = await setUp();
      expect(await store.takeSlot(lease(0), times)).toBe(true);
      expect(await store.takeSlot(lease(0), times)).toBe(true);
      expect(await store.heldSlots(part, NOW)).toEqual(new Set([0]));
    });

    it('are free when they were let go, by whoever has them and nobody else', async () => {
      const { store, part, lease } = await setUp();
      await store.takeSlot(lease(0), times);
      await store.freeSlot(lease(0, 'two'));
      expect(await store.heldSlots(part, NOW)).toEqual(new Set([0]));
      await store.freeSlot(lease(0));
      await store.freeSlot(lease(0));
      expect(await store.heldSlots(part, NOW)).toEqual(new Set());
      expect(await store.takeSlot(lease(0, 'two'), times)).toBe(true);
    });

    it('are free when their time is over, and no moment before it', async () => {
      const { store, part, lease } = await setUp();
      await store.takeSlot(lease(0), times);
      const before = { now: NOW + 4_999, until: NOW + 9_000 };
      expect(await store.takeSlot(lease(0, 'two'), before)).toBe(false);
      expect(await store.heldSlots(part, NOW + 4_999)).toEqual(new Set([0]));
      expect(await store.heldSlots(part, NOW + 5_000)).toEqual(new Set());
      expect(await store.takeSlot(lease(0, 'two'), { now: NOW + 5_000, until: NOW + 9_000 })).toBe(true);
      await store.freeSlot(lease(0));
      expect(await store.heldSlots(part, NOW + 5_000)).toEqual(new Set([0]));
    });

    it('stay with their holder when their time is made longer, and with nobody who has lost them', async () => {
      const { store, part, lease } = await setUp();
      await store.takeSlot(lease(0), times);
      await store.extendSlot(lease(0, 'two'), NOW + 60_000);
      expect(await store.heldSlots(part, NOW + 5_000)).toEqual(new Set());
      await store.extendSlot(lease(0), NOW + 60_000);
      expect(await store.heldSlots(part, NOW + 59_999)).toEqual(new Set([0]));
      expect(await store.takeSlot(lease(0, 'two'), { now: NOW + 59_999, until: NOW + 90_000 })).toBe(false);
      expect(await store.takeSlot(lease(0, 'two'), { now: NOW + 60_000, until: NOW + 90_000 })).toBe(true);
      await store.extendSlot(lease(0), NOW + 120_000);
      expect(await store.heldSlots(part, NOW + 90_000)).toEqual(new Set());
      await store.freeSlot(lease(0, 'two'));
      await store.extendSlot(lease(0, 'two'), NOW + 120_000);
      expect(await store.heldSlots(part, NOW + 60_000)).toEqual(new Set());
    });
  });
}
