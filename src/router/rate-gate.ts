import type { EmitFlowEvent } from './flow-event.ts';
import type { Admitted, Arrival, Gate, Refused } from './gate.ts';
import type { Clock, Endpoint, LimitStore } from './ports.ts';
import { createRateBucket, type RateBucket } from './rate-bucket.ts';
import { type RateLimit, rateLimit, storedRate } from './rate-limits.ts';
import type { EndpointSettings } from './settings.ts';
import type { StoreReach } from './store-reach.ts';

export interface RateGateDeps {
  readonly store: Pick<LimitStore, 'takeTokens'>;
  readonly reach: StoreReach;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: EmitFlowEvent;
  /** The settings that hold now. Default: those that the endpoint was deployed with. */
  readonly settingsOf?: (endpoint: Endpoint, now: number) => EndpointSettings;
}

/** Callers that one environment keeps tokens for; it asks again for those that it forgot. */
const MAX_BUCKETS = 1_000;

const HEADROOM_EVERY_MS = 1_000;

/** One of the limits that a start is subject to. */
interface Limit extends RateLimit {
  readonly key: string;
  /** Whose starts it counts. */
  readonly of: 'caller' | 'endpoint';
}

interface Kept extends RateLimit {
  readonly bucket: RateBucket;
  toldAt?: number;
}

/**
 * Limits the starts of an endpoint, and of each of its callers, to so many a second over all environments. A start counts
 * when it came. It costs one write at most for each limit that it is subject to, and none where this environment has
 * tokens, or knows that there are none. Where the store cannot be reached, starts are let through.
 */
export function createRateGate(deps: RateGateDeps): Gate {
  const { clock, emit, settingsOf = ({ settings = {} }) => settings } = deps;
  const buckets = new Map<string, Kept>();
  const nowUs = () => Math.floor(clock.now() * 1_000);

  function keptOf({ key, perSecond, burst }: Limit): Kept {
    const known = buckets.get(key);
    buckets.delete(key); // the one that was used longest ago is the first
    const isSame = known?.perSecond === perSecond && known.burst === burst;
    const kept = isSame
      ? known
      : { perSecond, burst, bucket: createRateBucket(key, storedRate({ perSecond, burst }), { ...deps, nowUs }) };
    buckets.set(key, kept);
    if (buckets.size > MAX_BUCKETS) buckets.delete(buckets.keys().next().value!);
    return kept;
  }

  function tellHeadroom(endpoint: string, kept: Kept): void {
    const now = clock.now();
    if (kept.toldAt !== undefined && Math.abs(now - kept.toldAt) < HEADROOM_EVERY_MS) return;
    kept.toldAt = now;
    const left = Math.min(kept.burst, kept.bucket.left());
    emit({ kind: 'headroom', endpoint, of: 'rate', left, limit: kept.burst });
  }

  return {
    async admit(arrival) {
      if (arrival.kind !== 'start') return admittedWith([]);
      const taken: (() => void)[] = [];
      for (const limit of limitsOf(arrival, settingsOf(arrival.endpoint, clock.now()))) {
        const kept = keptOf(limit);
        const answer = await kept.bucket.take();
        if (limit.of === 'endpoint') tellHeadroom(arrival.endpoint.name, kept);
        if (answer.kind === 'none') {
          for (const giveBack of taken) giveBack();
          return refusal(arrival, limit, answer.retryAfterMs);
        }
        if (answer.kind === 'token') taken.push(answer.giveBack);
      }
      return admittedWith(taken);
    },
  };
}

/** What did not reach the handler takes no token from what will. */
function admittedWith(taken: readonly (() => void)[]): Admitted {
  return {
    kind: 'admitted',
    async ended({ kind }) {
      if (kind === 'not-reached') for (const giveBack of taken) giveBack();
    },
  };
}

/** The caller's own first: one that is over it must not take from the others. */
function limitsOf({ endpoint: { name }, principal }: Arrival, settings: EndpointSettings): Limit[] {
  const { requestsPerSecond, burst, requestsPerSecondPerCaller, burstPerCaller } = settings;
  const limits: Limit[] = [];
  if (requestsPerSecondPerCaller !== undefined) {
    const limit = rateLimit(requestsPerSecondPerCaller, burstPerCaller);
    limits.push({ key: `${name}#caller#${principal}`, of: 'caller', ...limit });
  }
  if (requestsPerSecond !== undefined) {
    limits.push({ key: `${name}#rate`, of: 'endpoint', ...rateLimit(requestsPerSecond, burst) });
  }
  return limits;
}

function refusal({ endpoint: { name }, principal }: Arrival, { of, ...limit }: Limit, retryAfterMs: number): Refused {
  const { perSecond, burst } = limit;
  const rate = `${perSecond} ${perSecond === 1 ? 'start' : 'starts'} a second and ${burst} at once`;
  const message =
    of === 'endpoint'
      ? `endpoint "${name}" takes ${rate}, over all callers; its owner may raise requestsPerSecond and burst`
      : `endpoint "${name}" takes ${rate} from "${principal}" as from any one caller; its owner may raise ` +
        'requestsPerSecondPerCaller and burstPerCaller';
  return { kind: 'refused', reason: 'rate', retryAfterMs, message };
}
