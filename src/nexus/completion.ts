import { HandlerError, type Link } from 'nexus-rpc';
import { contentToPayload, payloadToContent } from './content.ts';
import { type Failure, fromNexusFailure, parseFailure } from './failure.ts';
import { checkedHeaders, HEADER, isReceivableHeader, isTransportHeader, lowerCased } from './headers.ts';
import { formatLinks, parseLinks } from './links.ts';
import { isJson } from './media-type.ts';
import type { Headers } from './message.ts';
import { asCanceled, toOldNexusFailure } from './old-failure.ts';
import type { Payload } from './payload.ts';
import type { ProtoFailure } from './proto-failure.ts';
import { quote } from './quote.ts';
import { tokenProblem } from './token.ts';

/** How an asynchronous operation ended, as its caller's callback is told. */
export type Completion = CompletionEnvelope &
  (
    | { readonly state: 'succeeded'; readonly payload: Payload }
    | { readonly state: 'failed' | 'canceled'; readonly failure: ProtoFailure }
  );

interface CompletionEnvelope {
  /** The operation's token; for a completion that overtakes the answer to its start. */
  readonly token?: string | undefined;
  /** When the operation started, in whole seconds. Without it Temporal 1.29 to 1.31 write the year 1 into the history. */
  readonly startTime?: Date | undefined;
  readonly closeTime?: Date | undefined;
  readonly links: readonly Link[];
  /** What the start carried as `Nexus-Callback-*`, without the prefix. Temporal's token has to be there byte by byte. */
  readonly callbackHeaders: Headers;
}

/** A completion as it goes to the callback URL, by POST. */
export interface CompletionRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

// The three forms that HTTP has for a date; and RFC 3339.
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -](?:\d\d|[1-9]\d{3}) \d\d:\d\d:\d\d GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [1-9]\d{3}$/;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Writes a completion in the one form that every Temporal server reads. Callback headers go as they are, and count
 * where one says the same as a member; only those that would change state, content or framing are left out.
 *
 * @throws TypeError for a value that no header can carry, and for a date that is none.
 */
export function formatCompletion(completion: Completion): CompletionRequest {
  const { state, token, startTime, closeTime, links } = completion;
  const problem = token === undefined ? undefined : tokenProblem(token);
  if (problem !== undefined) throw new TypeError(`the operation token ${problem}`);
  const content =
    completion.state === 'succeeded' ? payloadToContent(completion.payload) : failureContent(state, completion.failure);
  return {
    headers: checkedHeaders({
      ...(token !== undefined && { [HEADER.operationToken]: token }),
      ...(startTime && { [HEADER.operationStartTime]: valid(startTime).toUTCString() }),
      ...(closeTime && { [HEADER.operationCloseTime]: valid(closeTime).toISOString() }),
      ...(links.length > 0 && { [HEADER.link]: formatLinks(links) }),
      ...Object.fromEntries(
        Object.entries(lowerCased(completion.callbackHeaders)).filter(([name]) => !isTransportHeader(name)),
      ),
      [HEADER.operationState]: state,
      ...content.headers,
    }),
    body: content.body,
  };
}

/**
 * Reads a completion that came to a callback. Its `callbackHeaders` are all that is neither Nexus's own nor of the one
 * HTTP message.
 *
 * @throws HandlerError BAD_REQUEST where it is none.
 */
export function parseCompletion({ headers, body }: { headers: Headers; body: Uint8Array }): Completion {
  const illegal = Object.entries(headers).find(([name, value]) => !isReceivableHeader(name, value));
  if (illegal) throw bad(`header ${quote(illegal[0])} holds characters that no HTTP header can`);
  const token = headers[HEADER.operationToken] || undefined;
  const problem = token === undefined ? undefined : tokenProblem(token);
  if (problem !== undefined) throw bad(`the operation token ${problem}`);
  const envelope = {
    token,
    startTime: parseDate(headers, HEADER.operationStartTime, [HTTP_DATE, ASCTIME]),
    closeTime: parseDate(headers, HEADER.operationCloseTime, [RFC_3339]),
    links: parseLinks(headers[HEADER.link] ?? ''),
    callbackHeaders: Object.fromEntries(Object.entries(headers).filter(([name]) => !isOwnHeader(name))),
  };
  const state = headers[HEADER.operationState];
  switch (state) {
    case 'succeeded':
      return { ...envelope, state, payload: contentToPayload(headers, body) };
    case 'canceled':
      return { ...envelope, state, failure: asCanceled(parseBody(headers, body)) };
    case 'failed':
      return { ...envelope, state, failure: parseBody(headers, body) };
    default:
      throw bad(`Nexus-Operation-State is ${quote(state ?? '')}; it takes succeeded, failed or canceled`);
  }
}

/** The failure inside, not an OperationError around it: 1.29 would take that for the cause itself. */
function failureContent(state: string, failure: ProtoFailure): { headers: Record<string, string>; body: Uint8Array } {
  const inner: Failure = toOldNexusFailure(state === 'canceled' ? asCanceled(failure) : failure);
  return {
    headers: { [HEADER.contentType]: 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(inner)),
  };
}

function parseBody(headers: Headers, body: Uint8Array): ProtoFailure {
  if (!isJson(headers[HEADER.contentType])) throw bad('a failure must be application/json');
  try {
    return fromNexusFailure(parseFailure(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))));
  } catch (cause) {
    throw bad(`the body is no Nexus failure: ${(cause as Error).message}`, cause);
  }
}

function isOwnHeader(name: string): boolean {
  return (
    isTransportHeader(name) || name === HEADER.userAgent || name === HEADER.link || name.startsWith('nexus-operation-')
  );
}

function parseDate(headers: Headers, name: string, forms: readonly RegExp[]): Date | undefined {
  const text = headers[name] || undefined;
  if (text === undefined) return undefined;
  // A date in the manner of C's asctime names no zone, and means GMT.
  const date = new Date(ASCTIME.test(text) ? `${text} GMT` : text);
  if (!forms.some((form) => form.test(text)) || Number.isNaN(date.getTime())) {
    throw bad(`${name} is ${quote(text)}; it takes ${forms.includes(RFC_3339) ? 'RFC 3339' : 'an HTTP date in GMT'}`);
  }
  return date;
}

function valid(date: Date): Date {
  const year = date.getUTCFullYear();
  if (year >= 1000 && year <= 9999) return date;
  throw new TypeError(`a date in the years 1000 to 9999 is needed; ${String(date)} was given`);
}

function bad(message: string, cause?: unknown): HandlerError {
  return new HandlerError('BAD_REQUEST', message, { cause });
}
