/** Milliseconds of one direct delivery, each from now. */
export interface DeliveryTimes {
  /** What the handler is told that it has, counted from when it receives the request. */
  readonly handlerMs: number;
  /** When the router answers without it. */
  readonly waitMs: number;
}

/** The answer's way from the router to the caller: a tenth of a second would do, and a caller in a hurry keeps most. */
const WAY_BACK_MS = 200;
const WAY_BACK_SHARE = 0.05;

/**
 * How much earlier a handler must be done than the router gives up: the time that Lambda takes to bring the request to
 * it, a start of a new environment among it (protocol of promotion: 1 s).
 */
const TRANSPORT_MS = 1_000;
const TRANSPORT_SHARE = 0.2;

/** Shares out what is left of the caller's time, `leftMs`; both are 0 where nothing is. */
export function deliveryTimes(leftMs: number): DeliveryTimes {
  const left = Math.max(0, leftMs);
  const waitMs = left - Math.min(WAY_BACK_MS, left * WAY_BACK_SHARE);
  return { waitMs, handlerMs: waitMs - Math.min(TRANSPORT_MS, waitMs * TRANSPORT_SHARE) };
}
