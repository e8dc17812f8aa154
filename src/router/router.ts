import { HandlerError, type HandlerErrorType } from 'nexus-rpc';
import type { NexusInvocation } from '../handler/invocation.ts';
import { HTTP_API_TIMEOUT_MS } from '../handler/lambda-event.ts';
import { parseDuration } from '../nexus/duration.ts';
import { withoutCredentials } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from '../nexus/request.ts';
import { formatFailureResponse } from '../nexus/response.ts';
import { InvokeError, type InvokeErrorReason } from './errors.ts';
import { toHttpResponse } from './lambda-result.ts';
import type { Clock, Endpoint, EndpointRegistry, Invoker } from './ports.ts';
import { parseRoute } from './route.ts';

/** Longest time that a handler gets for one request: what the gateway in front of it waits at most. */
export const MAX_TIMEOUT_MS = HTTP_API_TIMEOUT_MS;

/** How many endpoints the answer to an unknown name lists; beyond it a list helps nobody. */
const MAX_NAMES_LISTED = 50;

/** What a router is made of. */
export interface RouterDeps {
  readonly registry: EndpointRegistry;
  readonly invoker: Invoker;
  readonly clock: Clock;
}

/** Who calls, as whoever stands in front of the router authenticated them. */
export interface Caller {
  /** `iam:<role ARN>`, `basic:<user>`, `jwt:<sub>`, `local`. */
  readonly principal: string;
}

/**
 * Answers Nexus requests of all endpoints. `request.path` is the full path, from `/nexus/endpoints/` on.
 *
 * Whatever is wrong with the request or the handler is answered as a Nexus failure; it rejects only where the
 * registry does.
 */
export type Router = (request: NexusHttpRequest, caller: Caller) => Promise<NexusHttpResponse>;

/** Makes the router of these endpoints. A handler gets what is left of `Request-Timeout`, 30 s at most. */
export function createRouter({ registry, invoker, clock }: RouterDeps): Router {
  async function deliver(request: NexusHttpRequest, caller: Caller): Promise<NexusHttpResponse> {
    const startedAt = clock.now();
    refuseOversize(request);
    const route = parseRoute(request.path);
    const headers = withoutCredentials(request.headers);
    const endpoint = await findEndpoint(registry, route.endpoint);
    const invocation: NexusInvocation = {
      nexusInvocation: 1,
      endpoint: endpoint.name,
      principal: caller.principal,
      timeoutMs: Math.max(0, timeoutOf(headers) - (clock.now() - startedAt)),
      request: {
        method: request.method,
        path: route.path,
        query: request.query,
        headers,
        body: Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).toString('base64'),
      },
    };
    return toHttpResponse(await invoker.invoke(endpoint.target, invocation));
  }

  return async (request, caller) => {
    try {
      return await deliver(request, caller);
    } catch (error) {
      if (error instanceof HandlerError) return failureResponse(error.type, error.message, request);
      if (error instanceof InvokeError) return failureResponse(TYPE_OF_REASON[error.reason], error.message, request);
      throw error;
    }
  };
}

/** A failure of the router's own, in the form that this caller reads. */
export function failureResponse(
  type: HandlerErrorType,
  message: string,
  request: Pick<NexusHttpRequest, 'headers'>,
): NexusHttpResponse {
  return formatFailureResponse(
    { message, nexusHandlerFailureInfo: { type } },
    { failureSupport: request.headers['temporal-nexus-failure-support'] === 'true' },
  );
}

/** Types that a caller tries again, each of them: a new version of the handler may be on its way. */
const TYPE_OF_REASON: Record<InvokeErrorReason, HandlerErrorType> = {
  'no-handler': 'UNAVAILABLE',
  crashed: 'UNAVAILABLE',
  module: 'UNAVAILABLE',
  timeout: 'UPSTREAM_TIMEOUT',
  'bad-answer': 'INTERNAL',
};

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
function timeoutOf(headers: Readonly<Record<string, string>>): number {
  const given = parseDuration(headers['request-timeout'] ?? '');
  return given === undefined ? MAX_TIMEOUT_MS : Math.min(given, MAX_TIMEOUT_MS);
}

async function findEndpoint(registry: EndpointRegistry, name: string): Promise<Endpoint> {
  const endpoint = await registry.get(name);
  if (endpoint !== undefined) return endpoint;
  const names = (await registry.list()).map((other) => `"${other.name}"`);
  const more = names.length > MAX_NAMES_LISTED ? ` and ${names.length - MAX_NAMES_LISTED} more` : '';
  const known =
    names.length === 0 ? 'there are none yet' : `there is ${names.slice(0, MAX_NAMES_LISTED).join(', ')}${more}`;
  throw new HandlerError('NOT_FOUND', `no endpoint is named "${name}"; ${known}`);
}
