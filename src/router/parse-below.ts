import { HandlerError } from 'nexus-rpc';
import type { NexusHttpRequest } from '../nexus/message.ts';
import { type CancelRequest, parseRequest, type StartRequest } from '../nexus/request.ts';
import type { Caller } from './caller.ts';
import type { Endpoint } from './ports.ts';

/**
 * What the handler's own parser would make of a request; `undefined` for what that refuses, which is left to it, since it
 * says why. `request.path` is below the endpoint's base URL.
 */
export function parseBelow(
  endpoint: Pick<Endpoint, 'services'>,
  request: NexusHttpRequest,
  { gateway }: Pick<Caller, 'gateway'>,
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
