import { performance } from 'node:perf_hooks';
import type { LambdaHttpResult, NexusInvocation, PromotionTerms } from '../handler/invocation.ts';
import { toLambdaResult } from '../handler/lambda-event.ts';
import type { Logger } from '../handler/logger.ts';
import { unbound } from '../handler/outlive.ts';
import { parseDuration } from '../nexus/duration.ts';
import { HEADER } from '../nexus/headers.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import { recordOf } from '../operations/draft.ts';
import type { Outlived } from '../operations/outlived.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { InvokeError } from '../router/errors.ts';
import { formatTold } from '../router/format-told.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import { LONGEST_ATTEMPT_MS } from '../router/operation-invoker.ts';
import { createOutlivingSlot } from '../router/outliving-slot.ts';
import type { Clock, Endpoint, Invoker, LimitStore } from '../router/ports.ts';

export interface OutlivingInvokerDeps {
  readonly invoker: Invoker;
  readonly outlived: Outlived;
  readonly limits: Pick<LimitStore, 'extendSlot' | 'freeSlot'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Is told of the end of a run before that is written. */
  ended(record: OperationRecord, result: AttemptResult): void;
  /** Is told of it afterwards, where its caller had been given the token. */
  settled(record: OperationRecord, ms: number): void;
}

/** An invoker whose promotable invocations go on when the router stops waiting: what Lambda and a function's own code do. */
export interface OutlivingInvoker extends Invoker {
  /** Runs of promotable invocations, whether somebody waits for them or not. */
  readonly running: ReadonlyMap<string, OperationRecord>;
  /** Tells the run of this operation, if there is one, that it was canceled. */
  cancel(token: string): void;
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>;
}

export function createOutlivingInvoker(deps: OutlivingInvokerDeps): OutlivingInvoker {
  const { invoker, outlived, limits, clock, logger } = deps;
  const running = new Map<string, OperationRecord>();
  const cancels = new Map<string, AbortController>();
  const runs = new Set<Promise<unknown>>();

  /** Runs to its end, and writes what came of it where that is later than the cut-off. */
  async function run(endpoint: Endpoint, invocation: Promotable, waitMs: number): Promise<LambdaHttpResult> {
    const { cutOffMs, slot: lease } = invocation.promotion;
    const accepted = recordOf(invocation);
    const { token } = accepted;
    const startedAt = performance.now();
    const canceled = new AbortController();
    running.set(token, accepted);
    cancels.set(token, canceled);
    const until = clock.now() + LONGEST_ATTEMPT_MS;
    const slot = lease && createOutlivingSlot({ store: limits, lease, until, logger });
    const cutOff = setTimeout(() => void slot?.keep(), cutOffMs);
    try {
      const own = unbound(invocation, ownTime(invocation));
      const [ended] = await Promise.allSettled([invoker.invoke(endpoint, own, waitMs, canceled.signal)]);
      const ms = performance.now() - startedAt;
      if (ms >= cutOffMs) {
        const result = resultOf(ended, clock.now());
        deps.ended(accepted, result);
        const { told, record } = await outlived.settle(accepted, result);
        if (record !== undefined) deps.settled(record, ms);
        if (told !== undefined) return toLambdaResult(formatTold(told, invocation.request, invocation.gateway));
      }
      if (ended.status === 'rejected') throw ended.reason;
      return ended.value;
    } finally {
      clearTimeout(cutOff);
      // Before that the router lets it go.
      if (performance.now() - startedAt >= cutOffMs) await slot?.free();
      running.delete(token);
      cancels.delete(token);
    }
  }

  return {
    running,
    cancel: (token) => cancels.get(token)?.abort(new DOMException('the operation was canceled', 'AbortError')),
    async idle() {
      while (runs.size > 0) await Promise.allSettled(runs);
    },
    async invoke(endpoint, invocation, waitMs, canceled) {
      if (!isPromotable(invocation)) return invoker.invoke(endpoint, invocation, waitMs, canceled);
      const own = run(endpoint, invocation, waitMs);
      const tracked = own.catch((error: unknown) => {
        // Whoever still waits hears of it as well.
        logger.debug('a promotable operation ended without an answer', { endpoint: endpoint.name, error });
      });
      runs.add(tracked);
      void tracked.then(() => runs.delete(tracked));
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(() => late.reject(tooLate(waitMs)), waitMs);
      try {
        return await Promise.race([own, late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

type Promotable = NexusInvocation & { readonly promotion: PromotionTerms };

function isPromotable(invocation: NexusInvocation): invocation is Promotable {
  return invocation.promotion !== undefined;
}

/** A function's longest, or the operation's own where that is shorter. */
function ownTime({ request }: NexusInvocation): number {
  return Math.min(LONGEST_ATTEMPT_MS, parseDuration(request.headers[HEADER.operationTimeout] ?? '') ?? Infinity);
}

function resultOf(ended: PromiseSettledResult<LambdaHttpResult>, at: number): AttemptResult {
  try {
    if (ended.status === 'rejected') throw ended.reason;
    return attemptResultOf(toHttpResponse(ended.value), at);
  } catch (error) {
    if (error instanceof InvokeError && error.reason === 'crashed') return { kind: 'crashed' };
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', retryable: true, message, failure: { message } };
  }
}

function tooLate(waitMs: number): InvokeError {
  const message = `the handler gave no answer within ${Math.round(waitMs)} ms, and goes on`;
  return new InvokeError('timeout', message, { goesOn: true });
}
