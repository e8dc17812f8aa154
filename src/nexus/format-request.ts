import { payloadToContent } from './content.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { CALLBACK_PREFIX, checkedHeaders, HEADER, isTransportHeader, lowerCased } from './headers.ts';
import { formatLinks } from './links.ts';
import type { Headers, NexusHttpRequest } from './message.ts';
import { formatPath } from './path.ts';
import { quote } from './quote.ts';
import type { CancelRequest, StartRequest } from './request.ts';
import { tokenProblem } from './token.ts';

/**
 * Writes a Nexus request for a client to send; the reverse of `parseRequest`. Of a header and a member that say
 * the same, the member counts. `tokenIn` is where a cancel carries its token: `header`, the default, is what the
 * specification has; `path` is for handlers older than it.
 *
 * @throws TypeError for what cannot go into a URL or header, RangeError for a timeout that is none.
 */
export function formatRequest(
  request: StartRequest | CancelRequest,
  options: { readonly tokenIn?: 'header' | 'query' | 'path' } = {},
): NexusHttpRequest {
  const { kind, service, operation } = request;
  const headers = lowerCased(request.headers);
  const framing = Object.keys(headers).find((name) => isTransportHeader(name) || name.startsWith(CALLBACK_PREFIX));
  if (framing !== undefined) {
    throw new TypeError(
      `header ${quote(framing)} is made from the request's other members; leave it out of its headers`,
    );
  }
  const common = {
    ...headers,
    ...timeoutHeader(HEADER.requestTimeout, request.requestTimeoutMs, headers),
    ...(request.failureSupport && { [HEADER.failureSupport]: 'true' }),
  };
  if (kind === 'cancel') {
    const { token } = request;
    const problem = tokenProblem(token);
    if (problem !== undefined) throw new TypeError(`the token ${problem}`);
    const { tokenIn = 'header' } = options;
    return {
      method: 'POST',
      path: formatPath({ kind, service, operation, ...(tokenIn === 'path' && { token }) }),
      query: tokenIn === 'query' ? `token=${encodeURIComponent(token)}` : '',
      headers: checkedHeaders({ ...common, ...(tokenIn === 'header' && { [HEADER.operationToken]: token }) }),
      body: new Uint8Array(),
    };
  }
  const content = payloadToContent(request.payload);
  const { requestId, callbackUrl, links } = request;
  return {
    method: 'POST',
    path: formatPath({ kind, service, operation }),
    query: callbackUrl === undefined ? '' : `callback=${encodeURIComponent(callbackUrl)}`,
    headers: checkedHeaders({
      ...common,
      ...timeoutHeader(HEADER.operationTimeout, request.operationTimeoutMs, headers),
      ...(requestId !== undefined && { [HEADER.requestId]: requestId }),
      ...(links.length > 0 && { [HEADER.link]: formatLinks(links) }),
      ...Object.fromEntries(
        Object.entries(request.callbackHeaders).map(([name, value]) => [CALLBACK_PREFIX + name, value]),
      ),
      ...content.headers,
    }),
    body: content.body,
  };
}

/** Keeps the text that was received where it says the same: it may be finer than a millisecond. */
function timeoutHeader(name: string, ms: number | undefined, headers: Headers): Record<string, string> {
  if (ms === undefined) return {};
  const text = headers[name];
  return { [name]: text !== undefined && parseDuration(text) === ms ? text : formatDuration(ms) };
}
