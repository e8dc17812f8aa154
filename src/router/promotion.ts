import type { NexusInvocation, PromotionTables } from '../handler/invocation.ts';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import type { StartRequest } from '../nexus/request.ts';
import { acceptStart } from '../operations/accept-start.ts';
import { type CallbackPolicy, checkCallback } from '../operations/callback-rules.ts';
import { draftOf } from '../operations/draft.ts';
import { RecordTooLargeError } from '../operations/errors.ts';
import { promoted, type Told, toldOf } from '../operations/promotion.ts';
import type { OperationRecord, StoredCallback, Transition } from '../operations/record.ts';
import type { Caller } from './caller.ts';
import { promotionTimes } from './delivery-times.ts';
import { prefersAsync, retryPolicy } from './durable-delivery.ts';
import { effectiveSettings } from './effective-settings.ts';
import { InvokeError } from './errors.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import { formatTold } from './format-told.ts';
import type { HeldSlot } from './gate.ts';
import { toHttpResponse } from './lambda-result.ts';
import { LONGEST_ATTEMPT_MS } from './operation-invoker.ts';
import { parseBelow } from './parse-below.ts';
import type { Clock, Endpoint, Invoker } from './ports.ts';

/** What is done with operations, where a promotion needs them: the first one loads it. */
export interface PromotionOperations {
  /** As `accept` of `Operations`. */
  accept(transition: Transition): Promise<OperationRecord>;
}

export interface PromotionDeps {
  readonly invoker: Invoker;
  readonly load: () => Promise<PromotionOperations>;
  readonly clock: Clock;
  /** Where completions of an endpoint's operations may go. */
  readonly callbacksOf: (endpoint: Endpoint) => CallbackPolicy;
  readonly emit: EmitFlowEvent;
  /** For handlers that write themselves. */
  readonly tables?: PromotionTables;
}

/** One request that is about to be delivered. */
export interface PromotableDelivery {
  /** Below the endpoint's base URL, less the credentials. */
  readonly request: NexusHttpRequest;
  readonly caller: Caller;
  readonly invocation: NexusInvocation;
  /** Milliseconds that the router may wait for the handler. */
  readonly waitMs: number;
  /** Stays with a handler that goes on. */
  readonly slot?: HeldSlot;
}

/** What its caller is told. */
export interface DeliveredInTime {
  readonly response: NexusHttpResponse;
  /** Whether the handler answered, goes on, or was not asked, since an earlier start of the same key has the token. */
  readonly handler: 'answered' | 'goes on' | 'not asked';
}

/**
 * Delivers starts that are answered with a token where their handlers are not done in the caller's time. The handler goes
 * on in the same invocation, and its outcome is delivered as that of an operation from a queue.
 *
 * The router and the handler may both come to the end of their time at once; the record decides, which either of them
 * writes only where none of the key is there. Before its cut-off, a handler answers and nobody writes anything; the
 * cut-off is so much earlier than the router's that such an answer arrives in time.
 */
export interface Promotion {
  /**
   * The answer; `undefined` for what is not to be promoted: the endpoint says nothing of the operation, or the caller, who
   * has no callback that is allowed and does not prefer to poll, could not be told the outcome later.
   *
   * Fails as the invoker does where the handler gave no answer. A connection to it that broke is never a promotion: nobody
   * knows whether it runs.
   */
  deliver(endpoint: Endpoint, delivery: PromotableDelivery): Promise<DeliveredInTime | undefined> | undefined;
}

/** Tokens that one environment remembers to have given. */
const MOST_GIVEN = 1_000;

/** How long a new environment may load before the function's own time begins (Lambda). */
const LONGEST_START_MS = 10_000;

