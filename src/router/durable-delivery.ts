import { HandlerError } from 'nexus-rpc';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import type { CancelRequest, StartRequest } from '../nexus/request.ts';
import { formatCancelResponse } from '../nexus/response.ts';
import { acceptStart, type FirstAttempt, type StartToAccept } from '../operations/accept-start.ts';
import { type CallbackPolicy, checkCallback } from '../operations/callback-rules.ts';
import { RecordTooLargeError } from '../operations/errors.ts';
import type { Moment } from '../operations/next-version.ts';
import { parseToken } from '../operations/operation-token.ts';
import type { Operations } from '../operations/operations.ts';
import type { OperationStore } from '../operations/ports.ts';
import { toldOf } from '../operations/promotion.ts';
import type { StoredCallback } from '../operations/record.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy, retryDelayMs } from '../operations/retry-policy.ts';
import type { Caller } from './caller.ts';
import { effectiveSettings } from './effective-settings.ts';
import type { RefusalReason } from './flow-event.ts';
import { formatTold } from './format-told.ts';
import { spreadOut } from './gate.ts';
import { parseBelow } from './parse-below.ts';
import type { Clock, Endpoint } from './ports.ts';
import { type EndpointSettings, SETTINGS } from './settings.ts';

export interface DurableDeliveryDeps {
  readonly operations: Operations;
  readonly store: Pick<OperationStore, 'get'>;
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  /** Where completions of an endpoint's operations may go. */
  readonly callbacksOf: (endpoint: Endpoint) => CallbackPolicy;
  /** Whether a queue leads to the handler of an endpoint. */
  readonly hasQueue: (endpoint: Endpoint) => boolean;
}

/** Answers what is about operations that are delivered durably. */
export interface DurableDelivery {
  /**
   * The answer to a start of an operation that its endpoint queues, or to a cancel of one that was; `undefined` for all
   * else, which is the handler's. `request.path` is below the endpoint's base URL.
   */
  answer(endpoint: Endpoint, request: NexusHttpRequest, caller: Caller): Promise<NexusHttpResponse | undefined>;
  /**
   * Accepts a start that was to be delivered directly and cannot be, or failed. `undefined` where it cannot be accepted: its
   * caller cannot take an asynchronous answer, its endpoint has no queue, it is no start, or its operation's failures are its
   * caller's.
   */
  absorb(
    endpoint: Endpoint,
    request: NexusHttpRequest,
    caller: Caller,
    absorption: Absorption,
  ): Promise<NexusHttpResponse | undefined>;
}

/** Why a direct start is accepted for later. */
export type Absorption =
  /** It was not let through; milliseconds until it may be. */
  | { readonly reason: RefusalReason; readonly delayMs: number }
  /** It was tried once, and this is what went wrong. */
  | { readonly reason: 'failure'; readonly message: string };

/** Makes it. */
export function createDurableDelivery(deps: DurableDeliveryDeps): DurableDelivery {
  const { operations, store, clock, random, callbacksOf, hasQueue } = deps;

  async function accept(
    endpoint: Endpoint,
    request: NexusHttpRequest,
    { principal, gateway }: Caller,
    given: Pick<StartToAccept, 'start' | 'callback' | 'first'>,
  ) {
    const { name, target, queues } = endpoint;
    const now = clock.now();
    const policy = retryPolicy(effectiveSettings(endpoint, now));
    const start: StartToAccept = { ...given, principal, endpoint: name, ...target, request, policy, queues };
    const kept = await operations.accept(acceptStart(start, now)).catch((error: unknown) => {
      // Another attempt would be as large.
      if (error instanceof RecordTooLargeError) throw bad(error.message);
      throw error;
    });
    // A direct start of this key may have kept its answer, and that was lost on its way.
    return formatTold(toldOf(kept), request, gateway);
  }

  async function cancel(endpoint: Endpoint, { principal }: Caller, request: CancelRequest) {
    const { token, service, operation } = request;
    const record = await store.get(token);
    const isTheirs = record?.principal === principal && record.endpoint === endpoint.name;
    if (isTheirs && record.retainUntil > clock.now()) {
      await operations.cancel(record);
      return formatCancelResponse();
    }
    // A handler may have passed on, as its own, the token that it got from another endpoint.
    if (!isQueued(endpoint, request)) return undefined;
    // Whoever asks for the operation of somebody else is told what one is told that asks for none.
    throw new HandlerError('NOT_FOUND', `operation '${service}/${operation}' has no operation of this token`, {
      stackTrace: '',
    });
  }

  return {
    async answer(endpoint, request, caller) {
      const parsed = parseBelow(endpoint, request, caller);
      if (parsed === undefined) return undefined;
      if (parsed.kind === 'cancel') {
        return parseToken(parsed.token) === undefined ? undefined : cancel(endpoint, caller, parsed);
      }
      if (!isQueued(endpoint, parsed)) return undefined;
      const callback = callbackOf(parsed, request, callbacksOf(endpoint));
      return accept(endpoint, request, caller, { start: parsed, callback });
    },

    async absorb(endpoint, request, caller, absorption) {
      const start = hasQueue(endpoint) ? parseBelow(endpoint, request, caller) : undefined;
      if (start?.kind !== 'start') return undefined;
      const { reason } = absorption;
      const now = clock.now();
      const policy = retryPolicy(effectiveSettings(endpoint, now));
      if (reason === 'failure' && (policy.attempts === 1 || !absorbsFailures(endpoint, start))) return undefined;
      const check = checkCallback(start.callbackUrl, callbacksOf(endpoint));
      const isPolled = check.kind === 'none' && prefersAsync(request);
      if (check.kind !== 'allowed' && !isPolled) return undefined;
      const callback = check.kind === 'allowed' ? storedCallback(check.url, start) : undefined;
      const first =
        reason === 'failure'
          ? secondAttempt(absorption.message, policy, { now, random: random() })
          : { attempt: 1, nextAttemptAt: now + spreadOut(absorption.delayMs, random()) };
      return accept(endpoint, request, caller, { start, callback, first });
    },
  };
}

