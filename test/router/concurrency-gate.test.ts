import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { type ConcurrencyGateDeps, createConcurrencyGate, SLOT_LEASE_MS } from '../../src/router/concurrency-gate.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Admitted } from '../../src/router/gate.ts';
import type { Endpoint, LimitStore } from '../../src/router/ports.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import { createStoreReach } from '../../src/router/store-reach.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const NOW = Date.UTC(2026, 0, 1);

function endpointWith(settings: EndpointSettings | undefined): Endpoint {
  const target = { namespace: 'default', taskQueue: 'shop' };
  return {
    name: 'shop',
    target,
    services: [],
    version: 1,
    createdAt: NOW,
    lastModifiedAt: NOW,
    ...(settings && { settings }),
  };
}

/** A store that keeps what it was asked for. */
function watched(store: LimitStore) {
  const asked: string[] = [];
  const watch: LimitStore = {
    ...store,
    heldSlots: async (part, now) => {
      asked.push(`look ${part}`);
      return store.heldSlots(part, now);
    },
    takeSlot: async (lease, times) => {
      asked.push(`take ${lease.part}`);
      return store.takeSlot(lease, times);
    },
    freeSlot: async (lease) => {
      asked.push(`free ${lease.part}`);
      return store.freeSlot(lease);
    },
  };
  return { asked, watch };
}

function setUp(deps: Partial<ConcurrencyGateDeps> = {}) {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const store = createSqliteLimitStore(db);
  const { asked, watch } = watched(store);
  const events: FlowEvent[] = [];
  const clock = { nowMs: NOW, now: () => clock.nowMs };
  let holders = 0;
  const gate = createConcurrencyGate({
    store: watch,
    reach: { call: async (ask) => ({ value: await ask(new AbortController().signal) }) },
    clock,
    random: () => 0,
    newHolder: () => `holder-${++holders}`,
    emit: (event) => events.push(event),
    ...deps,
  });
  const admit = (settings?: EndpointSettings, kind: 'start' | 'cancel' = 'start') =>
    gate.admit({ endpoint: endpointWith(settings), principal: 'basic:shop', kind });
  return { admit, clock, asked, events, store };
}

