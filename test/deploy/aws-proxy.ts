import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What becomes of a call: it passes; its connection is refused; it is never answered; it is answered with an error of
 * the service; or it passes, and the connection breaks before the answer.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hang' | 'fail' | 'lose answers';

/** Stands between a client of AWS and the emulator, on 127.0.0.1. */
export interface AwsProxy {
  readonly url: string;
  /** What was called since the last look, by `X-Amz-Target` or else by method and path, whatever became of it. */
  takeCalls(): string[];
  setMode(mode: ProxyMode): Promise<void>;
  close(): Promise<void>;
}

export async function openAwsProxy(target: string): Promise<AwsProxy> {
  let mode: ProxyMode = 'pass';
  let calls: string[] = [];

  const server = createServer(async (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    calls.push(headers['x-amz-target']?.toString() ?? `${method} ${url}`);
    const body = await buffer(incoming).catch(() => undefined);
    if (body === undefined || mode === 'hang') return;
    if (mode === 'fail') outgoing.writeHead(500, { 'content-type': 'application/json' }).end(SERVICE_ERROR);
    else passOn(incoming, outgoing, { target, body, loseAnswer: mode === 'lose answers' });
  });
  const listen = async (port: number) => {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };
  const stopListening = async () => {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), 'close');
  };
  const port = await listen(0);

  return {
    url: `http://127.0.0.1:${port}`,
    takeCalls() {
      const taken = calls;
      calls = [];
      return taken;
    },
    async setMode(next) {
      mode = next;
      if (next === 'refuse') await stopListening();
      else if (!server.listening) await listen(port);
    },
    close: stopListening,
  };
}

const SERVICE_ERROR = JSON.stringify({ __type: 'InternalServerError', message: 'the service is down' });

interface PassOn {
  readonly target: string;
  readonly body: Buffer;
  readonly loseAnswer: boolean;
}

/** With the headers as they came: the signature covers `Host`. */
function passOn(incoming: IncomingMessage, outgoing: ServerResponse, { target, body, loseAnswer }: PassOn): void {
  const { method = 'POST', url = '/', headers } = incoming;
  const onward = request(target + url, { method, headers });
  onward.on('response', (answer) => {
    if (loseAnswer) {
      answer.resume();
      outgoing.destroy();
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => onward.destroy());
  onward.end(body);
}
