import { isUtf8 } from 'node:buffer';
import { type EndpointPath, splitEndpointPath } from '../nexus/endpoint-path.ts';
import { lowerCased } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import type { ContractQuery, Gateway, LambdaHttpResult, NexusInvocation } from './invocation.ts';

/** API Gateway ends an HTTP API's integration after 30 s (AWS quota "Maximum integration timeout"). */
export const HTTP_API_TIMEOUT_MS = 30_000;

/** An API Gateway HTTP API or Function URL event, payload format 2.0: the members that are used. */
export interface HttpEventV2 {
  readonly version: '2.0';
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly domainName?: string;
    readonly http: { readonly method: string };
    /** Who calls, by the authorizer of the route: the API's own for IAM and JWT, or a Lambda function. */
    readonly authorizer?: {
      readonly iam?: { readonly userArn: string };
      readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> };
      readonly lambda?: Readonly<Record<string, unknown>> | null;
    };
  };
}

/** One request to a Lambda handler, from whichever event brought it. */
export interface LambdaRequest {
  readonly endpoint: string;
  readonly request: NexusHttpRequest;
  /** Milliseconds that whoever is in front still waits; undefined where nothing in front sets a limit. */
  readonly gatewayMs: number | undefined;
  /** How the path comes: as it was sent, decoded by an HTTP API, or either, as nothing says of a Function URL. */
  readonly path: 'escaped' | 'decoded' | 'either';
  /** Whether what is in front adds a Content-Type to an answer without one. */
  readonly addsContentType: boolean;
}

/** Fails with a TypeError for an event that is no Nexus request: a wrong trigger is wired to the function. */
export function parseLambdaEvent(event: unknown): LambdaRequest {
  if (isInvocation(event)) {
    const { method, path, query, headers, body } = event.request;
    return {
      endpoint: event.endpoint,
      request: { method, path, query, headers, body: fromBase64(body) },
      gatewayMs: event.timeoutMs,
      ...habitsOf(event.gateway),
    };
  }
  if (isHttpEvent(event)) {
    const request = httpRequestOf(event);
    const { endpoint, path } = splitEndpointPath(request.path) ?? withoutEndpoint(request.path);
    const gateway = gatewayOf(event);
    return {
      endpoint,
      request: { ...request, path },
      gatewayMs: gateway === 'http-api' ? HTTP_API_TIMEOUT_MS : undefined,
      ...habitsOf(gateway),
    };
  }
  throw new TypeError(
    'this event is no Nexus request; expected an invocation from the nexus-lambda router or an API Gateway HTTP API or ' +
      `Function URL event of payload format 2.0, got ${describe(event)}`,
  );
}

/** Left to the parser, whose NOT_FOUND says which paths exist: all of them begin with a slash. */
function withoutEndpoint(path: string): EndpointPath {
  return { endpoint: '', path: path.replace(/^\/+/, '') };
}

function habitsOf(gateway: Gateway | undefined): Pick<LambdaRequest, 'path' | 'addsContentType'> {
  switch (gateway) {
    case 'http-api':
      return { path: 'decoded', addsContentType: true };
    case 'function-url':
      return { path: 'either', addsContentType: true };
    case undefined:
      return { path: 'escaped', addsContentType: false };
  }
}

/** Which front door of AWS an event came through. */
export function gatewayOf({ requestContext }: HttpEventV2): Gateway {
  return requestContext.domainName?.includes('.lambda-url.') === true ? 'function-url' : 'http-api';
}

/** The request in an event, with the whole path as it is there. */
export function httpRequestOf(event: HttpEventV2): NexusHttpRequest {
  return {
    method: event.requestContext.http.method,
    path: event.rawPath,
    query: event.rawQueryString ?? '',
    headers: lowerCased(event.headers ?? {}),
    body: event.isBase64Encoded ? fromBase64(event.body ?? '') : new TextEncoder().encode(event.body ?? ''),
  };
}

export function isContractQuery(event: unknown): event is ContractQuery {
  return isObject(event) && event.nexusContract === 1;
}

/** The answer as Lambda hands it to API Gateway, a Function URL or the router. */
export function toLambdaResult(response: NexusHttpResponse): LambdaHttpResult {
  const { status, headers, body } = response;
  const textual = headers['content-type'] === 'application/json' && isUtf8(body);
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return {
    statusCode: status,
    headers,
    body: buffer.toString(textual ? 'utf8' : 'base64'),
    isBase64Encoded: !textual && body.length > 0,
  };
}

function isInvocation(event: unknown): event is NexusInvocation {
  return isObject(event) && event.nexusInvocation === 1;
}

export function isHttpEvent(event: unknown): event is HttpEventV2 {
  return (
    isObject(event) && event.version === '2.0' && typeof event.rawPath === 'string' && isObject(event.requestContext)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function describe(event: unknown): string {
  return isObject(event) ? `an object with ${Object.keys(event).slice(0, 8).join(', ') || 'no members'}` : typeof event;
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
