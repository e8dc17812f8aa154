import { randomUUID } from 'node:crypto';
import {
  DeleteFunctionConcurrencyCommand,
  GetAliasCommand,
  InvokeCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import type { WorkflowHandle } from '@temporalio/client';
import type { NexusOperationFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { leave } from '../e2e/workflows/callers.ts';
import { type CallbackServer, openCallback } from '../operations/callback-server.ts';
import { rootOf } from './emulated-api.ts';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';
import { singleFileZip } from './single-file-zip.ts';
import { startTemporalCallers, type TemporalCallers } from './temporal-callers.ts';

const { PendingNexusOperationState } = proto.temporal.api.enums.v1;

/** What is waited for takes seconds where all is well, and may take many on a busy machine. */
const patience = { timeout: 60_000, interval: 100 };
/** For what is done two hundred times. */
const outage = { timeout: 300_000, interval: 500 };

let app: QueuedApp;
let temporal: TemporalCallers;
let callback: CallbackServer;
/** What the callback does before it answers. */
let beforeAnswer: () => Promise<unknown> = async () => {};

beforeAll(async () => {
  [app, temporal] = await Promise.all([deployQueuedApp(), startTemporalCallers()]);
  for (const endpoint of ['warehouse', 'outage']) await temporal.createEndpoint(endpoint, app.targetUrl(endpoint));
  callback = await openCallback(async (_request, response) => {
    await beforeAnswer();
    response.end();
  });
});
afterAll(async () => {
  await callback?.close();
  await temporal?.stop();
  await app?.stop();
});

const targetOf = (operation: string, endpoint = 'warehouse') => ({ endpoint, service: 'warehouse', operation });

/** The token of the operation that a caller waits for. */
async function tokenOf(caller: WorkflowHandle): Promise<string> {
  return vi.waitFor(async () => {
    const { events } = await caller.fetchHistory();
    const token = events?.find((event) => event.nexusOperationStartedEventAttributes)
      ?.nexusOperationStartedEventAttributes?.operationToken;
    expect(token).toBeTruthy();
    return token as string;
  }, patience);
}

async function recordOf(token: string) {
  return (await app.record(token)) ?? expect.unreachable(`there is no record of ${token}`);
}

/** Starts an operation as the emulator's root user. Returns the answer, and the token where it was accepted. */
async function start(operation: string, input: unknown, { query = '', prefer = '', token = '' } = {}) {
  const { status, json } = await app.api.call(`/nexus/endpoints/warehouse/services/warehouse/${operation}${query}`, {
    credentials: rootOf(app.emulator),
    headers: { prefer, ...(token && { 'nexus-operation-token': token }) },
    body: JSON.stringify(input),
  });
  return { status, json, token: (json as { token?: string } | undefined)?.token ?? '' };
}

const withCallback = () => ({ query: `?callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}/done`)}` });

async function delivered(token: string) {
  return vi.waitFor(async () => {
    const record = await recordOf(token);
    expect(record.completion?.state).toBe('delivered');
    return record;
  }, patience);
}

/** What was called of AWS since the last look, less reads of the registry, which a cache does now and then. */
const callsMade = () =>
  app.aws
    .takeCalls()
    .filter((call) => call !== 'DynamoDB_20120810.Query')
    .map((call) => call.replace(/^.*\.|functions\/[^/]*/, ''));

describe('a caller of an operation that its endpoint queues', () => {
  it('gets the result', async () => {
    const caller = await temporal.call(targetOf('store'), { item: 'a book' });
    expect(await caller.result()).toEqual({ stored: 'a book' });
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Started', 'Completed']);
  });

  it('gets the failure with its cause', async () => {
    const caller = await temporal.call(targetOf('fail'));
    const { cause } = await caller.result().then(
      () => expect.unreachable('it succeeded'),
      (error: { cause: NexusOperationFailure }) => error,
    );
    expect(cause.cause).toMatchObject({ message: 'no room', cause: { message: 'all shelves are full' } });
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Started', 'Failed']);
  });

  it('gets the result of the third attempt where two failed', async () => {
    const caller = await temporal.call(targetOf('stumble'), { key: randomUUID(), times: 2 });
    expect(await caller.result()).toBe('after 3');
    const { attempt, crashes, lastFailure } = await recordOf(await tokenOf(caller));
    expect({ attempt, crashes, lastFailure }).toMatchObject({
      attempt: 3,
      crashes: 0,
      lastFailure: { attempt: 2, message: 'not yet (2)' },
    });
  });

  it('gets a direct operation of the same endpoint at once', async () => {
    const caller = await temporal.call(targetOf('direct'));
    expect(await caller.result()).toBe('direct');
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Completed']);
  });
});

describe('what is called of AWS', () => {
  it('for a direct operation is its handler, and nothing is written', async () => {
    await start('direct', null);
    callsMade();
    expect(await start('direct', null)).toMatchObject({ status: 200, json: 'direct' });
    expect(callsMade()).toEqual(['POST /2015-03-31//invocations']);
  });

  it('for a queued operation is six calls, its completion among them', async () => {
    await delivered((await start('store', { item: 'a book' }, withCallback())).token);
    callsMade();
    await delivered((await start('store', { item: 'a pen' }, withCallback())).token);
    expect(callsMade()).toEqual(['PutItem', 'SendMessage', 'UpdateItem', 'UpdateItem', 'SendMessage', 'UpdateItem']);
  });

  it('for one whose caller polls is four', async () => {
    callsMade();
    const { token } = await start('store', { item: 'a cup' }, { prefer: 'respond-async' });
    await vi.waitFor(async () => expect(await recordOf(token)).toMatchObject({ state: 'ended' }), patience);
    expect(callsMade()).toEqual(['PutItem', 'SendMessage', 'UpdateItem', 'UpdateItem']);
  });
});

describe('a completion', () => {
  it('is sent again where it arrived and nobody could write that down, and the handler does not run again', async () => {
    const { CompletionQueue } = app.outputs;
    await app.setVisibilityTimeout(CompletionQueue, 2);
    onTestFinished(async () => {
      beforeAnswer = async () => {};
      await app.completions.setMode('pass');
      await app.setVisibilityTimeout(CompletionQueue, 360);
    });
    const before = callback.received.length;
    beforeAnswer = () => app.completions.setMode('fail');
    app.completions.takeCalls();
    const { token } = await start('stumble', { key: randomUUID(), times: 0 }, withCallback());
    await vi.waitUntil(() => callback.received.length > before, patience);
    expect((await recordOf(token)).completion?.state).toBe('pending');
    beforeAnswer = async () => {};
    // The second time it has to be read what came of the first.
    await vi.waitUntil(() => app.completions.takeCalls().some((call) => call.endsWith('.GetItem')), patience);
    await app.completions.setMode('pass');
    await delivered(token);
    const bodies = callback.received.slice(before).map(({ body }) => body.toString());
    expect(bodies).toEqual(['"after 1"', '"after 1"']);
  });
});

describe('a batch', () => {
  it('has the messages come again that failed, and no other', async () => {
    const foreign = { messageId: 'foreign', body: 'hello', eventSource: 'aws:sqs' };
    const { token } = await start('store', { item: 'a jar' }, { prefer: 'respond-async' });
    const from = { table: app.outputs.EndpointsTable, endpoint: 'warehouse', principal: 'local' };
    const body = JSON.stringify({ nexusWakeUp: 1, table: app.outputs.OperationsTable, token, attempt: 1, from });
    const event = { Records: [foreign, { ...foreign, messageId: 'ours', body }] };
    const { Payload = [] } = await app.lambda.send(
      new InvokeCommand({ FunctionName: `${app.outputs.WarehouseFunction}:live`, Payload: JSON.stringify(event) }),
    );
    expect(JSON.parse(Buffer.from(Payload).toString())).toEqual({
      batchItemFailures: [{ itemIdentifier: 'foreign' }],
    });
  });
});

describe.concurrent('an attempt', () => {
  /** Until the record is as expected, with the schedule at another pace than every minute. */
  const reconciledTo = (token: string, expected: object) =>
    vi.waitFor(
      async () => {
        await app.reconcile();
        expect(await recordOf(token)).toMatchObject(expected);
      },
      { timeout: 60_000, interval: 1_000 },
    );

  it('that ended with its process is made again when its lease is over', async () => {
    const caller = await temporal.call(targetOf('crash'), { key: randomUUID(), times: 1 });
    const token = await tokenOf(caller);
    await reconciledTo(token, { attempt: 2, crashes: 1 });
    expect(await caller.result()).toBe('after 2');
    expect((await recordOf(token)).lastFailure?.crash).toEqual({
      invocation: expect.any(String),
      logStream: expect.any(String),
      since: expect.any(Number),
    });
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Started', 'Completed']);
  });

  it('that crashes each time is dead-lettered with the reason, and made again when that is moved back', async () => {
    const { WarehouseQueue: task, WarehouseDeadLetterQueue: deadLetter } = app.outputs;
    const caller = await temporal.call(targetOf('crash'), { key: randomUUID(), times: 2 });
    const token = await tokenOf(caller);
    await reconciledTo(token, { state: 'dead-lettered', attempt: 2, crashes: 2 });
    const { Messages: [message, ...others] = [] } = await app.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: deadLetter, WaitTimeSeconds: 5 }),
    );
    expect(others).toEqual([]);
    expect(JSON.parse(message?.Body ?? '')).toMatchObject({
      token,
      reason: expect.stringMatching(/^2 attempts crashed; the log of invocation \S+ says why$/),
    });
    await app.sqs.send(new SendMessageCommand({ QueueUrl: task, MessageBody: message?.Body }));
    await app.sqs.send(new DeleteMessageCommand({ QueueUrl: deadLetter, ReceiptHandle: message?.ReceiptHandle }));
    expect(await caller.result()).toBe('after 3');
    expect(await recordOf(token)).toMatchObject({ attempt: 3, crashes: 0 });
  });

  it('that runs is told of a cancel', async () => {
    const { token } = await start('wait', null, withCallback());
    await vi.waitFor(async () => expect(await recordOf(token)).toMatchObject({ state: 'claimed' }), patience);
    const { status } = await start('wait/cancel', null, { token });
    expect(status).toBe(202);
    expect(await delivered(token)).toMatchObject({
      attempt: 1,
      // What its signal said: not that its time was over.
      outcome: { state: 'canceled', failure: { message: 'stopped: the operation was canceled' } },
    });
  });
});

/** Points the alias of the function `outage` at another version; returns what points it back. */
async function pointAlias(FunctionVersion: string | undefined): Promise<() => Promise<unknown>> {
  const alias = { FunctionName: app.outputs.OutageFunction, Name: 'live' };
  const { FunctionVersion: before } = await app.lambda.send(new GetAliasCommand(alias));
  await app.lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion }));
  return () => app.lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion: before }));
}

/** Takes the handler down; returns what brings it back. */
async function closeHandler(): Promise<() => Promise<unknown>> {
  const FunctionName = app.outputs.OutageFunction;
  // Where an alias names a published version, the emulator lets all through.
  const back = await pointAlias('$LATEST');
  await app.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
  return async () => {
    await back();
    await app.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
  };
}

/** Publishes a version that throws at import; returns its number. */
async function publishBroken(): Promise<string | undefined> {
  const FunctionName = app.outputs.OutageFunction;
  const ZipFile = singleFileZip('index.js', "throw new Error('the shelf fell down');");
  await app.lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
  await waitUntilFunctionUpdatedV2({ client: app.lambda, maxWaitTime: 60 }, { FunctionName });
  const { Version } = await app.lambda.send(new PublishVersionCommand({ FunctionName }));
  return Version;
}

/** Names of the states that the operations of a caller have shown while it waited. */
function watchPending(caller: WorkflowHandle) {
  const shown = new Set<string>();
  const look = async () => {
    const { raw } = await caller.describe();
    const pending = raw.pendingNexusOperations ?? [];
    const states = pending.map(({ state }) => PendingNexusOperationState[state ?? 0]!.split('STATE_')[1] ?? '');
    for (const state of states) shown.add(state);
    return states;
  };
  return { shown, look };
}

describe('while the handler is down', () => {
  const OPERATIONS = 200;
  /** So many at a time: each is a process of the emulator's. */
  const AT_A_TIME = 10;

  it('operations are accepted, and each completes once when it is back', async () => {
    const { OutageFunction: FunctionName, OutageQueue, OutageDeadLetterQueue } = app.outputs;
    // What SQS waits before a message comes again whose function failed: on AWS six of the function's timeouts.
    await app.setVisibilityTimeout(OutageQueue, 20);
    const bringBack = await closeHandler();
    const inputs = Array.from({ length: OPERATIONS }, (_, n) => ({ item: `${n}` }));
    const caller = await temporal.callAll(targetOf('store', 'outage'), inputs, AT_A_TIME);
    const { shown, look } = watchPending(caller);
    const started = async () => (await look()).filter((state) => state === 'STARTED').length;
    await vi.waitFor(async () => expect(await started()).toBeGreaterThanOrEqual(OPERATIONS / 2), outage);

    // From one outage to the other: there is no moment in which it works.
    await pointAlias(await publishBroken());
    await app.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    await vi.waitFor(async () => expect(await started()).toBe(OPERATIONS), outage);
    await vi.waitFor(async () => {
      await look();
      expect(await app.inFlight(OutageQueue)).toBeGreaterThan(0);
    }, outage);

    await bringBack();
    await vi.waitFor(async () => expect(await look()).toEqual([]), outage);
    expect(await caller.result()).toEqual(inputs.map(({ item }) => ({ stored: item })));
    expect(shown).not.toContain('BLOCKED');
    // Scheduled, started and completed; each completion is of another operation.
    expect(await temporal.operationEvents(caller)).toHaveLength(3 * OPERATIONS);
    expect(new Set(await temporal.completedOperations(caller)).size).toBe(OPERATIONS);
    await vi.waitFor(async () => expect(await app.messages(OutageQueue)).toBe(0), patience);
    expect(await app.messages(OutageDeadLetterQueue)).toBe(0);
  }, 600_000);

  it('an operation that is canceled has ended, and does not run when it is back', async () => {
    const bringBack = await closeHandler();
    onTestFinished(async () => void (await bringBack()));
    const caller = await temporal.callAndCancel(targetOf('store', 'outage'), { item: 'a vase' });
    const token = await tokenOf(caller);
    await vi.waitFor(async () => expect(await temporal.operationEvents(caller)).toContain('Canceled'), patience);
    await caller.signal(leave);
    expect(await caller.result()).toMatchObject({ outcome: 'canceled' });
    const canceled = await delivered(token);
    expect(canceled).toMatchObject({ attempt: 1, outcome: { state: 'canceled' } });
    expect(await app.messages(app.outputs.OutageQueue)).toBe(1);
    await bringBack();
    await vi.waitFor(async () => expect(await app.messages(app.outputs.OutageQueue)).toBe(0), patience);
    expect(await recordOf(token)).toEqual(canceled);
  });
});
