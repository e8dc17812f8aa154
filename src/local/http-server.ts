import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { MAX_BODY_BYTES } from '../nexus/request.ts';
import { failureResponse } from '../router/failure-response.ts';
import { trackConnections } from './connections.ts';
import { StartError } from './start-error.ts';

const HOST = '127.0.0.1';

/** Above the limit that the router refuses with a Nexus failure, so that it is the one to refuse. */
const MAX_HEADER_SIZE = 256 * 1024;

/** Longer than a Go client keeps idle connections (90 s): the server must not close one that a caller is about to use. */
const KEEP_ALIVE_MS = 120_000;

/** A server that answers Nexus requests over HTTP on 127.0.0.1. */
export interface HttpServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Ends all connections but those with a request under way, and waits until each of these is answered. */
  close(): Promise<void>;
}

/**
 * Starts it on this port; 0 is any free one. Broken HTTP is answered with a Nexus failure, never with a page of
 * node:http. Fails with a {@link StartError} where the port is taken. `handle` must not reject.
 */
export async function startHttpServer(
  port: number,
  handle: (request: NexusHttpRequest) => Promise<NexusHttpResponse>,
): Promise<HttpServer> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_SIZE,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requireHostHeader: false, // its answer has no body
  });
  server.maxHeadersCount = 0; // beyond 2,000 it would drop the rest unseen
  const connections = trackConnections(server);

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await readBody(incoming);
    if (body === undefined) return;
    connections.begin(incoming, outgoing);
    const response = await handle(toRequest(incoming, body));
    if (!server.listening) outgoing.shouldKeepAlive = false;
    write(outgoing, response);
  }

  server.on('request', serve);
  server.on('checkExpectation', serve); // its own answer, 417, is none that a Nexus caller knows
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, problemOf(error)));
  server.on('connect', (_request, socket) => refuse(socket, 'the method CONNECT is not for this server'));

  await listen(server, port);
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        connections.end();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.message})`;
      reject(
        new StartError(
          `port ${port} of ${HOST} ${why}; end what listens there, or choose another with --port (0 is any free one)`,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen(port, HOST, resolve);
  });
}

/** All of it up to one byte more than is allowed, and undefined where the caller went away. The rest is read and dropped. */
async function readBody(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      if (size <= MAX_BODY_BYTES) chunks.push(chunk.subarray(0, MAX_BODY_BYTES + 1 - size));
      size += chunk.length;
    }
  } catch {
    return undefined; // the connection is gone: nobody waits for an answer
  }
  return Buffer.concat(chunks);
}

function toRequest({ method, url = '/', headersDistinct }: IncomingMessage, body: Uint8Array): NexusHttpRequest {
  // A proxy's client sends the whole URL in the first line.
  const target = url.replace(/^https?:\/\/[^/?]*/i, '');
  const [path = '/', ...query] = target.split('?');
  return {
    method: method ?? '',
    path,
    query: query.join('?'),
    headers: Object.fromEntries(
      Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
    ),
    body,
  };
}

function write(outgoing: ServerResponse, { status, headers, body }: NexusHttpResponse): void {
  outgoing.on('error', () => {}); // the caller went away while it was answered
  outgoing.writeHead(status, { ...headers, 'content-length': body.length });
  outgoing.end(body);
}

/** An answer on a connection whose request could not be read. */
function refuse(socket: Duplex, problem: string): void {
  if (!socket.writable) return void socket.destroy();
  const { status, headers, body } = failureResponse('BAD_REQUEST', problem, { headers: {} });
  const lines = Object.entries({ ...headers, 'content-length': body.length, connection: 'close' });
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), body]));
}

function problemOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return `the headers have more than ${MAX_HEADER_SIZE} bytes`;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'the request did not arrive in time';
    default:
      return `this is no HTTP request: ${message}`;
  }
}
