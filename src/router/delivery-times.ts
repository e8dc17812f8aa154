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

/** Milliseconds of a direct delivery whose caller may be answered with a token, each from now. */
export interface PromotionTimes {
  /** From then on the handler writes what came of it before it answers, counted from when it receives the request. */
  readonly cutOffMs: number;
  /** When the router answers with a token. */
  readonly promoteMs: number;
}

/** What writing the record takes, on a connection that has to be made first. */
const WRITE_MS = 500;
const WRITE_SHARE = 0.1;

/** Shares out the time that the router may wait, `waitMs` of {@link DeliveryTimes}. */
export function promotionTimes(waitMs: number): PromotionTimes {
  const promoteMs = waitMs - Math.min(WRITE_MS, waitMs * WRITE_SHARE);
  return { promoteMs, cutOffMs: promoteMs - Math.min(TRANSPORT_MS, promoteMs * TRANSPORT_SHARE) };
}
