/** What of the function's time is kept for writing how an attempt ended. */
const RESERVE_MS = 2_000;

/** Of what is left, no more than this is kept: a function of two seconds must get to run its handler. */
const LARGEST_RESERVE_SHARE = 0.25;

/** Milliseconds that a handler may take of what is left of its function's time; the gateway's has no part in it. */
export function usableMs(remainingMs: number): number {
  return remainingMs - Math.min(RESERVE_MS, Math.max(0, remainingMs) * LARGEST_RESERVE_SHARE);
}

/** The same for an operation whose own time may be shorter; 0 where that is over. */
export function attemptTimeMs(
  { expiresAt = Number.POSITIVE_INFINITY }: { readonly expiresAt?: number },
  { now, remainingMs }: { readonly now: number; readonly remainingMs: number },
): number {
  return Math.max(0, Math.min(expiresAt - now, usableMs(remainingMs)));
}