function absorbsFailures({ absorbFailures = [] }: Endpoint, { service, operation }: StartRequest): boolean {
  return absorbFailures.includes(`${service}/${operation}`);
}

/** Where the first attempt was a direct delivery, which failed. */
function secondAttempt(message: string, policy: RetryPolicy, { now, random }: Moment): FirstAttempt {
  const lastFailure = { at: now, attempt: 1, message };
  return { attempt: 2, nextAttemptAt: now + retryDelayMs(1, policy, random), lastFailure };
}

function isQueued({ queued = [] }: Endpoint, { service, operation }: StartRequest | CancelRequest): boolean {
  return queued.includes(`${service}/${operation}`);
}

/**
 * Where the completion goes; `undefined` where the caller says that it polls.
 *
 * @throws HandlerError BAD_REQUEST where there is neither, or the callback is not allowed: only an answer with a token
 * can be given, and nobody would ever hear of the result
 */
function callbackOf(
  start: StartRequest,
  request: NexusHttpRequest,
  policy: CallbackPolicy,
): StoredCallback | undefined {
  const check = checkCallback(start.callbackUrl, policy);
  switch (check.kind) {
    case 'allowed':
      return storedCallback(check.url, start);
    case 'refused':
      throw bad(check.reason);
    case 'none':
      if (prefersAsync(request)) return undefined;
      throw bad(
        `operation '${start.service}/${start.operation}' is delivered through a queue, and answers with a token: give it a ` +
          'callback for the result (?callback=URL), or send "Prefer: respond-async" and ask for the result by its token',
      );
  }
}

function storedCallback({ href: url }: URL, { callbackHeaders: headers }: StartRequest): StoredCallback {
  return { url, headers };
}

/** RFC 7240: a list of preferences. */
export function prefersAsync({ headers }: NexusHttpRequest): boolean {
  return (headers[HEADER.prefer] ?? '')
    .split(',')
    .some((preference) => /^\s*respond-async\s*(?:;|$)/i.test(preference));
}

/** How an endpoint's operations are tried again. */
export function retryPolicy(settings: EndpointSettings): RetryPolicy {
  const { retryInitialMs, retryMaxMs, retryAttempts, poisonAttempts } = settings;
  return {
    initialMs: retryInitialMs ?? SETTINGS.retryInitialMs.default ?? DEFAULT_RETRY_POLICY.initialMs,
    maxMs: retryMaxMs ?? SETTINGS.retryMaxMs.default ?? DEFAULT_RETRY_POLICY.maxMs,
    ...(retryAttempts !== undefined && { attempts: retryAttempts }),
    poisonAttempts: poisonAttempts ?? SETTINGS.poisonAttempts.default ?? DEFAULT_RETRY_POLICY.poisonAttempts,
  };
}

function bad(message: string): HandlerError {
  return new HandlerError('BAD_REQUEST', message, { stackTrace: '' });
}
