import { isAtRest } from './circuit.ts';
import type { Clock, Endpoint, EndpointRegistry } from './ports.ts';

/** Younger than this, an endpoint is used as it is: changes reach every environment within seconds. */
export const SOFT_AGE_MS = 5_000;

/** The same for one whose circuit is open, or that failed lately: a success is to end a streak, and a probe the pause. */
export const UNSETTLED_SOFT_AGE_MS = 2_000;

/**
 * Older than this, it is read again before it is used: so long a change at run time may take to reach an environment, and
 * one with a request now and then would see it with the request after the next only.
 */
export const HARD_AGE_MS = 10_000;

/** A read that failed is not tried again for this long: a table that is down must not cost every request its wait. */
const RETRY_AFTER_MS = 5_000;

/** How long an answer waits for a read beside it, which would otherwise be frozen in the middle of its connection. */
const SETTLE_MS = 300;

/** How long a request waits for a read that it cannot go on without. */
const READ_MS = 2_000;

/** The registry as one environment of the router sees it. */
export interface EndpointView {
  /**
   * The endpoint of this name. One that is known is returned at once and, after some seconds, read again beside the
   * request; one that is not known is always looked up, since a NOT_FOUND ends its caller's operation. While the registry
   * cannot be read, what was read last serves, however old.
   *
   * Rejects where the registry cannot be read and never was.
   */
  get(name: string): Promise<Endpoint | undefined>;
  /** What is stored now, for a decision that a view of some seconds ago must not make. Rejects where it cannot be read. */
  getLatest(name: string): Promise<Endpoint | undefined>;
  /**
   * Waits a moment for reads under way, `withinMs` at most, then gives them up: `get` goes on with what was read last. To
   * be called before the environment may be frozen.
   */
  settle(withinMs?: number): Promise<void>;
}

/** A view that also says what it has seen. */
export interface CachedEndpointView extends EndpointView {
  /** What was read last, however old, without a read. */
  latest(name: string): Endpoint | undefined;
}

export interface EndpointViewDeps {
  readonly registry: Pick<EndpointRegistry, 'get'>;
  readonly clock: Clock;
  /** Told, once for each, of reads that failed while there was an older view. */
  readonly onStale: (name: string, error: unknown) => void;
}

interface Seen {
  readonly endpoint: Endpoint;
  readonly readAt: number;
  /** When a read failed, of those since. */
  readonly failedAt?: number;
}

/** Makes a view that has seen nothing yet. It holds what exists only, so callers cannot make it grow. */
export function createEndpointView({ registry, clock, onStale }: EndpointViewDeps): CachedEndpointView {
  const seen = new Map<string, Seen>();
  const reading = new Map<string, { readonly done: Promise<Endpoint | undefined>; readonly abort: AbortController }>();

  /** A clock that was set back must neither keep a view fresh nor put off a read. */
  function since(time = Number.NEGATIVE_INFINITY): number {
    const elapsedMs = clock.now() - time;
    return elapsedMs < 0 ? Number.POSITIVE_INFINITY : elapsedMs;
  }

  function read(name: string): Promise<Endpoint | undefined> {
    const running = reading.get(name);
    if (running !== undefined) return running.done;
    const abort = new AbortController();
    const startedAt = clock.now();
    const timer = setTimeout(() => abort.abort(new Error(`no answer within ${READ_MS} ms`)), READ_MS);
    const done = registry
      .get(name, abort.signal)
      .then(
        (endpoint) => {
          if (endpoint === undefined) seen.delete(name);
          else seen.set(name, { endpoint, readAt: startedAt });
          return endpoint;
        },
        (error: unknown) => {
          const last = seen.get(name);
          if (last !== undefined) {
            seen.set(name, { ...last, failedAt: clock.now() });
            onStale(name, error);
          }
          throw error;
        },
      )
      .finally(() => {
        clearTimeout(timer);
        reading.delete(name);
      });
    reading.set(name, { done, abort });
    return done;
  }

  return {
    async get(name) {
      const last = seen.get(name);
      if (last === undefined) return read(name);
      const ageMs = since(last.readAt);
      const softAgeMs = isAtRest(last.endpoint.circuit) ? SOFT_AGE_MS : UNSETTLED_SOFT_AGE_MS;
      if (ageMs < softAgeMs || since(last.failedAt) < RETRY_AFTER_MS) return last.endpoint;
      const again = read(name).catch(() => last.endpoint);
      return ageMs < HARD_AGE_MS ? last.endpoint : again;
    },
    getLatest: read,
    latest: (name) => seen.get(name)?.endpoint,
    async settle(withinMs = SETTLE_MS) {
      if (reading.size === 0) return;
      const running = [...reading.values()];
      const within = withinMs < SETTLE_MS ? 'the time of the request' : `${SETTLE_MS} ms`;
      const giveUp = () => {
        for (const { abort } of running) abort.abort(new Error(`no answer within ${within}`));
      };
      const timer = setTimeout(giveUp, Math.min(SETTLE_MS, withinMs));
      if (withinMs <= 0) giveUp(); // a timer of 0 ms takes one
      await Promise.allSettled(running.map(({ done }) => done));
      clearTimeout(timer);
    },
  };
}
