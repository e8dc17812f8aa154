import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompletionResult } from '../../src/operations/completion-transitions.ts';
import { ATTEMPT_RESULTS, attemptResult, completionResult } from './delivery-arbitraries.ts';
import { type Fate, LEASE_MS, SimulatedOperations } from './simulated-operations.ts';

type Step =
  | { readonly do: 'let a call go'; readonly index: number; readonly fate: Fate; readonly results: Results }
  | { readonly do: 'deliver a wake-up' | 'deliver a completion'; readonly index: number; readonly keep: boolean }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'start' | 'cancel' | 'reconcile' | 'restart' };

/** Of handlers and callbacks, where the call is one to them. */
interface Results {
  readonly attempt: keyof typeof ATTEMPT_RESULTS;
  readonly completion: CompletionResult;
}

const index = fc.nat(5);
const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>('made') },
  { weight: 1, arbitrary: fc.constant<Fate>('lost') },
  { weight: 1, arbitrary: fc.constant<Fate>('made, answer lost') },
);
const results = fc.record({ attempt: attemptResult, completion: completionResult });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('let a call go' as const), index, fate, results }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('deliver a wake-up' as const, 'deliver a completion' as const),
      index,
      keep: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(500, 1_000, LEASE_MS, 10 * LEASE_MS, 3_600_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('start' as const, 'cancel' as const, 'reconcile' as const, 'restart' as const),
    }),
  },
);

async function take(operations: SimulatedOperations, step: Step): Promise<void> {
  switch (step.do) {
    case 'let a call go':
      operations.nextResult = ATTEMPT_RESULTS[step.results.attempt];
      operations.nextCompletion = step.results.completion;
      return operations.step(step.index, step.fate);
    case 'deliver a wake-up':
      return operations.wake(step.index, step.keep);
    case 'deliver a completion':
      return operations.complete(step.index, step.keep);
    case 'wait':
      return operations.advance(step.ms);
    default:
      return operations[step.do]();
  }
}

const world = fc.record({
  callback: fc.boolean(),
  isBusy: fc.boolean(),
  expiresInMs: fc.option(fc.integer({ min: 1, max: 2 * 3_600_000 }), { nil: undefined }),
});

describe('operations on a store whose calls interleave and fail', () => {
  it('end, have one outcome, send nothing else, and take back nothing that was written', async () => {
    const story = fc.array(step, { maxLength: 80, size: 'max' });
    const play = fc.asyncProperty(world, story, async (options, steps) => {
      const operations = new SimulatedOperations(options);
      try {
        operations.start();
        for (const one of steps) await take(operations, one);
        await operations.settle();
        check(operations);
      } finally {
        await operations.close();
      }
    });
    await fc.assert(play, { numRuns: Number(process.env.RUNS ?? 500) });
  });
});

function check({ isSettled, history, posted, tokens, runs, record }: SimulatedOperations): void {
  expect(isSettled).toBe(true);
  expect(tokens.size).toBeLessThanOrEqual(1);
  for (const [i, now] of history.entries()) {
    const before = history[i - 1];
    if (before === undefined) continue;
    expect(now.version).toBeGreaterThan(before.version);
    expect(now.attempt).toBeGreaterThanOrEqual(before.attempt);
    expect(now.cancelRequestedAt).toBe(before.cancelRequestedAt ?? now.cancelRequestedAt);
    expect(now.outcome).toEqual(before.outcome ?? now.outcome);
    expect(now.innerToken).toBe(before.innerToken ?? now.innerToken);
  }
  for (const one of posted) expect(one).toBe(JSON.stringify(record?.outcome));
  const attempts = runs.map(({ process, attempt }) => `${process} ${attempt}`);
  expect(new Set(attempts).size).toBe(attempts.length);
  if (record?.outcome?.state === 'succeeded') expect(runs.map(({ result }) => result?.kind)).toContain('ended');
}
