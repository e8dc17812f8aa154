import { HandlerError, type Link } from 'nexus-rpc';
import { contentToPayload, UNKNOWN_CONTENT } from './content.ts';
import { parseDuration } from './duration.ts';
import {
  CALLBACK_PREFIX,
  callbackHeaders,
  HEADER,
  isReceivableHeader,
  isSendableHeader,
  isTransportHeader,
  lowerCased,
  withoutCredentials,
} from './headers.ts';
import { parseLinks } from './links.ts';
import type { Headers, NexusHttpRequest, ServiceContract } from './message.ts';
import { parseDecodedPath, parsePath, queryParameter } from './path.ts';
import type { Payload } from './payload.ts';
import { quote } from './quote.ts';
import { isTemporalCaller } from './temporal-caller.ts';
import { tokenProblem } from './token.ts';

/** Largest body in bytes: Temporal's own limit for a request and for an answer. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** Largest sum of all header names and values in bytes: far above what Temporal lets a caller set (8 KiB). */
export const MAX_HEADER_BYTES = 64 * 1024;

/** What a start and a cancel have in common. */
interface NexusRequest {
  readonly service: string;
  readonly operation: string;
  /** Milliseconds that the caller waits for the answer; may be fractional, and 0 or less where the time is over. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * What a handler on a worker sees: everything, with lower-case names, but credentials, `Nexus-Callback-*`, and the
   * fields of the one HTTP message, `Content-*` among them, which the payload has replaced.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the caller reads failures in the form of Temporal 1.31 and later. */
  readonly failureSupport: boolean;
}

/** A request to start an operation. */
export interface StartRequest extends NexusRequest {
  readonly kind: 'start';
  /** The caller's idempotency key: the same on every attempt. */
  readonly requestId?: string | undefined;
  /** Where the completion goes: an absolute http(s) URL, or `temporal://system`. */
  readonly callbackUrl?: string | undefined;
  /** What the completion carries back, verbatim. */
  readonly callbackHeaders: Readonly<Record<string, string>>;
  readonly links: Link[];
  readonly payload: Payload;
  /** Milliseconds that the caller gives the whole operation. */
  readonly operationTimeoutMs?: number | undefined;
}

/** A request to cancel an operation. */
export interface CancelRequest extends NexusRequest {
  readonly kind: 'cancel';
  readonly token: string;
}

/**
 * Reads a Nexus request. With `decodedPath`, where a gateway has decoded the path, by the names in these contracts.
 *
 * @throws HandlerError and nothing else: NOT_FOUND where no operation could be at this path, else BAD_REQUEST. Never a
 * type whose status Temporal would retry, such as a 405 or 413.
 */
export function parseRequest(
  request: NexusHttpRequest,
  options: { readonly decodedPath?: readonly ServiceContract[] | undefined } = {},
): StartRequest | CancelRequest {
  if (request.method !== 'POST') throw bad(`the method is ${quote(request.method)}; a Nexus request is a POST`);
  if (request.body.length > MAX_BODY_BYTES) {
    throw bad(`the body has ${request.body.length} bytes; ${MAX_BODY_BYTES} are allowed`);
  }
  const received = receivedHeaders(request.headers);
  const { decodedPath } = options;
  const { token, kind, ...names } = decodedPath ? parseDecodedPath(request.path, decodedPath) : parsePath(request.path);
  const common = {
    ...names,
    requestTimeoutMs: timeout(received, HEADER.requestTimeout),
    headers: handlerHeaders(received, kind),
    failureSupport: received[HEADER.failureSupport] === 'true',
  };
  if (kind === 'cancel') return { kind, ...common, token: cancelToken(token, received, request.query) };
  return {
    kind,
    ...common,
    requestId: received[HEADER.requestId] || undefined,
    callbackUrl: callbackUrl(request.query),
    callbackHeaders: sendableCallbackHeaders(received),
    links: parseLinks(received[HEADER.link] ?? ''),
    payload: payloadOf(received, request.body),
    operationTimeoutMs: timeout(received, HEADER.operationTimeout),
  };
}

