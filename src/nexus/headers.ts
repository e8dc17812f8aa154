import type { Headers } from './message.ts';
import { quote } from './quote.ts';

/** Names of the header fields that mean something on the Nexus wire, lower case. */
export const HEADER = {
  contentType: 'content-type',
  contentEncoding: 'content-encoding',
  userAgent: 'user-agent',
  requestTimeout: 'request-timeout',
  operationTimeout: 'operation-timeout',
  requestId: 'nexus-request-id',
  link: 'nexus-link',
  operationToken: 'nexus-operation-token',
  operationState: 'nexus-operation-state',
  operationStartTime: 'nexus-operation-start-time',
  operationCloseTime: 'nexus-operation-close-time',
  retryable: 'nexus-request-retryable',
  failureSupport: 'temporal-nexus-failure-support',
  failureSource: 'temporal-nexus-failure-source',
  prefer: 'prefer',
} as const;

/** What precedes the name of a header field that the caller wants back with the completion. */
export const CALLBACK_PREFIX = 'nexus-callback-';

const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a header value may not hold is control characters
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const CREDENTIALS = /^(?:authorization|cookie|proxy-authorization|x-amz-.*)$/i;
const TRANSPORT =
  /^(?:content-.*|accept-encoding|connection|expect|host|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/;

/** The fields with their names in lower case. */
export function lowerCased(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The `Nexus-Callback-*` fields without their prefix: what a completion carries back, verbatim. */
export function callbackHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(CALLBACK_PREFIX) && name !== CALLBACK_PREFIX)
      .map(([name, value]) => [name.slice(CALLBACK_PREFIX.length), value]),
  );
}

/** All fields but those that prove who calls: `Authorization`, `Cookie`, `Proxy-Authorization` and `X-Amz-*`. */
export function withoutCredentials(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.test(name)));
}

/** Whether a field describes one HTTP message (its framing, connection or content) and nothing that outlives it. */
export function isTransportHeader(name: string): boolean {
  return TRANSPORT.test(name);
}

/** Whether a field of this name and value could have come over HTTP; values beyond Latin-1 pass. */
export function isReceivableHeader(name: string, value: string): boolean {
  return NAME.test(name) && !CONTROL.test(value);
}

/** Whether a field of this name and value goes over HTTP, and arrives as it was sent. */
export function isSendableHeader(name: string, value: string): boolean {
  return NAME.test(name) && VALUE.test(value);
}

/**
 * The fields, known to be sendable: no CR, LF or other byte that would end the field and begin another.
 *
 * @throws TypeError that names the field, and not its value: that may be a secret.
 */
export function checkedHeaders(headers: Headers): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (!isSendableHeader(name, value)) {
      throw new TypeError(
        `header ${quote(name)} cannot be sent: a name takes the characters of an HTTP token, and a value takes no control ` +
          'characters, none beyond U+00FF, and no space at its ends',
      );
    }
  }
  return { ...headers };
}
