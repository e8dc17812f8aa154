import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import type { Certificate } from './self-signed-certificate.ts';

export interface ReceivedCompletion {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** What TLS was told that the server's name is; nothing where it was told none, or there is no TLS. */
  readonly servername?: string;
}

/** A callback on 127.0.0.1 that keeps what it got. */
export interface CallbackServer {
  readonly port: number;
  readonly received: readonly ReceivedCompletion[];
  /** TCP connections that were made to it, whether or not a request came over them. */
  readonly connections: () => number;
  /** Those of them that are still open. */
  readonly open: () => number;
  close(): Promise<void>;
}

/** Opens a callback that answers with `answer` once it has read the request; an HTTPS one with a certificate. */
export async function openCallback(answer: RequestListener, certificate?: Certificate): Promise<CallbackServer> {
  const received: ReceivedCompletion[] = [];
  const listener: RequestListener = async (request, response) => {
    const { method = '', url = '', headers } = request;
    const { servername } = request.socket as TLSSocket;
    received.push({ method, url, headers, body: await buffer(request), ...(servername && { servername }) });
    answer(request, response);
  };
  const server: Server = certificate ? createSecureServer({ ...certificate }, listener) : createServer(listener);
  let connections = 0;
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections++;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connections: () => connections,
    open: () => open.size,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

/** A network of the test's own, in which an address is a server on 127.0.0.1. */
export interface CallbackNetwork {
  /** Addresses that were connected to, in order. */
  readonly dialed: readonly string[];
  connect(options: TcpNetConnectOpts): Socket;
}

/** The first address that Node would try is connected to. `arrive` says where that leads, if not there. */
export function createNetwork(port: number, { arrive }: { arrive?: string } = {}): CallbackNetwork {
  const dialed: string[] = [];
  return {
    dialed,
    connect({ host = '', lookup }) {
      const address = isIP(host) ? host : firstOf(host, lookup);
      dialed.push(address);
      const socket = connect(port, '127.0.0.1');
      return Object.defineProperty(socket, 'remoteAddress', { value: arrive ?? address });
    },
  };
}

function firstOf(host: string, lookup: LookupFunction | undefined): string {
  let first = '';
  lookup?.(host, { all: true }, (_error, addresses) => {
    first = (addresses as { address: string }[])[0]?.address ?? '';
  });
  return first;
}
