import { HandlerError } from 'nexus-rpc';
import { mayCall, notAmongCallers } from '../handler/access.ts';
import type { NexusInvocation } from '../handler/invocation.ts';
import { parseDuration } from '../nexus/duration.ts';
import { withoutCredentials } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { queryParameter } from '../nexus/path.ts';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from '../nexus/request.ts';
import { checkCallback } from '../operations/callback-rules.ts';
import { type Caller, MAX_TIMEOUT_MS } from './caller.ts';
import { type DeliveryTimes, deliveryTimes } from './delivery-times.ts';
import { createDirectDelivery, type DirectDeliveryDeps } from './direct-delivery.ts';
import type { DurableDelivery } from './durable-delivery.ts';
import type { EndpointView } from './endpoint-view.ts';
import { failureResponse } from './failure-response.ts';
import type { OperationPolling } from './operation-polling.ts';
import type { Clock, Endpoint } from './ports.ts';
import { type Deduplicate, deliverOnce } from './repeated-start.ts';
import { parseRoute } from './route.ts';

/** How many endpoints the answer to an unknown name lists; beyond it a list helps nobody. */
const MAX_NAMES_LISTED = 50;

/** A look-up of an endpoint takes at most this part of what is left of the caller's time. */
const LOOK_UP_SHARE = 0.5;

/** What a router is made of. */
export interface RouterDeps extends Omit<DirectDeliveryDeps, 'durable'> {
  readonly endpoints: EndpointView;
  readonly clock: Clock;
  /** Left out where no operation is delivered through a queue, as is `polling`. */
  readonly durable?: DurableDelivery;
  readonly polling?: OperationPolling;
  /** Left out where no endpoint deduplicates. */
  readonly deduplicate?: Deduplicate;
  /** All names, for the answer to an unknown one. Left out where callers should not learn of each other's endpoints. */
  readonly endpointNames?: () => Promise<readonly string[]>;
}

/**
 * Answers Nexus requests of all endpoints. `request.path` is the full path, from `/nexus/endpoints/` on.
 *
 * Whatever is wrong with the request or the handler is answered as a Nexus failure; it rejects only where the
 * registry does.
 */
export type Router = (request: NexusHttpRequest, caller: Caller) => Promise<NexusHttpResponse>;

