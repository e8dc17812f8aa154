import { type Failure, parseFailure } from '../nexus/failure.ts';
import { HEADER } from '../nexus/headers.ts';
import { isJson } from '../nexus/media-type.ts';
import type { Headers } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import { ForbiddenAddress } from './address-guard.ts';
import type { CompletionResult } from './completion-transitions.ts';

/** How a completion fared, and, where it will go on like that until a person does something, what that is. */
export type PostResult =
  | Exclude<CompletionResult, { kind: 'retry' }>
  | (Extract<CompletionResult, { kind: 'retry' }> & {
      /** What to mend. */
      readonly alarm?: string;
    });

/** What a callback answered. */
export interface CallbackAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Empty where it was cut off. */
  readonly body: Uint8Array;
}

const FAILURE_MEMBERS: readonly string[] = ['message', 'stackTrace', 'metadata', 'details', 'cause'];

/** What API Gateway and Kong answer where they have no route, in JSON that could be a Nexus failure. */
const NO_ROUTE = /^(?:not found|no route matched with those values)$/i;

/**
 * What an answer means for a completion. `text` shows a text of the endpoint's, without what it was sent.
 *
 * - 2xx: delivered.
 * - 404 with a Nexus failure: refused. The operation is unknown or over. Without: retried, an ingress without a route.
 * - 401 and 403: retried, with an alarm; credentials can be mended on either side.
 * - 408, 425, 429, 5xx: retried; 429 and 503 not before the time that their `Retry-After` says, an hour at most.
 * - 302, 303, 307: retried, with an alarm; a page for maintenance or for signing in stands before the endpoint.
 * - Everything else (400; 301 and 308; 405, 409, 410, 413 and so on): dead-lettered, since the same request will get the
 *   same answer. Nothing is lost: it can be sent again once somebody has mended what was wrong.
 *
 * Where the endpoint says itself whether to try again (`Nexus-Request-Retryable`, `retryableOverride`), that decides all but
 * 2xx, 401 and 403.
 */
export function resultOfAnswer(origin: string, answer: CallbackAnswer, text: (said: string) => string): PostResult {
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const failure = failureOf(answer);
  const said = failure?.message ? `: ${quote(text(failure.message))}` : '';
  const message = `${origin} answered ${status}${said}`;
  if (status === 401 || status === 403) {
    const alarm = `give what ${origin} lets completions in by as its authorization in allowedCallbacks, or mend its access`;
    return { kind: 'retry', message, alarm };
  }
  const retryable = retryableOf(failure, headers);
  const retryAfterMs = status === 429 || status === 503 ? retryAfterOf(headers) : undefined;
  const later = { kind: 'retry', message, ...(retryAfterMs !== undefined && { retryAfterMs }) } as const;
  if (retryable === true) return later;
  if (status === 404) return { kind: failure && isNexus(failure) ? 'refused' : 'retry', message };
  if (retryable === false) return { kind: 'dead-lettered', message };
  if (status === 302 || status === 303 || status === 307) {
    const alarm = `take away what redirects completions at ${origin}, such as a page for signing in or for maintenance`;
    return { kind: 'retry', message: `${message}, a redirect, which is not followed`, alarm };
  }
  if (status >= 500 || status === 408 || status === 425 || status === 429) return later;
  if (status === 301 || status === 308) {
    return { kind: 'dead-lettered', message: `${message}: the callback URL has moved; redirects are not followed` };
  }
  return { kind: 'dead-lettered', message };
}

/** What it means that there was no answer: it is tried again, whatever the reason. */
export function resultOfError(origin: string, error: unknown): PostResult {
  // Several addresses were tried, each with an error of its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { message, code } = first instanceof Error ? (first as NodeJS.ErrnoException) : { message: String(first) };
  const alarm =
    first instanceof ForbiddenAddress
      ? `let ${origin} resolve to addresses that completions may go to; private ones take allowPrivateAddresses: true`
      : /CERT|SIGNATURE|HOSTNAME_MISMATCH/.test(code ?? '')
        ? `renew the certificate of ${origin}, or give its private authority as its ca in allowedCallbacks`
        : undefined;
  return { kind: 'retry', message: `${origin} did not answer: ${message || code}`, ...(alarm && { alarm }) };
}

/** `undefined` for everything but JSON with the members of a Nexus failure and no others. */
function failureOf({ headers, body }: CallbackAnswer): Failure | undefined {
  if (!isJson(headers[HEADER.contentType])) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    const failure = parseFailure(value);
    return Object.keys(Object(value)).every((member) => FAILURE_MEMBERS.includes(member)) ? failure : undefined;
  } catch {
    // Not one of Nexus, and nothing hangs on what else it is.
    return undefined;
  }
}

function isNexus({ metadata, message }: Failure): boolean {
  return metadata?.type !== undefined || (message !== '' && !NO_ROUTE.test(message));
}

function retryableOf(failure: Failure | undefined, headers: Headers): boolean | undefined {
  const override = failure?.details?.retryableOverride;
  if (typeof override === 'boolean') return override;
  const header = headers[HEADER.retryable]?.toLowerCase();
  return header === 'true' || header === 'false' ? header === 'true' : undefined;
}

/**
 * Milliseconds of `Retry-After` (RFC 9110): seconds, or a date. A date counts from the answer's own, so that the two clocks
 * need not agree.
 */
function retryAfterOf({ 'retry-after': given = '', date = '' }: Headers): number | undefined {
  if (/^\d{1,9}$/.test(given)) return Number(given) * 1_000;
  const ms = Date.parse(given) - Date.parse(date);
  return ms > 0 ? ms : undefined;
}
