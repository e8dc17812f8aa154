import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import { MemoryCircuits } from './memory-circuits.ts';
import { type Delivery, Fleet, SimulatedTime, seeded } from './simulated-circuits.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };

interface Given {
  readonly environments: number;
  readonly deliver: (random: () => number) => Delivery;
  readonly settings?: EndpointSettings;
  readonly seed?: number;
  readonly tickMs?: number;
}

/** A fleet on the embedded store, or on one in memory where a simulation takes hours. */
async function setUp(
  { environments, deliver, settings = {}, seed = 1, tickMs = 5 }: Given,
  store: 'sqlite' | 'memory' = 'sqlite',
) {
  const time = new SimulatedTime(tickMs);
  const random = seeded(seed);
  const table = store === 'sqlite' ? sqliteTable(time) : memoryTable();
  await table.registry.create({ ...spec, settings });
  const fleet = new Fleet({ time, random, environments, table, deliver: () => deliver(random) });
  return { time, random, fleet };
}

function sqliteTable(clock: SimulatedTime) {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  return { circuits: createSqliteCircuitStore(db), registry: createSqliteEndpointRegistry(db, clock) };
}

function memoryTable() {
  const circuits = new MemoryCircuits();
  return { circuits, registry: circuits.registry };
}

/** So many milliseconds, give or take half of it. */
const about = (ms: number, random: () => number) => ms * (0.5 + random());

/** A handler of which a part of the requests fails, by chance. */
const failing =
  (part: number, { ms, failingMs = ms }: { readonly ms: number; readonly failingMs?: number }) =>
  (random: () => number): Delivery => {
    const fails = random() < part;
    return { ends: fails ? 'badly' : 'well', ms: about(fails ? failingMs : ms, random) };
  };

describe('a caller that calls one by one', () => {
  it('opens it with the threshold’s failure in a row, and with no other, whatever came before and how fast it calls', () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      fc.integer({ min: 5, max: 3_000 }),
      async (circuitFailures, outcomes, ms) => {
        const calls = [...outcomes, ...Array.from({ length: circuitFailures }, () => true)];
        const left = [...calls];
        const deliver = (): Delivery => ({ ends: left.shift() ? 'badly' : 'well', ms });
        const { time, fleet } = await setUp({ environments: 1, settings: { circuitFailures }, deliver });
        let row = 0;
        for (const fails of calls) {
          expect(await time.until(fleet.request(0))).toBe(fails ? 'badly' : 'well');
          row = fails ? row + 1 : 0;
          expect(fleet.open !== undefined).toBe(row === circuitFailures);
          if (row === circuitFailures) break;
        }
        expect(await time.until(fleet.request(0))).toBe('refused');
      },
    );
    return fc.assert(property, { numRuns: 25 });
  });

  it.each([
    [1, 300],
    [2, 600],
    [7, 300],
    [50, 300],
  ])('opens it with the fifth failure where %i environments take turns every %i ms', async (environments, everyMs) => {
    const { time, fleet } = await setUp({ environments, deliver: () => ({ ends: 'badly', ms: 20 }) });
    for (let call = 0; call < 5; call++) {
      expect(fleet.open).toBeUndefined();
      await time.until(fleet.request(call % environments));
      await time.pass(everyMs);
    }
    expect(fleet.open).toMatchObject({ streak: 5 });
  });

  it('opens it a second after the first failure where many environments take turns and all five come sooner', async () => {
    const { time, fleet } = await setUp({ environments: 100, deliver: () => ({ ends: 'badly', ms: 20 }) });
    const startedAt = time.now();
    for (let call = 0; fleet.open === undefined; call++) await time.until(fleet.request(call));
    expect(time.now() - startedAt).toBeGreaterThan(SECOND);
    expect(time.now() - startedAt).toBeLessThan(1.2 * SECOND);
  });
});

