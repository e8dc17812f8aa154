import type { Logger } from '../handler/logger.ts';
import type { Clock } from './ports.ts';

/** How long a request waits for the store of limits: beyond that, it is let through. */
const PATIENCE_MS = 300;

/** After a call that failed, none is made for so long: a store that is down must not cost every request its wait. */
const RETRY_AFTER_MS = 5_000;

const LOG_EVERY_MS = 60_000;

export interface StoreReachDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The store of limits as one environment reaches it: in time, or not at all. */
export interface StoreReach {
  /** What the call resolves to; `undefined` where it failed, took too long, or was not made since one before it did. Never rejects. */
  call<T>(
    ask: (signal: AbortSignal) => Promise<T>,
    options?: {
      /** Made in any case: others wait for what it gives back. */
      readonly isOwed?: boolean;
    },
  ): Promise<{ readonly value: T } | undefined>;
}

/** Makes it. That starts are let through unlimited is said in the log, at most once a minute. */
export function createStoreReach({ clock, logger }: StoreReachDeps): StoreReach {
  let failedAt = Number.NEGATIVE_INFINITY;
  let loggedAt = Number.NEGATIVE_INFINITY;

  /** A clock that was set back must not put a call off. */
  const isWithin = (time: number, ms: number) => clock.now() >= time && clock.now() - time < ms;

  function failed(error: unknown): void {
    failedAt = clock.now();
    if (isWithin(loggedAt, LOG_EVERY_MS)) return;
    loggedAt = failedAt;
    logger.warn('the store of limits could not be reached; starts are let through unlimited', { error });
  }

  return {
    async call(ask, { isOwed = false } = {}) {
      if (!isOwed && isWithin(failedAt, RETRY_AFTER_MS)) return undefined;
      const abort = new AbortController();
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => {
        const error = new Error(`no answer within ${PATIENCE_MS} ms`);
        late.reject(error);
        abort.abort(error);
      }, PATIENCE_MS);
      try {
        return { value: await Promise.race([ask(abort.signal), late.promise]) };
      } catch (error) {
        failed(error);
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
