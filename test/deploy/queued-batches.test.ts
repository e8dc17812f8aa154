import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteMessageCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createSqsQueues } from '../../src/aws/sqs-queues.ts';
import { consoleLoggerOptions, createConsoleLogger } from '../../src/handler/logger.ts';
import { createHandWork, type HandWork } from '../../src/operations/hand-work.ts';
import { type CallbackServer, openCallback } from '../operations/callback-server.ts';
import { rootOf } from './emulated-api.ts';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';

const patience = { timeout: 90_000, interval: 500 };
/** Longer than a batch takes; on AWS six of the function's timeouts. */
const VISIBILITY_S = 20;

let app: QueuedApp;
let callback: CallbackServer;
let callbackStatus = 200;
/** What `nexus-lambda operation retry` and `redrive` do. */
let byHand: HandWork;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-batches-'));
  app = await deployQueuedApp();
  await app.setVisibilityTimeout(app.outputs.WarehouseQueue, VISIBILITY_S);
  const queues = createSqsQueues({
    client: app.sqs,
    tableName: app.outputs.OperationsTable,
    endpointsTable: app.outputs.EndpointsTable,
    clock: Date,
  });
  byHand = createHandWork({
    store: app.store,
    taskQueue: queues,
    completionQueue: queues.completions,
    clock: Date,
    cancelInner: () => expect.unreachable('nothing was handed over'),
    logger: createConsoleLogger(consoleLoggerOptions({})),
  });
  callback = await openCallback((_request, response) => response.writeHead(callbackStatus).end());
});
afterAll(async () => {
  await callback?.close();
  await app?.stop();
  await rm(folder, { recursive: true, force: true });
});

/**
 * Starts an operation that is to have so many runs kill their process, again until it is accepted; its token. Without a
 * path of the callback it is polled.
 */
