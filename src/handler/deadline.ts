/** The limits of one request, each in milliseconds from now; absent where nothing sets it. */
export interface TimeLimits {
  /** The caller's `Request-Timeout`. */
  readonly requestTimeoutMs: number | undefined;
  /** What the router has left, or the 30 s in which API Gateway wants its answer. */
  readonly gatewayMs: number | undefined;
  /** What Lambda has left before it ends the environment. */
  readonly lambdaMs: number | undefined;
}

/**
 * Milliseconds that the answer gets for its way back, and the handler for letting go after the abort signal: a tenth
 * of a second would do for the way, a handler that closes a database transaction takes longer.
 */
export const DEFAULT_DEADLINE_RESERVE_MS = 500;

/** A limit gives at most this part of itself away, so that a caller in a hurry still gets most of its time. */
const LARGEST_RESERVE_SHARE = 0.2;

/** How the time of one request is shared out. */
export interface TimeBudget {
  /** Until the abort signal fires. 0 or less where the time was over before the handler could start. */
  readonly handlerMs: number;
  /** After that, until the answer is sent whether the handler has settled or not: half of the reserve. */
  readonly letGoMs: number;
}

/** The earliest limit, less the reserve; `undefined` where nothing limits the request. */
export function budgetOf(limits: TimeLimits, reserveMs: number): TimeBudget | undefined {
  const set = [limits.requestTimeoutMs, limits.gatewayMs, limits.lambdaMs].filter((limit) => limit !== undefined);
  if (set.length === 0) return undefined;
  const earliest = Math.min(...set);
  const reserve = Math.min(reserveMs, Math.max(0, earliest * LARGEST_RESERVE_SHARE));
  return { handlerMs: earliest - reserve, letGoMs: reserve / 2 };
}

/** How a run against a deadline ended. */
export type TimedOutcome<R> =
  | { readonly kind: 'settled'; readonly value: R; readonly late: boolean }
  | { readonly kind: 'threw'; readonly error: unknown; readonly late: boolean }
  /** The deadline passed, the abort signal fired, and the handler did not settle within the time to let go. */
  | { readonly kind: 'abandoned' };

export interface TimedRun {
  readonly abort: AbortController;
  /** Why the signal fires; made when it does, so that its stack is of that moment. */
  readonly reason: () => unknown;
  /** `undefined` never ends. */
  readonly budget: TimeBudget | undefined;
}

/**
 * Runs `work` until its deadline, fires the abort signal then, and waits a little longer for it to let go. No timer
 * outlives the call: on Lambda one would fire inside somebody else's request.
 */
export async function runUntil<R>(run: TimedRun, work: () => Promise<R>): Promise<TimedOutcome<R>> {
  const { abort, budget } = run;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const after = (ms: number) =>
    new Promise<'time is over'>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, ms), 'time is over');
    });
  const settled = work().then(
    (value) => ({ kind: 'settled' as const, value, late: abort.signal.aborted }),
    (error: unknown) => ({ kind: 'threw' as const, error, late: abort.signal.aborted }),
  );
  try {
    if (budget === undefined) return await settled;
    const first = await Promise.race([settled, after(budget.handlerMs)]);
    if (first !== 'time is over') return first;
    abort.abort(run.reason());
    const second = await Promise.race([settled, after(budget.letGoMs)]);
    if (second !== 'time is over') return second;
    return { kind: 'abandoned' };
  } finally {
    clearTimeout(timer);
  }
}