function receivedHeaders(headers: Headers): Record<string, string> {
  const received = Object.entries(lowerCased(headers)).map(([name, value]) => [name, value.trim()] as const);
  const bytes = received.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes > MAX_HEADER_BYTES) throw bad(`the headers have ${bytes} bytes; ${MAX_HEADER_BYTES} are allowed`);
  const illegal = received.find(([name, value]) => !isReceivableHeader(name, value));
  if (illegal) throw bad(`header ${quote(illegal[0])} holds characters that no HTTP header can`);
  return Object.fromEntries(received);
}

/** Less what Temporal's frontend keeps from workers (`frontend.nexusRequestHeadersBlacklist`). */
function handlerHeaders(headers: Headers, kind: 'start' | 'cancel'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(withoutCredentials(headers)).filter(
      ([name]) =>
        !isTransportHeader(name) &&
        !name.startsWith(CALLBACK_PREFIX) &&
        !name.startsWith('xdc-redirection') &&
        name !== 'x-forwarded-for' &&
        name !== HEADER.failureSupport &&
        !(kind === 'cancel' && name === HEADER.operationToken),
    ),
  );
}

function sendableCallbackHeaders(headers: Headers): Record<string, string> {
  const callback = callbackHeaders(headers);
  const illegal = Object.entries(callback).find(([name, value]) => !isSendableHeader(name, value));
  if (illegal) throw bad(`header ${quote(CALLBACK_PREFIX + illegal[0])} could not be sent back with the completion`);
  return callback;
}

function timeout(headers: Headers, name: string): number | undefined {
  const text = headers[name] || undefined;
  const ms = text && parseDuration(text);
  if (text !== undefined && ms === undefined) {
    throw bad(`${name} is ${quote(text)}; it takes a number and a unit: "1500ms", "30s", "5m", or Go's "1m30s"`);
  }
  return ms as number | undefined;
}

function cancelToken(inPath: string | undefined, headers: Headers, query: string): string {
  const token = inPath ?? (headers[HEADER.operationToken] || queryParameter(query, 'token')) ?? '';
  const problem = tokenProblem(token);
  if (problem === undefined) return token;
  throw bad(`the operation token ${problem}; it goes into the header Nexus-Operation-Token, or ?token=`);
}

function callbackUrl(query: string): string | undefined {
  const url = queryParameter(query, 'callback') || undefined;
  if (url === undefined || url === 'temporal://system') return url;
  // URL.canParse would drop control characters instead of refusing them.
  if (/^https?:\/\/[^/?#]/i.test(url) && !/[\0-\x20\x7f]/.test(url) && url.isWellFormed() && URL.canParse(url))
    return url;
  throw bad(`the callback is ${quote(url)}; it takes an absolute http or https URL, or temporal://system`);
}

/** A Temporal server may pass on content that it did not understand itself; anybody else is told what to send. */
function payloadOf(headers: Headers, body: Uint8Array): Payload {
  if (isTemporalCaller(headers)) return contentToPayload(headers, body);
  const payload = contentToPayload(headers, body, { lenient: true });
  const { encoding } = payload.metadata;
  if (encoding === undefined || new TextDecoder().decode(encoding) !== UNKNOWN_CONTENT) return payload;
  const type = headers[HEADER.contentType];
  const what = type === undefined ? 'the body has no Content-Type' : `a body of type ${quote(type)} is not understood`;
  const hint = type?.startsWith('application/x-www-form-urlencoded') ? ' (with curl: --json in place of -d)' : '';
  throw bad(
    `${what}; send application/json${hint}, application/octet-stream, application/x-protobuf; message-type="…", ` +
      'application/json; format=protobuf; message-type="…", application/x-temporal-payload, or no body and no type',
  );
}

function bad(message: string): HandlerError {
  return new HandlerError('BAD_REQUEST', message);
}
