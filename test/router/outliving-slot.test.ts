import { expect, it, onTestFinished } from 'vitest';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { createOutlivingSlot } from '../../src/router/outliving-slot.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const NOW = Date.UTC(2026, 0, 1);
const LEASE = { part: 'shop#slots#0', slot: 3, holder: 'one' };

/** A slot that a router took for 35 s, and whatever keeps it where its operation runs. */
async function setUp() {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const stored = createSqliteLimitStore(db);
  await stored.takeSlot(LEASE, { now: NOW, until: NOW + 35_000 });
  const state = { isDown: false, calls: 0 };
  const reached = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async function reach(...args: A): Promise<R> {
      state.calls++;
      if (state.isDown) throw new Error('the table is down');
      return call(...args);
    };
  const { lines, logger } = recordingLogger();
  const store = { extendSlot: reached(stored.extendSlot), freeSlot: reached(stored.freeSlot) };
  const slot = createOutlivingSlot({ store, lease: LEASE, until: NOW + 900_000, logger });
  const isHeldAt = async (ms: number) => (await stored.heldSlots(LEASE.part, NOW + ms)).has(LEASE.slot);
  return { slot, state, lines, isHeldAt };
}

it('keeps the slot until the operation may have ended, by one write, and lets it go when it has', async () => {
  const { slot, state, isHeldAt } = await setUp();
  await slot.keep();
  await slot.keep();
  expect(state.calls).toBe(1);
  expect(await isHeldAt(899_999)).toBe(true);
  expect(await isHeldAt(900_000)).toBe(false);
  await slot.free();
  expect(await isHeldAt(0)).toBe(false);
});

it('tries again where the store could not be reached, and says so once', async () => {
  const { slot, state, lines, isHeldAt } = await setUp();
  state.isDown = true;
  await slot.keep();
  await slot.keep();
  expect(lines).toMatchObject([{ level: 'warn', meta: { part: LEASE.part, error: new Error('the table is down') } }]);
  state.isDown = false;
  await slot.keep();
  expect(await isHeldAt(60_000)).toBe(true);
  state.isDown = true;
  await slot.free();
  expect(lines).toHaveLength(2);
  expect(await isHeldAt(0)).toBe(true);
});

it('keeps nothing that was let go', async () => {
  const { slot, isHeldAt } = await setUp();
  await slot.free();
  await slot.keep();
  expect(await isHeldAt(0)).toBe(false);
});
