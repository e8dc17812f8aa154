import { MOST_AHEAD_US, SLICE_US, type TokenAnswer, type TokenAsk, type TokenRate } from './tokens.ts';

/**
 * What one environment has of one stored item: tokens that it took for starts to come, and until when it knows that there
 * are none. Decisions only; `now` is passed in, in microseconds.
 */
export interface TokenLease {
  /** A start came, and will ask for a token. */
  arrived(): void;
  /** A token for a start that came then, given by when it was minted; `undefined` where there is none here. */
  use(nowUs: number): number | undefined;
  /** Takes back a token whose start was not delivered. */
  giveBack(mintedUs: number): void;
  /** When it makes sense to ask the store, or to come again. */
  readonly waitUntilUs: number;
  /** What to ask the store for. `waiting` starts wait for the answer, besides the one that asks. */
  ask(nowUs: number, waiting: number): TokenAsk;
  answered(ask: TokenAsk, answer: TokenAnswer): void;
  /** Tokens that are known to be there at this time, here and in the store. */
  left(nowUs: number): number;
}

/** Tokens are taken for what comes in so long, and in three quarters of their life, at most: then they are gone. */
const AHEAD_US = 500_000;

/** An environment that was refused waits up to so much longer than it must, so that not all ask at the same moment. */
const FIRST_DELAY_US = 250_000;

/** Refused again and again, it waits up to this long: as long it does not learn that there are tokens again. */
const LONGEST_DELAY_US = 2_000_000;

/** Makes one that has no tokens. `random` returns numbers from 0 up to 1. */
export function createTokenLease(rate: TokenRate, random: () => number): TokenLease {
  const { intervalUs, lifeUs } = rate;
  const aheadUs = Math.min(AHEAD_US, Math.floor((lifeUs * 3) / 4));
  let slice = { firstUs: 0, count: 0 };
  let returned: number[] = [];
  let seenUs: number | undefined;
  let askedUs: number | undefined;
  let arrivals = 0;
  let lastCount = 0;
  let refusals = 0;
  let waitUntilUs = 0;

  /** A clock that was set back must not keep starts waiting. */
  function forgetFarTimes(nowUs: number): void {
    const farUs = nowUs + 2 * intervalUs + MOST_AHEAD_US + LONGEST_DELAY_US;
    if (slice.firstUs > farUs) slice = { firstUs: 0, count: 0 };
    if (waitUntilUs > farUs) waitUntilUs = 0;
  }

  const isUsable = (mintedUs: number, nowUs: number) => mintedUs <= nowUs && nowUs <= mintedUs + lifeUs;

  function dropExpired(nowUs: number): void {
    const expired = Math.ceil((nowUs - lifeUs - slice.firstUs) / intervalUs);
    if (expired <= 0) return;
    slice = { firstUs: slice.firstUs + expired * intervalUs, count: Math.max(0, slice.count - expired) };
  }

  /** How many to ask for: what comes in the time that they are taken for, growing step by step. */
  function wanted(nowUs: number, waiting: number): { count: number; overUs: number } {
    const elapsedUs = Math.max(1, nowUs - (askedUs ?? Number.NEGATIVE_INFINITY));
    const expected = (arrivals * aheadUs) / elapsedUs;
    // By chance it will be fewer; what is not used is lost to the others.
    const likely = Math.floor(expected - Math.sqrt(expected));
    const most = Math.max(1, Math.floor(Math.min(SLICE_US, lifeUs) / intervalUs));
    const count = Math.max(1, Math.min(Math.max(waiting + 1, Math.min(likely, 2 * lastCount + 1)), most));
    return {
      count,
      overUs: count === 1 ? 0 : Math.min(aheadUs, Math.ceil((count * elapsedUs) / Math.max(1, arrivals))),
    };
  }

  return {
    arrived() {
      arrivals++;
    },
    use(nowUs) {
      forgetFarTimes(nowUs);
      returned = returned.filter((mintedUs) => nowUs <= mintedUs + lifeUs);
      const again = returned.findIndex((mintedUs) => isUsable(mintedUs, nowUs));
      if (again >= 0) return returned.splice(again, 1)[0];
      dropExpired(nowUs);
      const { firstUs, count } = slice;
      if (count === 0 || !isUsable(firstUs, nowUs)) return undefined;
      slice = { firstUs: firstUs + intervalUs, count: count - 1 };
      return firstUs;
    },
    giveBack(mintedUs) {
      returned.push(mintedUs);
    },
    get waitUntilUs() {
      return slice.count > 0 ? slice.firstUs : waitUntilUs;
    },
    ask(nowUs, waiting) {
      const { count, overUs } = wanted(nowUs, waiting);
      askedUs = nowUs;
      arrivals = 0;
      return { intervalUs, lifeUs, nowUs, count, leftUs: overUs, ...(seenUs !== undefined && { seenUs }) };
    },
    answered({ nowUs, count }, answer) {
      seenUs = answer.nextUs;
      waitUntilUs = answer.nextUs;
      if (answer.kind === 'taken') {
        slice = { firstUs: answer.firstUs, count };
        lastCount = count;
        refusals = 0;
        return;
      }
      const first = Math.max(intervalUs, Math.min(FIRST_DELAY_US, Math.floor(lifeUs / 4)));
      const delayUs = Math.min(first * 2 ** refusals, Math.max(intervalUs, LONGEST_DELAY_US));
      refusals++;
      waitUntilUs = Math.max(nowUs, answer.nextUs) + Math.floor(random() * delayUs);
    },
    left(nowUs) {
      const inStore = Math.floor((nowUs - Math.max(seenUs ?? 0, nowUs - lifeUs)) / intervalUs) + 1;
      return Math.max(0, inStore) + slice.count + returned.length;
    },
  };
}