export function createPromotion(deps: PromotionDeps): Promotion {
  const { invoker, load, clock, callbacksOf, emit, tables } = deps;

  /**
   * What callers were told here, by the keys of their starts: a repeat that comes here again is told the same at once. One
   * that comes elsewhere is when its own time is over, since a look at the store would cost every call one.
   */
  const given = new Map<string, { readonly told: Told; readonly until: number }>();

  function remember({ key, retainUntil }: OperationRecord, told: Told): void {
    given.set(key, { told, until: retainUntil });
    const [oldest] = given.keys();
    if (given.size > MOST_GIVEN && oldest !== undefined) given.delete(oldest);
  }

  async function delivered(
    endpoint: Endpoint,
    { request, caller, invocation, waitMs, slot }: PromotableDelivery,
    start: Promised,
  ): Promise<DeliveredInTime> {
    const { cutOffMs, promoteMs } = promotionTimes(waitMs);
    const { record } = acceptStart(
      {
        ...start,
        principal: caller.principal,
        endpoint: endpoint.name,
        ...endpoint.target,
        request,
        queues: endpoint.queues,
      },
      clock.now(),
    );
    const before = given.get(record.key);
    if (before !== undefined && before.until > clock.now()) {
      return { response: formatTold(before.told, request, caller.gateway), handler: 'not asked' };
    }
    const leaseUntil = clock.now() + LONGEST_START_MS + LONGEST_ATTEMPT_MS;
    // Ready when it is needed, and not loaded for a handler that is done in time.
    const timer = setTimeout(() => void load().catch(() => {}), cutOffMs);
    try {
      const promotable = {
        ...invocation,
        timeoutMs: cutOffMs,
        promotion: { cutOffMs, ...(tables && { tables }), draft: draftOf(record), ...(slot && { slot: slot.lease }) },
        request: {
          ...invocation.request,
          // A start that came without one is the same operation on each attempt all the same.
          headers: { ...invocation.request.headers, [HEADER.requestId]: record.requestId },
        },
      };
      return { response: toHttpResponse(await invoker.invoke(endpoint, promotable, promoteMs)), handler: 'answered' };
    } catch (error) {
      if (!(error instanceof InvokeError && error.goesOn)) throw error;
      slot?.leave();
      const kept = await promote(record, leaseUntil, error);
      if (kept.token === record.token) {
        emit({ kind: 'promoted', endpoint: endpoint.name, principal: caller.principal });
      }
      const told = toldOf(kept);
      remember(kept, told);
      return { response: formatTold(told, request, caller.gateway), handler: 'goes on' };
    } finally {
      clearTimeout(timer);
    }
  }

  /** The record that is there afterwards: this one, or one that was there before. */
  async function promote(record: OperationRecord, leaseUntil: number, late: InvokeError): Promise<OperationRecord> {
    try {
      const { accept } = await load();
      return await accept(promoted(record, { leaseUntil, now: clock.now() }));
    } catch (error) {
      // Another attempt would be as large: then it is as if the operation could not be promoted.
      throw error instanceof RecordTooLargeError ? late : error;
    }
  }

  return {
    deliver(endpoint, delivery) {
      if (!endpoint.promotable?.length || delivery.waitMs <= 0) return undefined;
      const start = promisedStart(endpoint, delivery, callbacksOf, clock.now());
      return start && delivered(endpoint, delivery, start);
    },
  };
}

/** A start whose caller may be answered with a token. */
interface Promised {
  readonly start: StartRequest;
  /** Absent where the caller polls. */
  readonly callback: StoredCallback | undefined;
  readonly policy: OperationRecord['policy'];
}

function promisedStart(
  endpoint: Endpoint,
  { request, caller }: PromotableDelivery,
  callbacksOf: PromotionDeps['callbacksOf'],
  now: number,
): Promised | undefined {
  const start = parseBelow(endpoint, request, caller);
  if (start?.kind !== 'start') return undefined;
  if (!endpoint.promotable?.includes(`${start.service}/${start.operation}`)) return undefined;
  const check = checkCallback(start.callbackUrl, callbacksOf(endpoint));
  const isPromised = check.kind === 'allowed' || (check.kind === 'none' && prefersAsync(request));
  if (!isPromised) return undefined;
  const callback = check.kind === 'allowed' ? { url: check.url.href, headers: start.callbackHeaders } : undefined;
  return { start, callback, policy: retryPolicy(effectiveSettings(endpoint, now)) };
}
