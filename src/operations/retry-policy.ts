/** How an operation's attempts follow each other. */
export interface RetryPolicy {
  /** Milliseconds before the second attempt; doubles with each. */
  readonly initialMs: number;
  /** Longest time between two attempts, in milliseconds. */
  readonly maxMs: number;
  /** After so many attempts the operation fails; absent: until its own timeout. */
  readonly attempts?: number;
  /** After so many attempts that never ended it is dead-lettered. */
  readonly poisonAttempts: number;
}

/** Temporal's own policy for Nexus operations, whose retries end with the operation. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = { initialMs: 1_000, maxMs: 3_600_000, poisonAttempts: 5 };

/** The longest that SQS holds a message back (`DelaySeconds`). */
export const LONGEST_DELAY_MS = 900_000;

/** A fifth is taken off at most, as Temporal does: what failed together is not tried again together. */
const JITTER = 0.2;

/**
 * Milliseconds between the end of an attempt and the next one.
 *
 * @param attempt the one that failed, counted from 1
 * @param random from 0 to 1
 * @param askedMs what whoever failed asks to be left alone for; it gets that, up to `maxMs`
 */
export function retryDelayMs(attempt: number, { initialMs, maxMs }: RetryPolicy, random: number, askedMs = 0): number {
  // 2 ** 1000 is not a number any more that anything can be compared with.
  const grown = initialMs * 2 ** Math.min(attempt - 1, 50);
  const own = Math.min(grown, maxMs) * (1 - JITTER * random);
  // Added here: many are asked for the same time, and none may come before it.
  const asked = Math.min(askedMs * (1 + JITTER * random), maxMs);
  return Math.round(Math.max(own, asked));
}
