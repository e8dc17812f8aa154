import { change, completeAt, type Moment } from './next-version.ts';
import type { OperationRecord, Transition } from './record.ts';
import { DEFAULT_RETRY_POLICY, retryDelayMs } from './retry-policy.ts';

/** How a completion fared at the caller's callback. */
export type CompletionResult =
  | { readonly kind: 'delivered' }
  /** The caller does not want it, now or ever. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Something has to be mended before it can be delivered. */
  | { readonly kind: 'dead-lettered'; readonly message: string }
  | {
      readonly kind: 'retry';
      readonly message: string;
      /** What the caller's side asks to be left alone for (`Retry-After`), in milliseconds. */
      readonly retryAfterMs?: number;
    };

export function completionAttempted(
  record: OperationRecord,
  { result, now, random }: Moment & { readonly result: CompletionResult },
): Transition | undefined {
  const { completion } = record;
  if (completion?.state !== 'pending') return undefined;
  const attempts = completion.attempts + 1;
  switch (result.kind) {
    case 'delivered':
      return change(record, { completion: { ...completion, state: 'delivered', attempts } }, [], now);
    case 'refused':
    case 'dead-lettered': {
      const { kind: state, message: lastFailure } = result;
      return change(record, { completion: { ...completion, state, attempts, lastFailure } }, [], now);
    }
    case 'retry': {
      // The endpoint's policy is for its handler; this is the caller's side.
      const delayMs = retryDelayMs(attempts, DEFAULT_RETRY_POLICY, random, result.retryAfterMs);
      const nextAttemptAt = now + delayMs;
      const { message: lastFailure } = result;
      const next = { ...completion, attempts, nextAttemptAt, lastFailure };
      return change(record, { completion: next, wakeUps: 0 }, [completeAt(nextAttemptAt, now)], now);
    }
  }
}
