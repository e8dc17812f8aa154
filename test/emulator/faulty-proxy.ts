import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What a request gets instead of its answer. AWS never has it where it is throttled, an error of the service, or a reset;
 * where the answer is lost by a reset, or is not there in time, AWS did what was asked.
 */
export type Fault = 'a throttle' | 'an error' | 'a reset' | 'lost' | 'never there';

/** A call of a client, however often it tries it: its name, and which one of that name it is, counted from 1. */
export interface NthCall {
  readonly name: string;
  readonly nth: number;
}

/** Stands between clients and AWS, on 127.0.0.1. */
export interface FaultyProxy {
  readonly url: string;
  /** Lets this go wrong with so many of the next requests, and with none after them. */
  failNext(fault: Fault, requests: number): void;
  /** Lets this go wrong with each try of one of the calls from now on, and with none after that. */
  failCall(fault: Fault, call: NthCall): void;
  /** Lets nothing go wrong any more. Returns how many requests something went wrong with since `failCall`. */
  heal(): number;
  /** Operations that were asked for since the last look, whatever became of them. */
  takeCalls(): string[];
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
}

/** By service: what a client is told that asks too much, and where the service fails. */
const DYNAMODB: { readonly [F in Fault]?: Answer } = {
  'a throttle': { status: 400, type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException' },
  'an error': { status: 500, type: 'com.amazonaws.dynamodb.v20120810#InternalServerError' },
};
const LAMBDA: { readonly [F in Fault]?: Answer } = {
  'a throttle': { status: 429, type: 'TooManyRequestsException' },
  'an error': { status: 500, type: 'ServiceException' },
};
const OTHERS: { readonly [F in Fault]?: Answer } = {
  'a throttle': { status: 400, type: 'ThrottlingException' },
  'an error': { status: 500, type: 'InternalFailure' },
};

function answersOf({ headers, url = '' }: IncomingMessage) {
  if (String(headers['x-amz-target']).startsWith('DynamoDB')) return DYNAMODB;
  return url.endsWith('/invocations') ? LAMBDA : OTHERS;
}

function nameOf({ headers, url = '' }: IncomingMessage): string {
  if (url.endsWith('/invocations')) return 'Invoke';
  return String(headers['x-amz-target']).replace(/^.*\./, '');
}

export async function openFaultyProxy(target: string): Promise<FaultyProxy> {
  let failing: { readonly fault: Fault; requests: number } | undefined;
  let failingCall: { readonly fault: Fault; readonly call: NthCall; hits: number } | undefined;
  /** Of calls of the name that is to fail: the ids that clients give them, the same for each try. */
  let ids: string[] = [];
  let calls: string[] = [];

  /** What goes wrong with a request. The id is the SDK's; of Invoke, which our own code tries, all tries are one call. */
  function faultOf(incoming: IncomingMessage, name: string): Fault | undefined {
    if (failing && failing.requests-- > 0) return failing.fault;
    if (failingCall === undefined || failingCall.call.name !== name) return undefined;
    const id = name === 'Invoke' ? name : String(incoming.headers['amz-sdk-invocation-id']);
    if (!ids.includes(id)) ids.push(id);
    if (ids.indexOf(id) !== failingCall.call.nth - 1) return undefined;
    failingCall.hits++;
    return failingCall.fault;
  }

  const server = createServer(async (incoming, outgoing) => {
    const name = nameOf(incoming);
    calls.push(name);
    const fault = faultOf(incoming, name);
    const body = await buffer(incoming);
    const answer = fault && answersOf(incoming)[fault];
    if (answer !== undefined) {
      outgoing.writeHead(answer.status, {
        'content-type': 'application/x-amz-json-1.0',
        'x-amzn-errortype': answer.type,
      });
      outgoing.end(JSON.stringify({ __type: answer.type, message: 'this one went wrong' }));
    } else if (fault === 'a reset') {
      incoming.socket.resetAndDestroy();
    } else {
      passOn(incoming, outgoing, { target, body, fault });
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failNext(fault, requests) {
      failing = { fault, requests };
    },
    failCall(fault, call) {
      failingCall = { fault, call, hits: 0 };
      ids = [];
    },
    heal() {
      const hits = failingCall?.hits ?? 0;
      failing = failingCall = undefined;
      return hits;
    },
    takeCalls() {
      const taken = calls;
      calls = [];
      return taken;
    },
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

interface PassOn {
  readonly target: string;
  readonly body: Buffer;
  readonly fault: Fault | undefined;
}

/** With the headers as they came: the signature covers `Host`. */
function passOn(incoming: IncomingMessage, outgoing: ServerResponse, { target, body, fault }: PassOn): void {
  const { method = 'POST', url = '/', headers } = incoming;
  const onward = request(target + url, { method, headers }, (answer) => {
    if (fault === 'lost') incoming.socket.resetAndDestroy();
    if (fault !== undefined) {
      answer.resume();
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  onward.end(body);
}
