import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTEMPT_RESULTS, attemptResult, completionResult as completion } from './delivery-arbitraries.ts';
import { LEASE_MS, SimulatedDelivery } from './simulated-delivery.ts';

const index = fc.nat(5);
const crash = fc.boolean();

type Step = (delivery: SimulatedDelivery) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ index, keep: fc.boolean(), crash, completion }).map(
      ({ index, ...how }): Step =>
        (d) =>
          d.deliver(index, how),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(index, attemptResult, crash).map(
      ([i, outcome, crash]): Step =>
        (d) =>
          d.finish(i, ATTEMPT_RESULTS[outcome](d.now), { crash }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(500, 1_000, LEASE_MS, 10 * LEASE_MS, 3_600_000).map(
      (ms): Step =>
        (d) =>
          d.advance(ms),
    ),
  },
  {
    weight: 2,
    arbitrary: crash.map(
      (crash): Step =>
        (d) =>
          d.reconcile(crash),
    ),
  },
  {
    weight: 1,
    arbitrary: crash.map(
      (crash): Step =>
        (d) =>
          d.cancel(crash),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((d) => d.retryByHand()) },
);

const world = fc.record({
  callback: fc.boolean(),
  isBusy: fc.boolean(),
  expiresInMs: fc.option(fc.integer({ min: 1, max: 4 * 3_600_000 }), { nil: undefined }),
});

/** Any steps in any order, with crashes after any write and messages that come twice, late or never. */
const story = fc.tuple(world, fc.array(step, { maxLength: 60 }), fc.double({ min: 0, max: 1, noNaN: true }));

function play(
  [options, steps, random]: [{ callback: boolean; isBusy: boolean; expiresInMs: number | undefined }, Step[], number],
  after?: Step,
) {
  const delivery = new SimulatedDelivery(options);
  delivery.random = random;
  for (const one of steps) {
    one(delivery);
    after?.(delivery);
  }
  return delivery;
}

describe('an operation that is delivered durably', () => {
  it('never has two outcomes, and never sends one that it has not', () => {
    fc.assert(
      fc.property(story, (told) => {
        const delivery = play(told);
        delivery.settle();
        expect(delivery.outcomes.size).toBeLessThanOrEqual(1);
        expect(new Set(delivery.posted).size).toBeLessThanOrEqual(1);
        for (const posted of delivery.posted) expect(delivery.outcomes).toContain(posted);
      }),
      { numRuns: 3_000 },
    );
  });

  it('is never lost: left alone, it ends, or goes on where it was handed over', () => {
    fc.assert(
      fc.property(story, (told) => {
        const delivery = play(told);
        delivery.settle();
        expect(delivery.isSettled).toBe(true);
        const { record } = delivery;
        if (record.state === 'ended' && record.callback && record.completion?.state === 'delivered') {
          expect(delivery.posted).not.toEqual([]);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('succeeds only where a handler that held its claim said so', () => {
    fc.assert(
      fc.property(story, (told) => {
        const delivery = play(told);
        const { outcome } = delivery.record;
        if (outcome?.state === 'succeeded') expect(delivery.reported).toContain('ended');
      }),
      { numRuns: 1_000 },
    );
  });

  it('never counts an attempt twice, and knows what to look at next while it is not done', () => {
    fc.assert(
      fc.property(story, (told) => {
        let last = 0;
        play(told, ({ record, isSettled, now }) => {
          expect(record.attempt).toBeGreaterThanOrEqual(last);
          expect(record.attempt - last).toBeLessThanOrEqual(last === 0 ? 1 : 2);
          last = record.attempt;
          const isDeadLettered = record.state === 'dead-lettered' && record.deadLetter !== 'pending';
          const waitsForAPerson = isDeadLettered && record.expiresAt === undefined;
          if (!isSettled && !waitsForAPerson) expect(record.dueAt).toBeGreaterThan(now - 30 * 86_400_000);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it('ends as canceled where it was canceled before it ran, and its handler never runs', () => {
    fc.assert(
      fc.property(world, crash, (options, crashed) => {
        const delivery = new SimulatedDelivery({ ...options, expiresInMs: undefined });
        delivery.cancel(crashed);
        delivery.settle();
        expect(delivery.record.outcome?.state).toBe('canceled');
        expect(delivery.runs).toEqual([]);
      }),
    );
  });
});
