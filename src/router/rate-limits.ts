import type { EndpointSettings } from './settings.ts';
import type { TokenRate } from './tokens.ts';

/** Starts a second that are let through, and how many may come at once after a quiet time. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** A limit as it is stored: in so many items, each with its share. */
export interface StoredRate extends TokenRate {
  readonly items: number;
}

/** A limit of so many starts a second; without a burst, as many as come in a second, one at least. */
export function rateLimit(perSecond: number, burst = Math.max(1, Math.floor(perSecond))): RateLimit {
  return { perSecond, burst };
}

/** Settings with the burst that each rate without one has: that of {@link rateLimit}. */
export function withBursts(settings: EndpointSettings): EndpointSettings {
  const { requestsPerSecond, burst, requestsPerSecondPerCaller, burstPerCaller } = settings;
  return {
    ...settings,
    ...(requestsPerSecond !== undefined && { burst: rateLimit(requestsPerSecond, burst).burst }),
    ...(requestsPerSecondPerCaller !== undefined && {
      burstPerCaller: rateLimit(requestsPerSecondPerCaller, burstPerCaller).burst,
    }),
  };
}

/**
 * What one item is for. DynamoDB writes an item a thousand times a second at most; where each start asks for itself, as in
 * many environments that have few starts each, an item of this rate is written as often as it lets through, and about as
 * often in vain.
 */
const STARTS_PER_ITEM = 500;

/** The burst is shared among the items as well: one with less of it would refuse what another one has. */
const LEAST_BURST = 10;

/** The stored form of a limit. Shares are rounded down: together they are never more than the limit. */
export function storedRate({ perSecond, burst }: RateLimit): StoredRate {
  const items = Math.max(1, Math.min(Math.ceil(perSecond / STARTS_PER_ITEM), Math.floor(burst / LEAST_BURST)));
  const intervalUs = Math.ceil((1_000_000 * items) / perSecond);
  return { items, intervalUs, lifeUs: (Math.floor(burst / items) - 1) * intervalUs };
}
