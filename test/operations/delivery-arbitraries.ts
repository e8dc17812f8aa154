import fc from 'fast-check';
import type { AttemptResult, CompletionResult } from '../../src/operations/transitions.ts';

export const SUCCESS = (at: number): AttemptResult => ({
  kind: 'ended',
  outcome: { state: 'succeeded', payload: { data: '' }, links: [], at },
});

/** What may come of an attempt whose handler answers. */
export const attemptResult: fc.Arbitrary<(at: number) => AttemptResult> = fc.constantFrom<
  ((at: number) => AttemptResult)[]
>(
  SUCCESS,
  (at) => ({ kind: 'ended', outcome: { state: 'failed', failure: { message: 'no' }, links: [], at } }),
  (at) => ({ kind: 'ended', outcome: { state: 'canceled', failure: { message: 'stopped' }, links: [], at } }),
  () => ({ kind: 'handed-over', token: 'inner', links: [] }),
  () => ({ kind: 'failed', retryable: true, message: 'later', failure: { message: 'later' } }),
  () => ({ kind: 'failed', retryable: false, message: 'never', failure: { message: 'never' } }),
  () => ({ kind: 'crashed' }),
);

/** What may come of a completion. */
export const completionResult: fc.Arbitrary<CompletionResult> = fc.constantFrom(
  { kind: 'delivered' },
  { kind: 'retry', message: '503' },
  { kind: 'refused', message: '404' },
  { kind: 'dead-lettered', message: '400' },
);
