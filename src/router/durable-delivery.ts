import { HandlerError } from 'nexus-rpc';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { type CancelRequest, parseRequest, type StartRequest } from '../nexus/request.ts';
import { formatCancelResponse, formatStartResponse } from '../nexus/response.ts';
import { acceptStart } from '../operations/accept-start.ts';
import { type CallbackPolicy, checkCallback } from '../operations/callback-rules.ts';
import { RecordTooLargeError } from '../operations/errors.ts';
import { parseToken } from '../operations/operation-token.ts';
import type { Operations } from '../operations/operations.ts';
import type { OperationStore } from '../operations/ports.ts';
import type { StoredCallback } from '../operations/record.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from '../operations/retry-policy.ts';
import type { Caller } from './caller.ts';
import type { Clock, Endpoint } from './ports.ts';
import { SETTINGS } from './settings.ts';

export interface DurableDeliveryDeps {
  readonly operations: Operations;
  readonly store: Pick<OperationStore, 'get'>;
  readonly clock: Clock;
  /** Where completions of an endpoint's operations may go. */
  readonly callbacksOf: (endpoint: Endpoint) => CallbackPolicy;
}

/** Answers what is about operations that are delivered durably. */
export interface DurableDelivery {
  /**
   * The answer to a start of an operation that its endpoint queues, or to a cancel of one that was; `undefined` for all
   * else, which is the handler's. `request.path` is below the endpoint's base URL.
   */
  answer(endpoint: Endpoint, request: NexusHttpRequest, caller: Caller): Promise<NexusHttpResponse | undefined>;
}

/** Makes it. */
export function createDurableDelivery({ operations, store, clock, callbacksOf }: DurableDeliveryDeps): DurableDelivery {
  async function start(endpoint: Endpoint, request: NexusHttpRequest, { principal }: Caller, parsed: StartRequest) {
    const callback = callbackOf(parsed, request, callbacksOf(endpoint));
    const { name, target, settings, queues } = endpoint;
    const given = {
      principal,
      endpoint: name,
      ...target,
      request,
      start: parsed,
      callback,
      policy: retryPolicy(settings),
      queues,
    };
    const { token } = await operations.accept(acceptStart(given, clock.now())).catch((error: unknown) => {
      // Another attempt would be as large.
      if (error instanceof RecordTooLargeError) throw bad(error.message);
      throw error;
    });
    return formatStartResponse({ kind: 'async', token, links: [] });
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
      const parsed = parseStartOrCancel(endpoint, request, caller);
      if (parsed === undefined) return undefined;
      if (parsed.kind === 'cancel') {
        return parseToken(parsed.token) === undefined ? undefined : cancel(endpoint, caller, parsed);
      }
      return isQueued(endpoint, parsed) ? start(endpoint, request, caller, parsed) : undefined;
    },
  };
}

/** What the handler's own parser would make of it; what that refuses is left to it, since it says why. */
export function parseStartOrCancel(
  endpoint: Endpoint,
  request: NexusHttpRequest,
  { gateway }: Caller,
): StartRequest | CancelRequest | undefined {
  const ways = gateway === undefined ? [undefined] : [{ decodedPath: endpoint.services }, undefined];
  for (const options of ways) {
    try {
      return parseRequest(request, options);
    } catch (error) {
      if (!(error instanceof HandlerError)) throw error;
    }
  }
  return undefined;
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
      return { url: check.url.href, headers: start.callbackHeaders };
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

/** RFC 7240: a list of preferences. */
export function prefersAsync({ headers }: NexusHttpRequest): boolean {
  return (headers[HEADER.prefer] ?? '')
    .split(',')
    .some((preference) => /^\s*respond-async\s*(?:;|$)/i.test(preference));
}

/** How an endpoint's operations are tried again. */
export function retryPolicy(settings: Endpoint['settings'] = {}): RetryPolicy {
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