/** Makes the router of these endpoints. A handler gets what is left of `Request-Timeout`, 30 s at most. */
export function createRouter(deps: RouterDeps): Router {
  const { endpoints, clock, durable, polling, deduplicate, endpointNames } = deps;
  const deliverDirectly = createDirectDelivery(deps);

  async function deliver(request: NexusHttpRequest, caller: Caller, leftMs: () => number): Promise<NexusHttpResponse> {
    refuseOversize(request);
    const route = parseRoute(request.path, caller.gateway);
    const headers = withoutCredentials(request.headers);
    const endpoint = await findEndpoint(route.endpoint, caller.principal, leftMs);
    refuseCallback(endpoint, request);
    const below = { ...request, path: route.path, headers };
    const within = { ...caller, gatewayMs: leftMs() };
    const answered =
      (await polling?.answer(endpoint, below, within)) ?? (await durable?.answer(endpoint, below, within));
    if (answered !== undefined) return answered;
    const arrived = { endpoint, request: below, caller, leftMs: () => timesOf(leftMs(), caller).waitMs };
    return deliverOnce(deduplicate, arrived, () =>
      deliverDirectly({
        ...{ endpoint, caller, request: below },
        times: () => timesOf(leftMs(), caller),
        invocationOf: (handlerMs) => invocationOf(endpoint, below, caller, handlerMs),
      }),
    );
  }

  function invocationOf(
    endpoint: Endpoint,
    request: NexusHttpRequest,
    caller: Caller,
    handlerMs: number,
  ): NexusInvocation {
    return {
      nexusInvocation: 1,
      endpoint: endpoint.name,
      principal: caller.principal,
      timeoutMs: handlerMs,
      ...(caller.gateway && { gateway: caller.gateway }),
      request: {
        method: request.method,
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).toString('base64'),
      },
    };
  }

  async function findEndpoint(name: string, principal: string, leftMs: () => number): Promise<Endpoint> {
    const endpoint = await inTime(endpoints.get(name), leftMs());
    if (endpoint === undefined) throw new HandlerError('NOT_FOUND', `no endpoint is named "${name}"${await others()}`);
    if (mayCall(principal, endpoint.callers)) return endpoint;
    // A denial ends the caller's operation for good: it must not come from before the caller was let in.
    const latest = await inTime(endpoints.getLatest(name), leftMs());
    if (latest !== undefined && mayCall(principal, latest.callers)) return latest;
    throw notAmongCallers(principal, name);
  }

  /** A registry that does not answer must leave time for the answer, and where an older view serves, for the handler. */
  async function inTime<T>(lookUp: Promise<T>, leftMs: number): Promise<T> {
    const timer = setTimeout(() => void endpoints.settle(0), Math.max(0, leftMs * LOOK_UP_SHARE));
    try {
      return await lookUp;
    } finally {
      clearTimeout(timer);
    }
  }

  async function others(): Promise<string> {
    if (endpointNames === undefined) return '';
    const names = (await endpointNames()).map((name) => `"${name}"`);
    if (names.length === 0) return '; there are none yet';
    const more = names.length > MAX_NAMES_LISTED ? ` and ${names.length - MAX_NAMES_LISTED} more` : '';
    return `; there is ${names.slice(0, MAX_NAMES_LISTED).join(', ')}${more}`;
  }

  return async (request, caller) => {
    const startedAt = clock.now();
    const elapsedMs = () => clock.now() - startedAt;
    const timeoutMs = timeoutOf(request.headers, caller);
    try {
      return await deliver(request, caller, () => timeoutMs - elapsedMs());
    } catch (error) {
      if (error instanceof HandlerError) return failureResponse(error.type, error.message, request);
      throw error;
    } finally {
      await endpoints.settle(Math.max(0, timesOf(timeoutMs, caller).waitMs - elapsedMs()));
    }
  };
}

function timesOf(leftMs: number, { gateway }: Caller): DeliveryTimes {
  return gateway ? deliveryTimes(leftMs) : unshared(leftMs);
}

/** In one process the handler is there at once, and its own reserve is all that is needed. */
function unshared(leftMs: number): DeliveryTimes {
  const ms = Math.max(0, leftMs);
  return { handlerMs: ms, waitMs: ms };
}

/**
 * A handler passes the callback on to its Temporal, which checks it by rules of its own; an endpoint that names allowed
 * callbacks has those checked for each start. Malformed ones are left to the handler's parser.
 */
function refuseCallback({ allowedCallbacks = [] }: Endpoint, { query }: NexusHttpRequest): void {
  if (allowedCallbacks.length === 0) return;
  const check = checkCallback(queryParameter(query, 'callback') || undefined, { allowed: allowedCallbacks });
  if (check.kind === 'refused') throw new HandlerError('BAD_REQUEST', check.reason);
}

function refuseOversize({ headers, body }: NexusHttpRequest): void {
  if (body.length > MAX_BODY_BYTES) {
    throw new HandlerError(
      'BAD_REQUEST',
      `the body has more than ${MAX_BODY_BYTES} bytes; pass a reference to what is larger`,
    );
  }
  const headerBytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new HandlerError(
      'BAD_REQUEST',
      `the headers have ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
}

/** A malformed timeout is left to the handler's parser, which refuses the request and says why. */
function timeoutOf(headers: Readonly<Record<string, string>>, { gatewayMs = MAX_TIMEOUT_MS }: Caller): number {
  const given = parseDuration(headers['request-timeout'] ?? '');
  return Math.min(given ?? MAX_TIMEOUT_MS, gatewayMs, MAX_TIMEOUT_MS);
}
