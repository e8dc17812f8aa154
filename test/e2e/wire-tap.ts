import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** One request and its answer as they went over the wire. */
export interface TappedExchange {
  readonly path: string;
  readonly requestHeaders: IncomingHttpHeaders;
  readonly requestBody: Buffer;
  readonly status: number;
  readonly responseHeaders: IncomingHttpHeaders;
  readonly responseBody: Buffer;
  /** Milliseconds from the request's headers to the answer's end. */
  readonly durationMs: number;
}

export interface WireTap {
  /** Stands for the URL that it was opened on. */
  readonly url: string;
  /** What has gone through so far, in the order of the answers. */
  readonly exchanges: readonly TappedExchange[];
  close(): Promise<void>;
}

/** Opens an HTTP server that passes everything on to `target`, and keeps a copy. */
export async function openWireTap(target: string): Promise<WireTap> {
  const exchanges: TappedExchange[] = [];
  const { origin, pathname } = new URL(target);
  const server = createServer(async (incoming, outgoing) => {
    const began = performance.now();
    const requestBody = await buffer(incoming);
    const { method = 'POST', url: path = '/', headers } = incoming;
    const onward = request(origin + path, { method, headers });
    onward.end(requestBody);
    const [answer] = await once(onward, 'response');
    const responseBody = await buffer(answer);
    exchanges.push({
      path,
      requestHeaders: headers,
      requestBody,
      status: answer.statusCode,
      responseHeaders: answer.headers,
      responseBody,
      durationMs: performance.now() - began,
    });
    outgoing.writeHead(answer.statusCode, answer.headers);
    outgoing.end(responseBody);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${pathname}`,
    exchanges,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}
