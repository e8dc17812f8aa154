import {
  IdempotencyAlreadyInProgressError,
  IdempotencyConfig,
  makeIdempotent,
} from '@aws-lambda-powertools/idempotency';
import type { BasePersistenceLayer } from '@aws-lambda-powertools/idempotency/persistence';
import { HandlerError, OperationError } from 'nexus-rpc';
import type { Logger } from '../handler/logger.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { parseStartResponse } from '../nexus/parse-response.ts';
import { formatFailureResponse } from '../nexus/response.ts';
import type { Clock } from './ports.ts';
import type { Deduplicate, Deliver, RepeatableStart } from './repeated-start.ts';

export interface DeduplicationDeps {
  /**
   * Where answers are kept; a new one for each delivery, since Powertools binds a layer to the expiry that it sees first.
   * A call of it takes `callMs()` milliseconds at most.
   */
  readonly createLayer: (callMs: () => number) => BasePersistenceLayer;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Sums of header and body bytes above which an answer is not kept. Default: none is too large. */
  readonly maxAnswerBytes?: number;
  readonly random: () => number;
  /** Default: `setTimeout`. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** A store that does not answer must leave time for the handler, and for the answer's way back. */
const LONGEST_CALL_MS = 1_000;
const SHORTEST_CALL_MS = 100;
const CALL_SHARE = 0.5;

/** A lease lasts longer than its delivery by what keeping the answer may take, and by what clocks may differ. */
const LEASE_MARGIN_MS = 1_000;

/** Pauses between two looks of a repetition at the first one; each doubles the one before. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** A repetition that takes over needs time for the delivery: one that is cut off counts as a failure of the handler. */
const DELIVERY_MS = 1_000;
const DELIVERY_SHARE = 0.2;

/** Of failures of the store one line in so much time, since each start would have one. */
const QUIET_MS = 1_000;

/** Makes what keeps answers by Powertools' idempotency. Load this file where an endpoint asks for it, not before. */
export function createDeduplication(deps: DeduplicationDeps): Deduplicate {
  const { logger, clock, sleep = afterMs } = deps;
  const saidTooLarge = new Set<string>();
  let saidFailureAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;

  function sayTooLarge({ endpoint, operation }: RepeatableStart, bytes: number): void {
    const name = `${endpoint} ${operation}`;
    if (saidTooLarge.has(name)) return;
    saidTooLarge.add(name);
    logger.warn('an answer is too large to be kept for repetitions of its start, which run the handler again', {
      ...{ endpoint, operation, bytes, maxBytes: deps.maxAnswerBytes },
    });
  }

  function sayFailure({ endpoint, operation }: RepeatableStart, consequence: string, error: unknown): void {
    if (Math.abs(clock.now() - saidFailureAt) < QUIET_MS) {
      unsaid++;
      return;
    }
    logger.warn(`the store of answers failed; ${consequence}`, { endpoint, operation, unsaid, error });
    saidFailureAt = clock.now();
    unsaid = 0;
  }

  /** The answer; `undefined` where another delivery of this start is under way. */
  async function tryOnce(
    start: RepeatableStart,
    deliver: Deliver,
    leftMs: () => number,
  ): Promise<NexusHttpResponse | undefined> {
    const { key, keepMs } = start;
    let delivered: Delivered | undefined;
    const leaseMs = Math.max(0, leftMs()) + LEASE_MARGIN_MS;
    const once = makeIdempotent(
      async (_key: string) => {
        delivered = await settled(deliver);
        const bytes = 'answer' in delivered ? bytesOf(delivered.answer) : 0;
        const isTooLarge = bytes > (deps.maxAnswerBytes ?? Number.POSITIVE_INFINITY);
        if (isTooLarge) sayTooLarge(start, bytes);
        if ('error' in delivered || isTooLarge || !isFinal(delivered.answer)) throw new NotKept();
        return delivered.answer;
      },
      {
        persistenceStore: deps.createLayer(() =>
          Math.min(LONGEST_CALL_MS, Math.max(SHORTEST_CALL_MS, leftMs() * CALL_SHARE)),
        ),
        config: new IdempotencyConfig({
          hashFunction: 'sha256',
          expiresAfterSeconds: Math.ceil(Math.max(keepMs, leaseMs) / 1_000),
          // Part of a millisecond tells the lease from one that another environment takes at the same time.
          lambdaContext: { getRemainingTimeInMillis: () => leaseMs + deps.random() } as never,
        }),
        keyPrefix: 'start',
      },
    );
    let kept: NexusHttpResponse | undefined;
    try {
      kept = await once(key);
    } catch (error) {
      if (error instanceof IdempotencyAlreadyInProgressError) return undefined;
      if (!(error instanceof NotKept)) {
        const consequence = delivered ? 'a repetition of this start may run it again' : 'this start is delivered';
        sayFailure(start, consequence, error);
      }
    }
    // What the handler said is the answer, whatever became of keeping it.
    const { answer = kept, error } = (delivered ?? {}) as { answer?: NexusHttpResponse; error?: unknown };
    if (error !== undefined) throw error;
    return answer ?? deliver();
  }

  return async (start, deliver, leftMs) => {
    const reserveMs = Math.min(DELIVERY_MS, leftMs() * DELIVERY_SHARE);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const answer = await tryOnce(start, deliver, leftMs);
      if (answer !== undefined) return answer;
      const waitMs = Math.min(pauseMs, leftMs() - reserveMs);
      if (waitMs <= 0) return stillRunning(start);
      await sleep(waitMs);
    }
  };
}

/** Ends Powertools' part of a delivery whose answer is not to be kept. */
class NotKept extends Error {
  override readonly name = 'NotKept';
}

type Delivered = { readonly answer: NexusHttpResponse } | { readonly error: unknown };

async function settled(deliver: Deliver): Promise<Delivered> {
  try {
    return { answer: await deliver() };
  } catch (error) {
    return { error };
  }
}

/** Whether a caller takes the answer as the operation's: a result, a token, an end, or an error that it does not retry. */
function isFinal(answer: NexusHttpResponse): boolean {
  try {
    parseStartResponse(answer);
    return true;
  } catch (error) {
    return error instanceof OperationError || (error instanceof HandlerError && !error.retryable);
  }
}

function bytesOf({ headers, body }: NexusHttpResponse): number {
  const texts = Object.entries(headers).flat();
  return texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, body.length);
}

/** Seconds after which a caller without a backoff of its own may ask again. */
const RETRY_AFTER_S = '1';

function stillRunning({ operation, failureSupport }: RepeatableStart): NexusHttpResponse {
  const message =
    `a start of operation '${operation}' with this Nexus-Request-Id is still running; repeat it, and the answer is that ` +
    "start's once it has ended";
  const failure = { message, nexusHandlerFailureInfo: { type: 'UNAVAILABLE' } };
  const { headers, ...response } = formatFailureResponse(failure, { failureSupport });
  return { ...response, headers: { ...headers, 'retry-after': RETRY_AFTER_S } };
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