describe('an outage', () => {
  it.each([20, 200, 450])(
    'that 50 environments see, each after about %i ms, opens it within two seconds',
    async (ms) => {
      const { time, fleet } = await setUp({
        environments: 50,
        deliver: (random) => ({ ends: 'badly', ms: about(ms, random) }),
      });
      fleet.load(1_000);
      const startedAt = time.now();
      await time.pass(3 * SECOND);
      expect(fleet.openedAt).toHaveLength(1);
      expect(fleet.openedAt[0]! - startedAt).toBeLessThanOrEqual(2 * SECOND);
    },
  );

  it('of a fleet that served opens it within two seconds, lets one request a minute through, and closes it when it ends', async () => {
    let isDown = false;
    const deliver = (random: () => number): Delivery => ({ ends: isDown ? 'badly' : 'well', ms: about(40, random) });
    const { time, fleet } = await setUp({ environments: 50, deliver });
    fleet.load(500);
    await time.pass(20 * SECOND);
    expect(fleet.writes).toEqual([]);
    expect(fleet.counts.refused).toBe(0);

    isDown = true;
    const downAt = time.now();
    await time.pass(3 * SECOND);
    const [openedAt = 0] = fleet.openedAt;
    expect(openedAt - downAt).toBeLessThanOrEqual(2 * SECOND);
    await time.pass(3 * SECOND); // every view is newer than this
    const { badly } = fleet.counts;
    const writes = fleet.writes.length;
    await time.pass(4 * MINUTE);
    expect(fleet.counts.badly - badly).toBe(4);
    expect(fleet.writes.slice(writes).filter(({ isWritten }) => isWritten)).toHaveLength(2 * 4);

    isDown = false;
    const upAt = time.now();
    await time.pass(MINUTE + 3 * SECOND);
    expect(fleet.open).toBeUndefined();
    expect(fleet.events.at(-1)).toMatchObject({ from: 'probing', to: 'closed', why: 'the probe succeeded' });
    expect(fleet.events.at(-1)!.at - upAt).toBeLessThanOrEqual(MINUTE + SECOND);
    const { refused } = fleet.counts;
    await time.pass(10 * SECOND);
    expect(fleet.counts.refused).toBe(refused);
  });

  it('is written once a second by an environment until it is open, then for probes only', async () => {
    // So slow that it opens after some seconds.
    const deliver = (random: () => number): Delivery => ({ ends: 'badly', ms: about(900, random) });
    const { time, fleet } = await setUp({ environments: 50, settings: { circuitFailures: 1_000 }, deliver });
    fleet.load(1_000);
    await time.pass(30 * SECOND);
    const [openedAt = 0] = fleet.openedAt;
    const seconds = (openedAt - Date.UTC(2026, 0, 1)) / SECOND;
    expect(seconds).toBeGreaterThan(5);
    const written = fleet.writes.filter(({ isWritten, at }) => isWritten && at < openedAt);
    for (let environment = 0; environment < 50; environment++) {
      const times = written.filter((write) => write.environment === environment).map(({ at }) => at);
      const gaps = times.slice(1).map((at, index) => at - times[index]!);
      expect(gaps.filter((gap) => gap < 990)).toEqual([]); // its answer may come ten milliseconds sooner than the one before
    }
    expect(written.length).toBeGreaterThan(50);
    // Each attempt to write is one of three at most, or the last one of an environment, which learns that it is open.
    expect(fleet.writes.length).toBeLessThan(50 * (seconds + 1) * 3);
    expect(fleet.writes.filter(({ at }) => at > openedAt + 3 * SECOND)).toEqual([]);
  });
});

describe('failures by chance, 1 % of 1,000 requests a second,', () => {
  it('never open it in an hour', { timeout: 600_000 }, async () => {
    const given = { environments: 50, deliver: failing(0.01, { ms: 30 }), seed: 2, tickMs: 10 };
    const { time, fleet } = await setUp(given, 'memory');
    fleet.load(1_000);
    await time.pass(60 * MINUTE);
    expect(fleet.counts.well + fleet.counts.badly).toBeGreaterThan(3_500_000);
    expect(fleet.counts.badly).toBeGreaterThan(35_000);
    expect(fleet.openedAt).toEqual([]);
    // Of the failures alone: each may raise the streak and be forgotten again.
    const written = fleet.writes.filter(({ isWritten }) => isWritten);
    expect(written.length).toBeLessThan(2 * fleet.counts.badly);
  });

  it.each([
    { environments: 5, ms: 4 },
    { environments: 200, ms: 30 },
    { environments: 1_000, ms: 30 },
    { environments: 1_000, ms: 700 },
    { environments: 1_000, ms: 700, failingMs: 10 },
    { environments: 200, ms: 30, failingMs: 5_000 },
  ])('do not open it in a minute in $environments environments of $ms ms', async ({ environments, ...times }) => {
    const { time, fleet } = await setUp({ environments, deliver: failing(0.01, times) }, 'memory');
    fleet.load(1_000);
    await time.pass(MINUTE);
    expect(fleet.counts.badly).toBeGreaterThan(200);
    expect(fleet.openedAt).toEqual([]);
  });

  it('do not open it again after an outage, where failures are much faster than successes', async () => {
    let isDown = false;
    const chance = failing(0.02, { ms: 4_000, failingMs: 10 });
    const deliver = (random: () => number): Delivery => (isDown ? { ends: 'badly', ms: 10 } : chance(random));
    const { time, fleet } = await setUp({ environments: 800, deliver, settings: { circuitOpenMs: 10_000 } }, 'memory');
    fleet.load(150);
    await time.pass(30 * SECOND);
    const before = fleet.openedAt.length; // before the first success nobody knows better
    isDown = true;
    await time.pass(30 * SECOND);
    expect(fleet.openedAt).toHaveLength(before + 1);
    isDown = false;
    await time.pass(2 * MINUTE);
    expect(fleet.openedAt).toHaveLength(before + 1);
    expect(fleet.open).toBeUndefined();
  });
});

