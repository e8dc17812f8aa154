import { parseDuration } from '../nexus/duration.ts';
import { HEADER } from '../nexus/headers.ts';
import type {
  HandleInvocation,
  LambdaContext,
  LambdaHttpResult,
  NexusInvocation,
  PromotionTerms,
} from './invocation.ts';

/** An invocation whose handler may go on past the time of its caller. */
export type PromotableInvocation = NexusInvocation & { readonly promotion: PromotionTerms };

/** What a handler that goes on past its cut-off needs; loaded then. */
export interface PastCutOff {
  /** Looks whether the operation was promoted, and canceled since. */
  look(): Promise<'canceled' | undefined>;
  /**
   * Writes what came of it, and returns what the caller is to be told. Where that cannot be written, or is not to be, it is
   * what came of it: it rejects as `ended` did.
   */
  settle(ended: PromiseSettledResult<LambdaHttpResult>): Promise<LambdaHttpResult>;
}

export interface Outliving {
  readonly invocation: PromotableInvocation;
  readonly context: LambdaContext;
  /** Milliseconds since the router sent the invocation, as far as they are known: a new environment starts meanwhile. */
  readonly elapsedMs: number;
  readonly handle: HandleInvocation;
  readonly load: () => Promise<PastCutOff>;
}

/** The router promotes one second after the cut-off at most; what it wrote is found soon after that. */
const FIRST_LOOK_MS = 2_000;

/** What of the function's time is kept for writing how it ended. */
const WRITE_RESERVE_MS = 2_000;

/** As often as an attempt from a queue looks whether it was canceled. */
const LOOK_EVERY_MS = 5_000;

/**
 * Runs an invocation with the function's own time. Before the cut-off it answers, and nothing is loaded; from then on what
 * came of it is written before it answers.
 */
export async function outlive({ invocation, context, elapsedMs, handle, load }: Outliving): Promise<LambdaHttpResult> {
  const cutOffAt = performance.now() + invocation.promotion.cutOffMs - elapsedMs;
  const canceled = new AbortController();
  let loaded: Promise<PastCutOff> | undefined;
  let timer = setTimeout(
    () => {
      // Ready for an answer within the second that is left of the caller's time. Where it fails, `settle` says so.
      loaded = load();
      loaded.catch(() => {});
      timer = setTimeout(look, FIRST_LOOK_MS);
    },
    Math.max(0, cutOffAt - performance.now()),
  );

  async function look(): Promise<void> {
    timer = setTimeout(look, LOOK_EVERY_MS);
    // A look that fails is followed by another one.
    const found = await loaded?.then((side) => side.look()).catch(() => undefined);
    if (found === 'canceled') canceled.abort(new DOMException('the operation was canceled', 'AbortError'));
  }

  try {
    const run = handle(unbound(invocation, ownTime(invocation, context)), {
      awsRequestId: context.awsRequestId,
      functionName: context.functionName,
      ...(context.logStreamName !== undefined && { logStreamName: context.logStreamName }),
      getRemainingTimeInMillis: () => timeLeft(context),
      canceled: canceled.signal,
    });
    const [ended] = await Promise.allSettled([run]);
    if (performance.now() < cutOffAt) return await run;
    loaded ??= load();
    return await (await loaded).settle(ended);
  } finally {
    clearTimeout(timer);
  }
}

/** The same request with so many milliseconds, whatever its caller waits; as an attempt from a queue comes. */
export function unbound({ promotion: _, ...invocation }: NexusInvocation, timeoutMs: number): NexusInvocation {
  const { [HEADER.requestTimeout]: __, ...headers } = invocation.request.headers;
  return { ...invocation, timeoutMs, request: { ...invocation.request, headers } };
}

/** Whether an event is one; a handler that cannot write takes it as any other, with the caller's time. */
export function isPromotable(event: unknown): event is PromotableInvocation {
  const { nexusInvocation, promotion } = (event ?? {}) as Partial<NexusInvocation>;
  return nexusInvocation === 1 && promotion?.tables !== undefined;
}

/** The function's, or the operation's own where that is shorter. */
function ownTime({ request }: NexusInvocation, context: LambdaContext): number {
  return Math.min(timeLeft(context), parseDuration(request.headers[HEADER.operationTimeout] ?? '') ?? Infinity);
}

function timeLeft(context: LambdaContext): number {
  return Math.max(0, context.getRemainingTimeInMillis() - WRITE_RESERVE_MS);
}
