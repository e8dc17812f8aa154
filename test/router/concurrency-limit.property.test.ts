import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createConcurrencyGate, SLOT_LEASE_MS } from '../../src/router/concurrency-gate.ts';
import type { Admitted, Refused } from '../../src/router/gate.ts';
import { type Fate, randomOf, SimulatedFleet } from './simulated-fleet.ts';

const ENVIRONMENTS = 50;
/** The longest delivery, and the most by which two clocks differ: together less than a lease. */
const DELIVERY_MS = 30_000;
const DIFFER_MS = 2_000;

/** What one environment does: as on Lambda, one request at a time. */
interface Work {
  readonly since: number;
  readonly admission: Promise<Admitted | Refused>;
  /** Set while it is being delivered. */
  admitted?: Admitted;
  /** Whether the store did not answer, so that it was let through without a slot. */
  unlimited: boolean;
}

/** Environments that start, end and crash deliveries, in front of a store whose answers get lost. */
class Fleet {
  readonly simulated: SimulatedFleet;
  private readonly works = new Map<number, Work>();
  private holders = 0;

  constructor(concurrency: number, random: () => number, fate: () => Fate) {
    this.simulated = new SimulatedFleet({
      environments: ENVIRONMENTS,
      settings: { concurrency },
      random,
      fate,
      latencyMs: () => Math.floor(random() * 50),
      skewMs: (environment) => Math.floor((environment / (ENVIRONMENTS - 1)) * DIFFER_MS),
      createGate: (deps) => createConcurrencyGate({ ...deps, newHolder: () => `holder-${++this.holders}` }),
    });
  }

  /** Deliveries that have a slot. */
  get limited(): number {
    return [...this.works.values()].filter(({ admitted, unlimited }) => admitted !== undefined && !unlimited).length;
  }

  start(environment: number): void {
    if (this.works.has(environment)) return;
    const before = this.simulated.unanswered(environment);
    const admission = this.simulated.start(environment);
    const work: Work = { since: this.simulated.now, admission, unlimited: false };
    this.works.set(environment, work);
    void admission.then((answer) => {
      if (this.works.get(environment) !== work) return; // it crashed while it asked
      if (answer.kind === 'refused') return this.works.delete(environment);
      work.admitted = answer;
      work.unlimited = this.simulated.unanswered(environment) > before;
    });
  }

  end(environment: number): void {
    const work = this.works.get(environment);
    const { admitted } = work ?? {};
    if (work === undefined || admitted === undefined) return;
    delete work.admitted;
    // Its answer is given, and the next request taken, once the slot is let go.
    void admitted.ended({ kind: 'succeeded' }).then(() => {
      if (this.works.get(environment) === work) this.works.delete(environment);
    });
  }

  crash(environment: number): void {
    this.works.delete(environment);
  }

  async advance(ms: number): Promise<void> {
    const until = this.simulated.now + ms;
    while (this.simulated.now < until) {
      const due = [...this.works.values()].map(({ since }) => since + DELIVERY_MS);
      const next = Math.min(until, ...due.filter((time) => time > this.simulated.now));
      await this.simulated.advance(next - this.simulated.now);
      for (const [environment, { since }] of this.works) {
        if (this.simulated.now - since >= DELIVERY_MS) this.end(environment);
      }
    }
  }

  /** How many of the environments get a slot, one after the other, when nothing runs. */
  async admittedOfAll(): Promise<number> {
    for (let environment = 0; environment < ENVIRONMENTS; environment++) {
      this.start(environment);
      await this.simulated.advance(200);
    }
    return this.limited;
  }
}

type Step = readonly ['start' | 'end' | 'crash', number] | readonly ['advance', number];

const environment = fc.integer({ min: 0, max: ENVIRONMENTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('start' as const), environment) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('end' as const), environment) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('crash' as const), environment) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('advance' as const), fc.oneof(fc.nat(100), fc.nat(20_000))) },
);

const FATES: readonly Fate[] = ['repeated', 'lost', 'made, answer lost'];

describe('a concurrency limit over 50 environments', () => {
  it('is never exceeded, whatever crashes and gets lost, and all of it is there again after a lease', async () => {
    const arbitrary = fc.record({
      concurrency: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 6, max: 40 })),
      steps: fc.array(step, { minLength: 20, maxLength: 200 }),
      seed: fc.integer(),
      losses: fc.constantFrom(0, 0.05, 0.3),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ concurrency, steps, seed, losses }) => {
        const random = randomOf(seed);
        let lossy = losses > 0;
        const fate = () => (lossy && random() < losses ? FATES[Math.floor(random() * FATES.length)]! : 'made');
        const fleet = new Fleet(concurrency, random, fate);
        for (const [kind, value] of steps) {
          if (kind === 'advance') await fleet.advance(value);
          else fleet[kind](value);
          expect(fleet.limited).toBeLessThanOrEqual(concurrency);
        }
        lossy = false;
        for (let each = 0; each < ENVIRONMENTS; each++) fleet.crash(each);
        await fleet.advance(SLOT_LEASE_MS + DIFFER_MS + 100);
        expect(await fleet.admittedOfAll()).toBe(concurrency);
        fleet.simulated.close();
      }),
      { numRuns: 40 },
    );
  });

  async function setUp(concurrency: number) {
    const fleet = new Fleet(concurrency, randomOf(1), () => 'made');
    expect(await fleet.admittedOfAll()).toBe(concurrency);
    return fleet;
  }

  it.each([1, 3, 16, 17, 40])(
    'lets %i run where that is the limit, and another one when one has ended',
    async (concurrency) => {
      const fleet = await setUp(concurrency);
      fleet.end(0);
      await fleet.advance(1_000);
      fleet.start(49);
      await fleet.advance(1_000);
      expect(fleet.limited).toBe(concurrency);
      fleet.simulated.close();
    },
  );

  it('frees the slot of an environment that crashed when its lease is over, and not before', async () => {
    const fleet = await setUp(1);
    fleet.crash(0);
    await fleet.simulated.advance(SLOT_LEASE_MS - 200 * ENVIRONMENTS - DIFFER_MS - 100);
    fleet.start(49);
    await fleet.simulated.advance(200);
    expect(fleet.limited).toBe(0);
    await fleet.simulated.advance(DIFFER_MS + 200);
    fleet.start(0);
    await fleet.simulated.advance(200);
    expect(fleet.limited).toBe(1);
    fleet.simulated.close();
  });

  it('costs two writes and one read for each delivery where there is room', async () => {
    const fleet = await setUp(40);
    expect(fleet.simulated.writes).toBe(40);
    for (let environment = 0; environment < 40; environment++) fleet.end(environment);
    await fleet.advance(1_000);
    expect(fleet.simulated.writes).toBe(80);
    fleet.simulated.close();
  });
});
