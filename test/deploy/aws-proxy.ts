import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What becomes of a call: it passes; its connection is refused; it is never answered; it is answered with an error of
 * the service; or it passes, and the connection breaks before the answer.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hang' | 'fail' | 'lose answers';

/** A call of AWS, as it comes from its client. */
export interface ProxiedCall {
  /** Its `X-Amz-Target`, or else its method and path. */
  readonly name: string;
  readonly body: string;
}

/** What becomes of the process that makes a call: it is killed before the call has any effect, or after that. */
export type KillPoint = 'before' | 'after';

/** Asked of each call; its process lives on where this says nothing. */
export type KillDecision = (call: ProxiedCall) => KillPoint | undefined;

/**
 * Has the clients in a Node.js process name its id in their user agent, where a proxy finds whom to kill. To be put into
 * `NODE_OPTIONS`.
 */
export const NAME_PROCESS = "--import=data:text/javascript,process.env.AWS_SDK_UA_APP_ID='pid-'+process.pid";

/** Stands between a client of AWS and the emulator, on 127.0.0.1. */
export interface AwsProxy {
  readonly url: string;
  /** What was called since the last look, by `X-Amz-Target` or else by method and path, whatever became of it. */
  takeCalls(): string[];
  setMode(mode: ProxyMode): Promise<void>;
  /** Kills by SIGKILL, from now on, what makes calls of which this says so; what does needs {@link NAME_PROCESS}. */
  killAt(decide: KillDecision): void;
  close(): Promise<void>;
}

export async function openAwsProxy(target: string): Promise<AwsProxy> {
  let mode: ProxyMode = 'pass';
  let calls: string[] = [];
  let decide: KillDecision = () => undefined;

  const server = createServer(async (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const name = headers['x-amz-target']?.toString() ?? `${method} ${url}`;
    calls.push(name);
    const body = await buffer(incoming).catch(() => undefined);
    if (body === undefined || mode === 'hang') return;
    const kill = decide({ name, body: body.toString() });
    if (kill === 'before') killCaller(incoming);
    else if (mode === 'fail') outgoing.writeHead(500, { 'content-type': 'application/json' }).end(SERVICE_ERROR);
    else if (kill === 'after') passOn(incoming, outgoing, { target, body, loseAnswer: () => killCaller(incoming) });
    else passOn(incoming, outgoing, { target, body, ...(mode === 'lose answers' && { loseAnswer: () => {} }) });
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
    killAt(next) {
      decide = next;
    },
    close: stopListening,
  };
}

function killCaller({ headers }: IncomingMessage): void {
  const [, pid] = /\bapp\/pid-(\d+)/.exec(headers['user-agent'] ?? '') ?? [];
  if (pid === undefined) throw new Error(`no process is named in the user agent "${headers['user-agent']}"`);
  process.kill(Number(pid), 'SIGKILL');
}

const SERVICE_ERROR = JSON.stringify({ __type: 'InternalServerError', message: 'the service is down' });

interface PassOn {
  readonly target: string;
  readonly body: Buffer;
  /** Called when the answer is there, which then does not go on. */
  readonly loseAnswer?: () => void;
}

/** With the headers as they came: the signature covers `Host`. */
function passOn(incoming: IncomingMessage, outgoing: ServerResponse, { target, body, loseAnswer }: PassOn): void {
  const { method = 'POST', url = '/', headers } = incoming;
  const onward = request(target + url, { method, headers });
  onward.on('response', (answer) => {
    if (loseAnswer) {
      answer.resume();
      loseAnswer();
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