it('whatever happens, one request at most goes to a handler whose circuit is open, and it closes once that works', () => {
  const period = fc.record({
    handler: fc.constantFrom('works', 'is down', 'crashes environments', 'has no room'),
    table: fc.constantFrom('answers', 'answers', 'is down'),
    seconds: fc.integer({ min: 1, max: 90 }),
  });
  const property = fc.asyncProperty(
    fc.array(period, { maxLength: 6 }),
    fc.integer({ min: 2, max: 12 }),
    fc.integer(),
    async (periods, environments, seed) => {
      let handler: (typeof periods)[number]['handler'] = 'works';
      const ENDS = {
        works: 'well',
        'is down': 'badly',
        'crashes environments': 'with a crash',
        'has no room': 'unjudged',
      } as const;
      const deliver = (random: () => number): Delivery => ({ ends: ENDS[handler], ms: about(100, random) });
      const { time, fleet } = await setUp({ environments, deliver, seed, settings: { circuitOpenMs: 10_000 } });
      let tableIsBackAt = 0;
      let openSince: number | undefined;
      const found: string[] = [];
      fleet.onDelivery = () => {
        const { open } = fleet;
        openSince = open === undefined ? undefined : (openSince ?? time.now());
        // Views are up to five seconds old, and those of environments that had no requests older.
        const isKnown = openSince !== undefined && time.now() - Math.max(openSince, tableIsBackAt) > 12 * SECOND;
        if (isKnown && !fleet.isDown && fleet.running.size > 1) found.push(`${fleet.running.size} at ${time.now()}`);
      };
      fleet.load(environments * 4);
      for (const { seconds, table, ...more } of periods) {
        handler = more.handler;
        if (fleet.isDown && table === 'answers') tableIsBackAt = time.now();
        fleet.isDown = table === 'is down';
        await time.pass(seconds * SECOND);
      }
      handler = 'works';
      if (fleet.isDown) tableIsBackAt = time.now();
      fleet.isDown = false;
      // A lease of a probe that crashed, the time that it is open, and a view.
      await time.pass(35 * SECOND + 10 * SECOND + 10 * SECOND);
      const { refused, well } = fleet.counts;
      await time.pass(10 * SECOND);
      expect(found).toEqual([]);
      expect(fleet.open).toBeUndefined();
      expect(fleet.counts.refused).toBe(refused);
      expect(fleet.counts.well).toBeGreaterThan(well);
    },
  );
  return fc.assert(property, { numRuns: 25 });
});

it('direct calls go on while the table is down for five minutes, those to a handler that fails are refused, and all ends well', async () => {
  let isDown = false;
  const deliver = (random: () => number): Delivery => ({ ends: isDown ? 'badly' : 'well', ms: about(40, random) });
  const { time, fleet } = await setUp({ environments: 10, deliver });
  fleet.load(100);
  await time.pass(5 * SECOND);
  fleet.isDown = true;
  await time.pass(2 * MINUTE);
  expect(fleet.counts.refused).toBe(0);
  isDown = true;
  await time.pass(10 * SECOND);
  const { badly } = fleet.counts;
  await time.pass(MINUTE);
  // Each environment for itself: one probe in the minute.
  expect(fleet.counts.badly - badly).toBeLessThanOrEqual(20);
  isDown = false;
  await time.pass(MINUTE + 50 * SECOND);
  fleet.isDown = false;
  await time.pass(10 * SECOND);
  const { refused } = fleet.counts;
  await time.pass(MINUTE);
  expect(fleet.counts.refused).toBe(refused);
});
