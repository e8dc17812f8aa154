import type { LimitStore } from './ports.ts';
import type { StoredRate } from './rate-limits.ts';
import type { StoreReach } from './store-reach.ts';
import { createTokenLease, type TokenLease } from './token-lease.ts';

/** What a start gets of a limit. */
export type BucketAnswer =
  | { readonly kind: 'token'; giveBack(): void }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'none'; readonly retryAfterMs: number };

/** One limit, as one environment has it. */
export interface RateBucket {
  /** Gives a token to a start that came now. Asks the store once at most, and one ask serves all that wait. */
  take(): Promise<BucketAnswer>;
  /** Tokens that are known to be there: an estimate, since the others take some. */
  left(): number;
}

export interface RateBucketDeps {
  readonly store: Pick<LimitStore, 'takeTokens'>;
  readonly reach: StoreReach;
  /** Microseconds since the epoch. */
  readonly nowUs: () => number;
  readonly random: () => number;
}

/** Makes one; `key` names the limit in the store. */
export function createRateBucket(key: string, rate: StoredRate, deps: RateBucketDeps): RateBucket {
  const { store, reach, nowUs, random } = deps;
  const items = Array.from({ length: rate.items }, (_, item) => ({
    key: `${key}#${item}`,
    lease: createTokenLease(rate, random),
  }));
  let turn = Math.floor(random() * items.length);
  let asking: Promise<boolean> | undefined;
  let waiting = 0;

  function use(arrivedUs: number): BucketAnswer | undefined {
    for (const { lease } of items) {
      const token = lease.use(arrivedUs);
      if (token !== undefined) return { kind: 'token', giveBack: () => lease.giveBack(token) };
    }
    return undefined;
  }

  /** The item whose turn it is, of those that may have a token. */
  function toAsk(arrivedUs: number): (typeof items)[number] | undefined {
    for (let step = 0; step < items.length; step++) {
      const item = items[(turn + step) % items.length]!;
      if (item.lease.waitUntilUs > arrivedUs) continue;
      turn = (turn + step + 1) % items.length;
      return item;
    }
    return undefined;
  }

  /** In the name of a start that came then. False where the store could not be reached. */
  async function ask({ key, lease }: { key: string; lease: TokenLease }, arrivedUs: number): Promise<boolean> {
    const wish = lease.ask(arrivedUs, waiting);
    const answered = await reach.call((signal) => store.takeTokens(key, wish, signal));
    if (answered !== undefined) lease.answered(wish, answered.value);
    return answered !== undefined;
  }

  function none(arrivedUs: number): BucketAnswer {
    const nextUs = Math.min(...items.map(({ lease }) => lease.waitUntilUs));
    return { kind: 'none', retryAfterMs: Math.max(1, Math.ceil((nextUs - arrivedUs) / 1_000)) };
  }

  return {
    async take() {
      const arrivedUs = nowUs();
      for (const { lease } of items) lease.arrived();
      for (let asked = false; ; ) {
        const token = use(arrivedUs);
        if (token !== undefined) return token;
        let reached: boolean;
        if (asking !== undefined) {
          waiting++;
          reached = await asking;
          waiting--;
        } else {
          const item = asked ? undefined : toAsk(arrivedUs);
          if (item === undefined) return none(arrivedUs);
          asked = true;
          asking = ask(item, arrivedUs).finally(() => {
            asking = undefined;
          });
          reached = await asking;
        }
        if (!reached) return { kind: 'unreachable' };
      }
    },
    left() {
      const now = nowUs();
      return items.reduce((sum, { lease }) => sum + lease.left(now), 0);
    },
  };
}
