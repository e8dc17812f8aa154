/*
 * A rate limit in its stored form. A token is minted every `intervalUs`, lets one start through, and is gone `lifeUs` after
 * it was minted: the generic cell rate algorithm, told by the tokens. Those that are let through in a window were minted
 * in it or at most one life before it, so they are at most (window + life) / interval + 1, which is rate × window + burst.
 * That is so whoever uses a token, and when in its life: what is taken ahead, for later, breaks nothing.
 *
 * Times are whole microseconds since the epoch: sums of them are exact, here and in every store.
 */

/** The rate of one stored item. */
export interface TokenRate {
  /** Between two tokens, rounded up. */
  readonly intervalUs: number;
  /** How long a token may be used: (burst - 1) intervals. */
  readonly lifeUs: number;
}

/** A wish for tokens that follow each other. */
export interface TokenAsk extends TokenRate {
  readonly nowUs: number;
  /** 1 or more. The first must be minted by now; those after it may be minted when they are due. */
  readonly count: number;
  /** Of its life, what the first one must have left: what is used over a while would not last otherwise. */
  readonly leftUs: number;
  /** What was stored when the asker last looked. It may save the store a read, and decides nothing. */
  readonly seenUs?: number;
}

/** What became of it. `nextUs` is what is stored by then: when the next token that nobody has is minted. */
export type TokenAnswer =
  | { readonly kind: 'taken'; readonly firstUs: number; readonly nextUs: number }
  | { readonly kind: 'refused'; readonly nextUs: number };

/**
 * The most that one wish takes of the time ahead, in tokens that are not minted yet: what is taken and not used is lost to
 * the others.
 */
export const SLICE_US = 100_000;

/**
 * What is stored may be ahead of a clock by an interval, by the tokens that were taken for later, and by the difference of
 * two clocks. Further ahead, it was written by a clock that is wrong or under a much lower rate, and counts no more.
 */
export const MOST_AHEAD_US = SLICE_US + 5_000_000;

/** Takes tokens from what is stored; from `undefined` where nothing is, as after a long quiet. */
export function takeTokens(storedUs: number | undefined, ask: TokenAsk): TokenAnswer {
  const { nowUs, intervalUs, count } = ask;
  const firstUs = isTooFar(storedUs, ask) ? nowUs : Math.max(storedUs ?? 0, oldestUs(ask));
  return firstUs > nowUs
    ? { kind: 'refused', nextUs: firstUs }
    : { kind: 'taken', firstUs, nextUs: firstUs + count * intervalUs };
}

/** When the oldest token was minted that an ask may take. */
export function oldestUs({ nowUs, lifeUs, leftUs }: TokenAsk): number {
  return nowUs - lifeUs + leftUs;
}

function isTooFar(storedUs: number | undefined, { nowUs, intervalUs }: TokenAsk): boolean {
  return storedUs !== undefined && storedUs > nowUs + intervalUs + MOST_AHEAD_US;
}
