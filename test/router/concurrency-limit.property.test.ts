import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createConcurrencyGate, SLOT_LEASE_MS } from '../../src/router/concurrency-gate.ts';
import type { Admitted, Refused } from '../../src/router/gate.ts';
import { createOutlivingSlot, type OutlivingSlot } from '../../src/router/outliving-slot.ts';
import type { LimitStore } from '../../src/router/ports.ts';
import { CLOCKS_DIFFER_MS } from '../../src/router/slots.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { type Fate, randomOf, SimulatedFleet } from './simulated-fleet.ts';

const ENVIRONMENTS = 50;
/** How long a handler runs at most whose caller was answered without it, and how often it looks. */
const FUNCTION_MS = 120_000;
const LOOK_MS = 1_000;
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

/** A handler that goes on, when its router has answered with a token. */
interface Outliving {
  readonly since: number;
  readonly until: number;
  readonly slot: OutlivingSlot;
  /** Whether the store has said that the slot is kept; where it never does, the slot is lost with its lease. */
  kept: boolean;
}

/** Environments that start, end and crash deliveries, in front of a store whose answers get lost. */
class Fleet {
  readonly simulated: SimulatedFleet;
  private readonly works = new Map<number, Work>();
  private readonly outliving: Outliving[] = [];
  private readonly store: LimitStore;
  private readonly logger = recordingLogger().logger;
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
    this.store = this.simulated.remoteStore();
  }

  /** Deliveries that have a slot, and handlers that go on with one. */
  get limited(): number {
    const delivered = [...this.works.values()].filter(
      ({ admitted, unlimited }) => admitted !== undefined && !unlimited,
    );
    return delivered.length + this.outliving.length;
  }

  /** The router answers, and its environment takes another request; the handler goes on, and may be ended or crash. */
  promote(environment: number): void {
    const { admitted, unlimited, since = 0 } = this.works.get(environment) ?? {};
    if (admitted === undefined) return;
    const { slot, ended } = admitted;
    slot?.leave();
    void ended({ kind: 'unjudged' });
    this.works.delete(environment);
    if (slot === undefined || unlimited) return;
    const until = this.simulated.now + FUNCTION_MS;
    const { store, logger } = this;
    const extendSlot: LimitStore['extendSlot'] = async (...given) => {
      await store.extendSlot(...given);
      outliving.kept = true;
    };
    const outliving: Outliving = {
      ...{ since, until, kept: false },
      slot: createOutlivingSlot({
        ...{ store: { ...store, extendSlot }, lease: slot.lease, until: until + CLOCKS_DIFFER_MS, logger },
      }),
    };
    this.outliving.push(outliving);
  }

  endHandler(index: number): void {
    const [ended] = this.outliving.splice(index % Math.max(1, this.outliving.length), 1);
    void ended?.slot.free();
  }

  crashHandler(index: number): void {
    this.outliving.splice(index % Math.max(1, this.outliving.length), 1);
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
      const looks = this.outliving.length > 0 ? [this.simulated.now + LOOK_MS] : [];
      const next = Math.min(until, ...looks, ...due.filter((time) => time > this.simulated.now));
      for (const { slot } of this.outliving) void slot.keep();
      await this.simulated.advance(next - this.simulated.now);
      const { now } = this.simulated;
      const isLost = ({ kept, since }: Outliving) => !kept && now - since >= SLOT_LEASE_MS - DIFFER_MS;
      for (const over of this.outliving.filter((one) => one.until <= now || isLost(one))) {
        this.outliving.splice(this.outliving.indexOf(over), 1);
      }
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

type Step =
  | readonly ['start' | 'end' | 'crash' | 'promote' | 'endHandler' | 'crashHandler', number]
  | readonly ['advance', number];

const environment = fc.integer({ min: 0, max: ENVIRONMENTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('start' as const), environment) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('end' as const), environment) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('crash' as const), environment) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('promote' as const), environment) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('endHandler' as const, 'crashHandler' as const), fc.nat(50)) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('advance' as const), fc.oneof(fc.nat(100), fc.nat(20_000), fc.nat(60_000))),
  },
);

const FATES: readonly Fate[] = ['repeated', 'lost', 'made, answer lost'];

describe('a concurrency limit over 50 environments', () => {
  it('is never exceeded, whatever crashes and gets lost, and all of it is there again after a lease', async () => {
    const arbitrary = fc.record({
      concurrency: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 6, max: 40 })),
      steps: fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }),
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
        await fleet.advance(FUNCTION_MS + CLOCKS_DIFFER_MS + SLOT_LEASE_MS + DIFFER_MS + 100);
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

  it('has the slot of a promoted operation stay with it until it ends, or its function would have', async () => {
    const fleet = await setUp(2);
    fleet.promote(0);
    fleet.promote(1);
    await fleet.advance(FUNCTION_MS - 10_000);
    fleet.start(49);
    await fleet.advance(1_000);
    expect(fleet.limited).toBe(2);
    fleet.endHandler(0);
    fleet.crashHandler(0);
    await fleet.advance(1_000);
    fleet.start(48);
    await fleet.advance(1_000);
    fleet.start(47);
    await fleet.advance(1_000);
    expect(fleet.limited).toBe(1);
    await fleet.advance(20_000);
    fleet.start(46);
    await fleet.advance(1_000);
    expect(fleet.limited).toBe(2);
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