async function accept(id: string, { kills = 0, path = '' } = {}): Promise<string> {
  const query = path && `?callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}${path}`)}`;
  return vi.waitFor(async () => {
    const { status, json } = await app.api.call(`/nexus/endpoints/warehouse/services/warehouse/count${query}`, {
      credentials: rootOf(app.emulator),
      headers: { 'nexus-request-id': id, ...(path === '' && { prefer: 'respond-async' }) },
      body: JSON.stringify({ file: join(folder, 'runs'), id, kills }),
    });
    expect({ status, json }).toMatchObject({ status: 201 });
    return (json as { token: string }).token;
  }, patience);
}

/** How often a handler began with an operation. */
async function runsOf(id: string): Promise<number> {
  const lines = (await readFile(join(folder, 'runs'), 'utf8')).split('\n');
  return lines.filter((line) => line === `${id} start`).length;
}

/** Has messages wait until all of them are there, to be taken as one batch. */
async function inOneBatch<T>(sending: () => Promise<T>): Promise<T> {
  const { WarehouseQueue } = app.outputs;
  await app.setDelivery(WarehouseQueue, { Enabled: false, BatchSize: 10 });
  try {
    return await sending();
  } finally {
    app.aws.takeCalls();
    await app.setDelivery(WarehouseQueue, { Enabled: true });
  }
}

/** Until a record is as expected, with the schedule at another pace than every minute. */
async function reconciledTo(token: string, expected: object) {
  return vi.waitFor(async () => {
    await app.reconcile();
    const record = await app.record(token);
    expect(record).toMatchObject(expected);
    return record!;
  }, patience);
}

async function take(QueueUrl: string) {
  const input: ReceiveMessageCommandInput = {
    QueueUrl,
    WaitTimeSeconds: 10,
    MessageSystemAttributeNames: ['ApproximateReceiveCount'],
  };
  const { Messages: [message] = [] } = await app.sqs.send(new ReceiveMessageCommand(input));
  if (message === undefined) throw new Error(`no message came from ${QueueUrl}`);
  await app.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  return message;
}

const callsOf = (action: string) => app.aws.takeCalls().filter((call) => call.endsWith(`.${action}`));

describe('of a batch', () => {
  it('the message comes again that failed, and no other', async () => {
    const { WarehouseQueue: QueueUrl } = app.outputs;
    const tokens = await inOneBatch(async () => {
      const first = [await accept('calm-0'), await accept('calm-1')];
      await app.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }));
      return [...first, await accept('calm-2'), await accept('calm-3')];
    });
    await vi.waitFor(async () => expect(await app.messages(QueueUrl)).toBe(1), patience);
    // It comes to this test.
    await app.setDelivery(QueueUrl, { Enabled: false });
    const again = await vi.waitFor(() => take(QueueUrl), patience);
    expect(again.Body).toBe('hello');
    expect(Number(again.Attributes?.ApproximateReceiveCount)).toBeGreaterThan(1);
    // Two for each operation: a wake-up that came again would be one more.
    expect(callsOf('UpdateItem')).toHaveLength(2 * tokens.length);
    await app.setDelivery(QueueUrl, { Enabled: true });
    for (const [n, token] of tokens.entries()) {
      expect(await app.record(token)).toMatchObject({ state: 'ended', attempt: 1, outcome: { state: 'succeeded' } });
      expect(await runsOf(`calm-${n}`)).toBe(1);
    }
  });

  it('only what kills the process counts a crash, and what was done before is not done again', async () => {
    const { WarehouseDeadLetterQueue } = app.outputs;
    const [before, poison, after] = await inOneBatch(async () => [
      await accept('before'),
      // As often as its endpoint takes.
      await accept('poison', { kills: 2 }),
      await accept('after'),
    ]);
    const dead = await reconciledTo(poison!, { state: 'dead-lettered', attempt: 2, crashes: 2 });
    for (const token of [before!, after!]) {
      await reconciledTo(token, { state: 'ended', attempt: 1, crashes: 0, outcome: { state: 'succeeded' } });
    }
    expect(await Promise.all(['before', 'poison', 'after'].map(runsOf))).toEqual([1, 2, 1]);
    expect(dead.lastFailure?.crash?.invocation).toBeTruthy();

    const reason = `2 attempts crashed; the log of invocation ${dead.lastFailure?.crash?.invocation} says why`;
    const { Body: MessageBody = '' } = await take(WarehouseDeadLetterQueue);
    expect(JSON.parse(MessageBody)).toMatchObject({ token: poison, attempt: 2, reason });
    expect(await byHand.redrive(poison!)).toMatchObject({ kind: 'done', record: { state: 'queued', attempt: 3 } });
    await reconciledTo(poison!, { state: 'ended', attempt: 3, crashes: 0, outcome: { state: 'succeeded' } });
    // Whoever moves its message back as well does no harm.
    await app.sqs.send(new SendMessageCommand({ QueueUrl: app.outputs.WarehouseQueue, MessageBody }));
    await vi.waitFor(async () => expect(await app.messages(app.outputs.WarehouseQueue)).toBe(0), patience);
    expect(await runsOf('poison')).toBe(3);
  }, 300_000);
});

it('keeps a completion that the caller refuses as wrong, with the reason, and sends it again by hand', async () => {
  callbackStatus = 400;
  const token = await accept('refused', { path: '/refused' });
  const refused = await reconciledTo(token, { state: 'ended', completion: { state: 'dead-lettered', attempts: 1 } });
  expect(refused.completion?.lastFailure).toContain('400');
  callbackStatus = 200;
  expect(await byHand.redrive(token)).toMatchObject({ kind: 'done' });
  await reconciledTo(token, { completion: { state: 'delivered', attempts: 2 } });
  expect(callback.received.map(({ body }) => body.toString())).toEqual([
    '{"id":"refused","run":1}',
    '{"id":"refused","run":1}',
  ]);
  expect(await runsOf('refused')).toBe(1);
});
