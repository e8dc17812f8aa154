import fc from 'fast-check';
import type { CompletionResult } from '../../src/operations/completion-transitions.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';

export const SUCCESS = (at: number): AttemptResult => ({
  kind: 'ended',
  outcome: { state: 'succeeded', payload: { data: '' }, links: [], at },
});

/** What may come of an attempt. */
export const ATTEMPT_RESULTS = {
  succeeds: SUCCESS,
  fails: (at: number) => ({ kind: 'ended', outcome: { state: 'failed', failure: { message: 'no' }, links: [], at } }),
  cancels: (at: number) => ({
    kind: 'ended',
    outcome: { state: 'canceled', failure: { message: 'stopped' }, links: [], at },
  }),
  'hands over': () => ({ kind: 'handed-over', token: 'inner', links: [] }),
  'wants another': () => ({ kind: 'failed', retryable: true, message: 'later', failure: { message: 'later' } }),
  'wants no other': () => ({ kind: 'failed', retryable: false, message: 'never', failure: { message: 'never' } }),
  crashes: () => ({ kind: 'crashed' }),
} as const satisfies Record<string, (at: number) => AttemptResult>;

/** By name, so that a counterexample can be read. */
export const attemptResult = fc.constantFrom(...(Object.keys(ATTEMPT_RESULTS) as (keyof typeof ATTEMPT_RESULTS)[]));

/** What may come of a completion. */
export const completionResult: fc.Arbitrary<CompletionResult> = fc.constantFrom(
  { kind: 'delivered' },
  { kind: 'retry', message: '503' },
  { kind: 'refused', message: '404' },
  { kind: 'dead-lettered', message: '400' },
);
