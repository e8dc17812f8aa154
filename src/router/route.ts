import { HandlerError } from 'nexus-rpc';
import type { Gateway } from '../handler/invocation.ts';
import { splitEndpointPath } from '../nexus/endpoint-path.ts';

/** A request's path, taken apart at the endpoint. */
export interface Route {
  /** Decoded. */
  readonly endpoint: string;
  /** Below the endpoint's base URL, as it came, with its leading slash; `/` for the base URL itself. */
  readonly path: string;
}

/** The paths that exist, for messages. */
export const KNOWN_PATHS =
  'POST /nexus/endpoints/{endpoint}/services/{service}/{operation} and the same with /cancel at its end';

/** The path of an endpoint's base URL. */
export function endpointPath(endpoint: string): string {
  return `/nexus/endpoints/${encodeURIComponent(endpoint)}/services`;
}

/**
 * Takes `/nexus/endpoints/{endpoint}/services/{rest}` apart, with or without a prefix in front of it, such as the
 * `/basic` of a route or the mapping of a custom domain. Fails with NOT_FOUND for any other path, and with BAD_REQUEST
 * where the endpoint's name is not well escaped.
 *
 * @param gateway what the path came through, if anything. It matched the path against policies and routes, so that the
 *   name is taken as it is then: another one must not come out of it.
 */
export function parseRoute(path: string, gateway?: Gateway): Route {
  const split = splitEndpointPath(path);
  if (split === undefined)
    throw new HandlerError('NOT_FOUND', `nothing is at "${excerpt(path)}"; there is ${KNOWN_PATHS}`);
  return gateway === undefined ? { ...split, endpoint: decodeEndpoint(split.endpoint) } : split;
}

function decodeEndpoint(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new HandlerError(
      'BAD_REQUEST',
      `the endpoint's name "${excerpt(segment)}" is not percent-encoded UTF-8; escape it as encodeURIComponent does`,
      { cause },
    );
  }
}

function excerpt(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
