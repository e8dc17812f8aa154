import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What a request gets instead of its answer. DynamoDB never has it where it is throttled, an error of the service, or a reset;
 * where the answer is lost by a reset, or is not there in time, DynamoDB did what was asked.
 */
export type Fault = 'a throttle' | 'an error' | 'a reset' | 'lost' | 'never there';

/** Stands between a client and a DynamoDB, on 127.0.0.1. */
export interface FaultyProxy {
  readonly url: string;
  /** Lets this go wrong with so many of the next requests, and with none after them. */
  failNext(fault: Fault, requests: number): void;
  /** Operations that were asked for since the last look, whatever became of them. */
  takeCalls(): string[];
  close(): Promise<void>;
}

const ANSWERS: { readonly [F in Fault]?: { readonly status: number; readonly type: string } } = {
  'a throttle': { status: 400, type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException' },
  'an error': { status: 500, type: 'com.amazonaws.dynamodb.v20120810#InternalServerError' },
};

export async function openFaultyProxy(target: string): Promise<FaultyProxy> {
  let failing: { readonly fault: Fault; requests: number } | undefined;
  let calls: string[] = [];

  const server = createServer(async (incoming, outgoing) => {
    calls.push(String(incoming.headers['x-amz-target']).replace('DynamoDB_20120810.', ''));
    const fault = failing && failing.requests-- > 0 ? failing.fault : undefined;
    const body = await buffer(incoming);
    const answer = fault && ANSWERS[fault];
    if (answer !== undefined) {
      outgoing.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
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
