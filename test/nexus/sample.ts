import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { type CancelRequest, parseRequest, type StartRequest } from '../../src/nexus/request.ts';

/** A start as curl would send it, but for what is given. */
export function httpRequest(given: Partial<NexusHttpRequest> = {}): NexusHttpRequest {
  return { method: 'POST', path: '/greeting/greet', query: '', headers: {}, body: new Uint8Array(), ...given };
}

export function parsedStart(given: Partial<NexusHttpRequest> = {}): StartRequest {
  return parseRequest(httpRequest(given)) as StartRequest;
}

export function parsedCancel(given: Partial<NexusHttpRequest> = {}): CancelRequest {
  return parseRequest(httpRequest({ path: '/greeting/greet/cancel', ...given })) as CancelRequest;
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function json(body: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(body));
}
