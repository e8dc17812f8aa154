import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parseRequest, type StartRequest } from '../../src/nexus/request.ts';

/** A start, before it is answered. */
export interface ReceivedStart {
  readonly start: StartRequest;
  /** Answers 201 with a token; the operation goes on. */
  answer(token: string): void;
}

/** A handler whose operations are all asynchronous, and complete when the test says so. */
export interface AsynchronousHandler {
  /** What Temporal's endpoint is given as its target. */
  readonly url: string;
  close(): Promise<void>;
}

/** Opens a handler on 127.0.0.1 that hands each start to `onStart`. Cancels are taken, and nothing comes of them. */
export async function openAsynchronousHandler(
  onStart: (received: ReceivedStart) => void,
): Promise<AsynchronousHandler> {
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const [path = '', query = ''] = url.split('?');
    const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    const request = parseRequest({ method, path, query, headers: flat, body: await buffer(incoming) });
    if (request.kind === 'cancel') {
      outgoing.writeHead(202).end();
      return;
    }
    onStart({
      start: request,
      answer: (token) => {
        outgoing.writeHead(201, { 'content-type': 'application/json' });
        outgoing.end(JSON.stringify({ token, state: 'running' }));
      },
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}
