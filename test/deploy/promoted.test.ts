import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDynamoLimitStore } from '../../src/aws/dynamodb-limit-store.ts';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { LimitStore } from '../../src/router/ports.ts';
import { leave } from '../e2e/workflows/callers.ts';
import { type CallbackServer, openCallback } from '../operations/callback-server.ts';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { startMinistack } from '../toolchain/ministack.ts';
import { clientOptions } from './access-app.ts';
import { type AwsProxy, openAwsProxy } from './aws-proxy.ts';
import { type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';
import type { IamCredentials } from './iam.ts';
import { startTemporalCallers, type TemporalCallers } from './temporal-callers.ts';

/** What is waited for takes seconds where all is well, and may take many on a busy machine. */
const patience = { timeout: 90_000, interval: 100 };

const ends: (() => Promise<unknown>)[] = [];
let temporal: TemporalCallers;
let api: EmulatedApi;
let root: IamCredentials;
let aws: AwsProxy;
let store: OperationStore;
let limits: LimitStore;
let callback: CallbackServer;

beforeAll(async () => {
  const emulator = await startMinistack({ auth: true });
  ends.push(() => emulator.stop());
  aws = await openAwsProxy(emulator.url);
  ends.push(() => aws.close());
  callback = await openCallback((_request, response) => response.end());
  ends.push(() => callback.close());
  temporal = await startTemporalCallers();
  ends.push(() => temporal.stop());
  await cdkBootstrap(emulator);
  const { Promoted: outputs } = await cdkDeploy({
    emulator,
    app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/promoted.ts',
    env: { AWS_PROXY_URL: aws.url },
    cwd: join(import.meta.dirname, '../..'),
  });
  const { ApiId = '', EndpointsTable = '', OperationsTable = '' } = outputs ?? {};
  root = rootOf(emulator) as IamCredentials;
  const client = new DynamoDBClient(clientOptions(emulator, root));
  store = createDynamoOperationStore({ client, tableName: OperationsTable });
  limits = createDynamoLimitStore({ client, tableName: EndpointsTable });
  api = emulatedApi(emulator, ApiId);
  const target = `${api.url.replace('://', '://kitchen:password@')}/basic/nexus/endpoints/kitchen/services`;
  await temporal.createEndpoint('kitchen', target);
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

const targetOf = (operation: string) => ({ endpoint: 'kitchen', service: 'kitchen', operation });

/** The token of the operation that a caller waits for. */
async function tokenOf(caller: WorkflowHandle): Promise<string> {
  return vi.waitFor(async () => {
    const { events } = await caller.fetchHistory();
    const started = events?.find((event) => event.nexusOperationStartedEventAttributes);
    const token = started?.nexusOperationStartedEventAttributes?.operationToken;
    expect(token).toBeTruthy();
    return token as string;
  }, patience);
}

/** Starts a roast as somebody who waits ten seconds. */
async function roast(seconds: number, { requestId = randomUUID() as string, endpoint = 'kitchen' } = {}) {
  const query = `?callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}/done`)}`;
  const { status, json } = await api.call(`/nexus/endpoints/${endpoint}/services/kitchen/roast${query}`, {
    credentials: root,
    headers: { 'request-timeout': '10s', 'nexus-request-id': requestId },
    body: JSON.stringify({ key: requestId, seconds }),
  });
  return { status, json: json as { readonly token?: string } };
}

/** What was called of AWS since the last look, less reads of the registry, which a cache does now and then. */
const callsMade = () =>
  aws
    .takeCalls()
    .filter((call) => call !== 'DynamoDB_20120810.Query')
    .map((call) => call.replace(/^.*\.|functions\/[^/]*/, ''));

describe('a workflow that calls a promotable operation', () => {
  it('that takes 25 seconds gets the result of its one run', async () => {
    const key = randomUUID();
    const caller = await temporal.call(targetOf('roast'), { key, seconds: 25 });
    const token = await tokenOf(caller);
    // The invocation that goes on says where its log is, and how long it may take.
    const running = await vi.waitFor(async () => {
      const record = await store.get(token);
      expect(record).toMatchObject({ state: 'claimed', promotedAt: expect.any(Number) });
      expect(record?.claim?.invocation).not.toBe('');
      return record;
    }, patience);
    const { acceptedAt = 0, claim } = running ?? {};
    expect(claim?.leaseUntil).toBeGreaterThan(acceptedAt + 30_000);
    expect(claim?.leaseUntil).toBeLessThan(acceptedAt + 60_000);
    expect(await caller.result()).toEqual({ seconds: 25, run: 1 });
    expect(await temporal.operationEvents(caller)).toEqual(['Scheduled', 'Started', 'Completed']);
    expect(await store.get(token)).toMatchObject({ state: 'ended', attempt: 1, crashes: 0 });
  });

  it('that is canceled meanwhile learns that it was', async () => {
    const caller = await temporal.callAndCancel(targetOf('simmer'));
    await vi.waitFor(async () => expect(await temporal.operationEvents(caller)).toContain('Canceled'), patience);
    const outcome = (await store.get(await tokenOf(caller)))?.outcome;
    expect(outcome).toMatchObject({ state: 'canceled' });
    expect(JSON.stringify(outcome)).toContain('stopped: the operation was canceled');
    await caller.signal(leave);
    expect(await caller.result()).toMatchObject({ outcome: 'canceled' });
  });

  it('whose function ended meanwhile gets the result of the next run', async () => {
    const caller = await temporal.call(targetOf('drop'), { key: randomUUID(), seconds: 14 });
    expect(await caller.result()).toEqual({ run: 2 });
    const { attempt, crashes, lastFailure } = (await store.get(await tokenOf(caller))) ?? {};
    expect({ attempt, crashes }).toEqual({ attempt: 2, crashes: 1 });
    expect(lastFailure?.crash?.invocation).toBeTruthy();
  });
});

describe('what is called of AWS', () => {
  it('for one that is done in time is its handler, and nothing is written', async () => {
    await roast(0);
    callsMade();
    expect(await roast(0)).toEqual({ status: 200, json: { seconds: 0, run: 1 } });
    expect(callsMade()).toEqual(['POST /2015-03-31//invocations']);
  });

  it('for one that is done in the last second is that, and its outcome is kept', async () => {
    callsMade();
    expect(await roast(8.5)).toEqual({ status: 200, json: { seconds: 8.5, run: 1 } });
    expect(callsMade()).toEqual(['POST /2015-03-31//invocations', 'PutItem']);
    expect(callback.received).toEqual([]);
  });

  it('for one that is promoted is its record, and what an attempt from a queue calls; a repeat has its token', async () => {
    const requestId = randomUUID();
    callsMade();
    const { status, json } = await roast(13, { requestId });
    expect({ status, json }).toEqual({ status: 201, json: { token: expect.any(String), state: 'running' } });
    await vi.waitFor(() => expect(callback.received).toHaveLength(1), patience);
    await vi.waitFor(
      async () => expect((await store.get(json.token ?? ''))?.completion?.state).toBe('delivered'),
      patience,
    );
    expect(callsMade()).toEqual([
      'POST /2015-03-31//invocations',
      'PutItem',
      ...['GetItem', 'UpdateItem', 'SendMessage'],
      ...['UpdateItem', 'SendMessage', 'UpdateItem'],
    ]);
    expect(await roast(13, { requestId })).toEqual({ status, json });
    expect(callback.received).toHaveLength(1);
  });
});

it('a promoted operation of an endpoint with a limit keeps its slot as long as its function may run, and lets it go at its end', async () => {
  const startedAt = Date.now();
  expect(await roast(14, { endpoint: 'stove' })).toMatchObject({ status: 201 });
  const heldAt = (ms: number) => limits.heldSlots('stove#slots#0', startedAt + ms);
  // The router's lease is of 35 s.
  await vi.waitFor(async () => expect((await heldAt(38_000)).size).toBe(1), patience);
  await vi.waitFor(async () => expect((await heldAt(0)).size).toBe(0), patience);
  expect(Date.now() - startedAt).toBeGreaterThan(13_000);
});