describe('the gate of concurrency limits', () => {
  it('asks nothing of the store for an endpoint without a limit, nor for a cancel', async () => {
    const { admit, asked } = setUp();
    for (const settings of [undefined, {}, { requestsPerSecond: 1 }]) {
      const admitted = (await admit(settings)) as Admitted;
      await admitted.ended({ kind: 'succeeded' });
    }
    expect(await admit({ concurrency: 1 }, 'cancel')).toMatchObject({ kind: 'admitted' });
    expect(asked).toEqual([]);
  });

  it('looks, takes a slot, and lets it go once, however it ended', async () => {
    const { admit, asked } = setUp();
    for (const kind of ['succeeded', 'unjudged'] as const) {
      const admitted = (await admit({ concurrency: 1 })) as Admitted;
      await admitted.ended({ kind });
      await admitted.ended({ kind });
    }
    expect(asked).toEqual(Array(2).fill(['look shop#slots#0', 'take shop#slots#0', 'free shop#slots#0']).flat());
  });

  it('refuses what is beyond the limit, and says what it is and how it is raised', async () => {
    const { admit } = setUp();
    await admit({ concurrency: 2 });
    await admit({ concurrency: 2 });
    expect(await admit({ concurrency: 2 })).toEqual({
      kind: 'refused',
      reason: 'concurrency',
      retryAfterMs: 25,
      message: 'endpoint "shop": 2 operations run already, which is its limit; its owner may raise concurrency',
    });
    expect(await setUpFull(1)).toMatchObject({
      message: 'endpoint "shop": one operation runs already, which is its limit; its owner may raise concurrency',
    });
  });

  async function setUpFull(concurrency: number) {
    const { admit } = setUp();
    for (let n = 0; n < concurrency; n++) await admit({ concurrency });
    return admit({ concurrency });
  }

  it('neither writes nor looks for those that it refuses right after it found no slot, and looks again within a second', async () => {
    const { admit, clock, asked } = setUp();
    const settings = { concurrency: 1 };
    const admitted = (await admit(settings)) as Admitted;
    const before = asked.length;
    for (let ms = 0; ms < 10_000; ms++) {
      expect(await admit(settings)).toMatchObject({ kind: 'refused' });
      clock.nowMs++;
    }
    expect(asked.slice(before).every((call) => call.startsWith('look'))).toBe(true);
    expect(asked.length - before).toBeLessThan(25);
    await admitted.ended({ kind: 'succeeded' });
    clock.nowMs += 1_000;
    expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
  });

  it('finds the last slot that is free of a limit of 64', async () => {
    const { admit } = setUp();
    const settings = { concurrency: 64 };
    for (let n = 0; n < 64; n++) expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
    expect(await admit(settings)).toMatchObject({ kind: 'refused' });
  });

  it('looks into four parts at most, of a higher limit', async () => {
    const { admit, store, asked } = setUp();
    for (let slot = 0; slot < 1_000; slot++) {
      const lease = { part: `shop#slots#${Math.floor(slot / 16)}`, slot, holder: 'another' };
      await store.takeSlot(lease, { now: NOW, until: NOW + 60_000 });
    }
    expect(await admit({ concurrency: 1_000 })).toMatchObject({ kind: 'refused' });
    expect(asked).toEqual([0, 1, 2, 3].map((part) => `look shop#slots#${part}`));
  });

  it('takes another slot where the one that it saw free was taken meanwhile', async () => {
    const { db, close } = openEphemeralStore();
    onTestFinished(close);
    const store = createSqliteLimitStore(db);
    const { admit } = setUp({ store: { ...store, heldSlots: async () => new Set() } });
    const settings = { concurrency: 5 };
    for (let n = 0; n < 3; n++) expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set([0, 1, 2]));
    expect(await admit(settings)).toMatchObject({ kind: 'refused' });
  });

  it('frees the slot of a delivery that never ended after its lease', async () => {
    const { admit, clock } = setUp();
    await admit({ concurrency: 1 });
    clock.nowMs += SLOT_LEASE_MS - 1;
    expect(await admit({ concurrency: 1 })).toMatchObject({ kind: 'refused' });
    clock.nowMs += 1_000;
    expect(await admit({ concurrency: 1 })).toMatchObject({ kind: 'admitted' });
  });

  it('lets all through while the store cannot be reached, and lets a slot go that it may have taken', async () => {
    const { db, close } = openEphemeralStore();
    onTestFinished(close);
    const store = createSqliteLimitStore(db);
    let isLost = true;
    const { admit } = setUp({
      store,
      reach: {
        async call(ask) {
          const value = await ask(new AbortController().signal);
          return isLost ? undefined : { value };
        },
      },
    });
    const first = (await admit({ concurrency: 1 })) as Admitted;
    const second = (await admit({ concurrency: 1 })) as Admitted;
    expect([first.kind, second.kind]).toEqual(['admitted', 'admitted']);
    isLost = false;
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set([0]));
    await second.ended({ kind: 'succeeded' });
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set([0]));
    await first.ended({ kind: 'succeeded' });
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set());
  });

  it('leaves a slot to whoever was told its lease', async () => {
    const { admit, asked, store } = setUp();
    const { slot, ended } = (await admit({ concurrency: 1 })) as Admitted;
    slot?.leave();
    await ended({ kind: 'unjudged' });
    expect(asked).not.toContain('free shop#slots#0');
    expect(await store.heldSlots('shop#slots#0', NOW + SLOT_LEASE_MS - 1)).toEqual(new Set([0]));
    await store.freeSlot(slot!.lease);
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set());
  });

  it('lets a slot go also where another call failed just before', async () => {
    const { logger } = recordingLogger();
    const { db, close } = openEphemeralStore();
    onTestFinished(close);
    const store = createSqliteLimitStore(db);
    let isDown = false;
    const heldSlots: LimitStore['heldSlots'] = (...args) =>
      isDown ? Promise.reject(new Error('the table is down')) : store.heldSlots(...args);
    const clock = { now: () => NOW };
    const reach = createStoreReach({ clock, logger });
    const { admit } = setUp({ store: { ...store, heldSlots }, reach, clock });
    const admitted = (await admit({ concurrency: 2 })) as Admitted;
    isDown = true;
    expect(await admit({ concurrency: 2 })).toMatchObject({ kind: 'admitted' });
    await admitted.ended({ kind: 'succeeded' });
    expect(await store.heldSlots('shop#slots#0', NOW)).toEqual(new Set());
  });

  it('tells once a second how many more may run', async () => {
    const { admit, clock, events } = setUp();
    for (let n = 0; n < 3; n++) await admit({ concurrency: 4 });
    clock.nowMs += 1_000;
    await admit({ concurrency: 4 });
    const of = { kind: 'headroom', endpoint: 'shop', of: 'concurrency', limit: 4 };
    expect(events).toEqual([
      { ...of, left: 3 },
      { ...of, left: 0 },
    ]);
  });
});
