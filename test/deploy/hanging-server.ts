import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on 127.0.0.1 that answers nobody until it is told to. */
export interface HangingServer {
  readonly url: string;
  /** How many wait for an answer. */
  waiting(): number;
  /** Answers them. */
  release(): void;
  close(): void;
}

export async function openHangingServer(): Promise<HangingServer> {
  const responses = new Set<ServerResponse>();
  const server = createServer((_request, response) => {
    responses.add(response);
    response.on('close', () => responses.delete(response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: () => responses.size,
    release() {
      for (const response of responses) response.end();
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
