import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { EndpointRegistry } from '../../src/router/ports.ts';
import { runCommandLine } from '../cli/command-line.ts';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { type CallbackServer, openCallback } from '../operations/callback-server.ts';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { clientOptions } from './access-app.ts';
import { type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';
import { createIam, type Iam, type IamCredentials, type RolePolicy } from './iam.ts';
import { type DeployedTaskQueue, findTaskQueue, messagesIn } from './task-queue.ts';

/** What is waited for takes seconds where all is well, and may take many on a busy machine. */
const patience = { timeout: 90_000, interval: 200 };

/** Within so long, what is changed at run time holds everywhere. */
const EVERYWHERE_MS = 10_000;

type EndpointName = 'failing' | 'sound' | 'limited' | 'changed' | 'dock' | 'pier';

const ends: (() => Promise<unknown>)[] = [];
let emulator: Ministack;
let api: EmulatedApi;
let root: IamCredentials;
let operator: IamCredentials;
let iam: Iam;
let store: OperationStore;
let registry: EndpointRegistry;
let sqs: SQSClient;
let callback: CallbackServer;
/** A line for each run of the handler. */
let file: string;

beforeAll(async () => {
  emulator = await startMinistack({ auth: true });
  ends.push(() => emulator.stop());
  callback = await openCallback((_request, response) => response.end());
  ends.push(() => callback.close());
  await cdkBootstrap(emulator);
  const { ApiId = '', Operator = '', OperationsTable = '', EndpointsTable = '' } = await deploy('before');
  root = rootOf(emulator) as IamCredentials;
  iam = createIam(emulator);
  operator = await iam.assumeRole(Operator);
  api = emulatedApi(emulator, ApiId);
  const client = new DynamoDBClient(clientOptions(emulator, root));
  store = createDynamoOperationStore({ client, tableName: OperationsTable });
  registry = createDynamoEndpointRegistry({ client, tableName: EndpointsTable, clock: Date });
  sqs = new SQSClient(clientOptions(emulator, root));
  const folder = mkdtempSync(join(tmpdir(), 'nexus-lambda-depot-'));
  ends.push(async () => rmSync(folder, { recursive: true }));
  file = join(folder, 'runs');
  writeFileSync(file, '');
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** @param description of the endpoints */
async function deploy(description: string): Promise<Readonly<Record<string, string>>> {
  const { Flow: outputs = {} } = await cdkDeploy({
    emulator,
    app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/flow-control.ts',
    env: { DESCRIPTION: description },
    cwd: join(import.meta.dirname, '../..'),
  });
  return outputs;
}

/** The ids that the handler was run with. */
const runs = () => readFileSync(file, 'utf8').trim().split('\n');

interface Start {
  /** Default 0. */
  readonly failures?: number;
  /** Whether the caller can take an asynchronous answer. Default false. */
  readonly hasCallback?: boolean;
}

async function start(path: string, id: string, { failures = 0, hasCallback = false }: Start = {}) {
  const query = hasCallback ? `?callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}/${id}`)}` : '';
  const { status, headers, json } = await api.call(`/nexus/endpoints/${path}${query}`, {
    credentials: root,
    body: JSON.stringify({ file, id, failures }),
  });
  return { status, json, retryAfterS: Number(headers.get('retry-after') ?? Number.NaN) };
}

/** Starts what is delivered directly. */
const lift = (endpoint: EndpointName, id: string, options?: Start) =>
  start(`${endpoint}/services/depot/lift`, id, options);

/** Starts what is accepted for later; returns its token. */
async function accepted(operation: 'lift' | 'haul', endpoint: EndpointName, id: string, options?: Start) {
  const path = `${endpoint}/services/depot/${operation}`;
  const { status, json } = await start(path, id, { ...options, hasCallback: true });
  expect({ status, json }).toMatchObject({ status: 201, json: { token: expect.any(String) } });
  return (json as { token: string }).token;
}

async function recordOf(token: string) {
  return (await store.get(token)) ?? expect.unreachable(`there is no record of ${token}`);
}

const untilEnded = (token: string, attempt = 1) =>
  vi.waitFor(async () => {
    const record = await recordOf(token);
    expect(record).toMatchObject({ state: 'ended', completion: { state: 'delivered' } });
    expect(record).toMatchObject({ attempt, outcome: { state: 'succeeded' } });
  }, patience);

/** Calls until it is answered with this status, which whoever calls so long after the change must be. */
async function untilLiftGets(expected: number, endpoint: EndpointName) {
  const changedAt = performance.now();
  return vi.waitFor(async () => {
    const afterMs = performance.now() - changedAt;
    const answer = await lift(endpoint, 'any');
    if (afterMs < EVERYWHERE_MS) expect(answer.status).toBe(expected);
    return answer;
  }, patience);
}

/** Asks the management API. */
async function manage(method: 'GET' | 'PATCH' | 'POST', path: string, body: object = {}) {
  const { status, json } = await api.call(`/nexus/manage/${path}`, {
    ...{ credentials: operator, method, body: JSON.stringify(body) },
  });
  return { status, json: json as { readonly version: number; readonly [name: string]: unknown } };
}

/** What `nexus-lambda` says to the operator. */
async function asOperator(...args: readonly string[]): Promise<unknown> {
  const { accessKeyId, secretAccessKey, sessionToken = '' } = operator;
  const command = runCommandLine(temporaryFolder(), [...args, '-o', 'json', '--url', api.url, '--sign'], {
    AWS_REGION: emulator.env.AWS_REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  });
  const { code } = await command.exited;
  expect({ code, output: command.output() }).toMatchObject({ code: 0 });
  return JSON.parse(command.output());
}

const OPERATOR = expect.stringMatching(/^iam:arn:aws:iam::\d+:role\/\S*Operator/);

describe('an endpoint whose handler fails', () => {
  let probeAt: number;
  let waiting: readonly string[];

  it('is left alone from the fifth failure in a row on, and its callers are told', async () => {
    for (const n of [1, 2, 3, 4, 5]) {
      const answer = await lift('failing', `failure ${n}`, { failures: 1 });
      expect(answer).toMatchObject({ status: 503, json: { message: `the crane is stuck: failure ${n}` } });
    }
    const { status, json, retryAfterS } = await lift('failing', 'refused');
    expect({ status, json }).toMatchObject({
      status: 503,
      json: {
        message: expect.stringMatching(
          /^the circuit of endpoint "failing" is open since \S+, after 5 failures in a row; the next request is let /,
        ),
      },
    });
    expect(retryAfterS).toBeGreaterThan(0);
    expect(retryAfterS).toBeLessThanOrEqual(20);
    expect(runs()).not.toContain('refused');
  });

  it('is shown with what failed last, and when it is tried again', async () => {
    const circuit = (await asOperator('circuit', 'describe', 'failing')) as { nextProbeAt: string };
    expect(circuit).toMatchObject({
      status: 'open',
      streak: 5,
      lastFailure: { message: 'UNAVAILABLE: the crane is stuck: failure 5' },
      settings: { circuitFailures: 5, circuitOpenMs: 20_000 },
    });
    probeAt = Date.parse(circuit.nextProbeAt);
  });

  it('has its operations wait, and no other endpoint of its task queue', async () => {
    waiting = [await accepted('haul', 'failing', 'hauled'), await accepted('lift', 'failing', 'absorbed')];
    expect(await lift('sound', 'lifted')).toMatchObject({ status: 200, json: 'lifted' });
    await untilEnded(await accepted('haul', 'sound', 'other'));
    for (const token of waiting) {
      const record = await vi.waitFor(async () => {
        const read = await recordOf(token);
        expect(read.nextAttemptAt).toBeGreaterThanOrEqual(probeAt);
        return read;
      }, patience);
      expect(record).toMatchObject({ state: 'queued', attempt: 1 });
      expect(record.claim).toBeUndefined();
    }
    expect(Date.now()).toBeLessThan(probeAt);
    expect(runs()).not.toContain('hauled');
    expect(runs()).not.toContain('absorbed');
  });

  it('is served again when one of them, as a probe, succeeds', async () => {
    for (const token of waiting) await untilEnded(token);
    expect(await manage('GET', 'circuits/failing')).toMatchObject({ json: { status: 'closed', streak: 0 } });
    expect(await untilLiftGets(200, 'failing')).toMatchObject({ status: 200 });
  });
});

describe('over a limit', () => {
  it('who can take an asynchronous answer gets one, and any other a 429', async () => {
    expect(await lift('limited', 'first')).toMatchObject({ status: 200 });
    const { status, json, retryAfterS } = await lift('limited', 'over');
    expect({ status, json }).toMatchObject({
      status: 429,
      json: { message: expect.stringMatching(/^endpoint "limited" takes 0\.1 starts a second and 1 at once, /) },
    });
    expect(retryAfterS).toBeGreaterThan(0);
    expect(retryAfterS).toBeLessThanOrEqual(10);
    await untilEnded(await accepted('lift', 'limited', 'later'));
    const completions = callback.received.filter(({ url }) => url === '/later');
    expect(completions.map(({ body }) => body.toString())).toEqual(['"later"']);
    expect(runs().filter((id) => id === 'later' || id === 'over')).toEqual(['later']);
  });
});

describe('a setting that is changed at run time', () => {
  const drift = {
    setting: 'requestsPerSecond',
    effective: 0.01,
    author: OPERATOR,
    reason: 'incident 42',
    since: expect.any(String),
  };

  it('holds in the running router within ten seconds, and is shown as drift', async () => {
    expect(await lift('changed', 'any')).toMatchObject({ status: 200 });
    const { version, drift: before } = (await manage('GET', 'endpoints/changed')).json;
    expect(before).toEqual([]);
    const change = { settings: { requestsPerSecond: 0.01 }, reason: 'incident 42', version };
    expect(await manage('PATCH', 'endpoints/changed', change)).toMatchObject({
      status: 200,
      json: { version: version + 1, drift: [drift] },
    });
    expect(await untilLiftGets(429, 'changed')).toMatchObject({
      status: 429,
      json: { message: expect.stringContaining('takes 0.01 starts a second') },
    });
    // By whoever read the endpoint before that change.
    const stale = { settings: { requestsPerSecond: 100 }, reason: 'all is well', version };
    expect(await manage('PATCH', 'endpoints/changed', stale)).toMatchObject({
      status: 409,
      json: { message: expect.stringContaining(`${version + 1}`) },
    });
    expect((await manage('GET', 'endpoints/changed')).json).toMatchObject({ version: version + 1, drift: [drift] });
  });

  it('survives a deploy, until it is taken back', async () => {
    const { description, version } = (await manage('GET', 'endpoints/changed')).json;
    expect(description).toBe('before');
    await deploy('after');
    expect((await manage('GET', 'endpoints/changed')).json).toMatchObject({
      description: 'after',
      version: version + 1,
      drift: [drift],
      settings: { declared: { circuitOpenMs: 2_000 }, effective: { requestsPerSecond: 0.01, circuitOpenMs: 2_000 } },
    });
    expect(await lift('changed', 'any')).toMatchObject({ status: 429 });
    const back = { settings: { requestsPerSecond: null } };
    expect(await manage('PATCH', 'endpoints/changed', back)).toMatchObject({ status: 200, json: { drift: [] } });
    expect(await untilLiftGets(200, 'changed')).toMatchObject({ status: 200 });
  });
});

describe('a circuit that is opened by hand', () => {
  it('lets nothing through, not even a probe, until somebody resets it', async () => {
    const tripped = { by: OPERATOR, reason: 'the database moves' };
    expect(await asOperator('circuit', 'trip', 'changed', '--reason', tripped.reason, '--yes')).toMatchObject({
      status: 'open',
      tripped,
    });
    const closed =
      /is open since \S+, by hand: the database moves; no request is let through until somebody resets it$/;
    const refused = { status: 503, json: { message: expect.stringMatching(closed) } };
    expect(await untilLiftGets(503, 'changed')).toMatchObject(refused);
    // What takes messages has not seen this endpoint before, and so sees it as it is.
    const token = await accepted('haul', 'changed', 'moved');
    // Each time that its message comes, the time has passed after which a probe would be made.
    const moments = new Set<number>();
    const look = async () => {
      const { state, nextAttemptAt } = await recordOf(token);
      moments.add(nextAttemptAt);
      return state !== 'queued' || moments.size > 2;
    };
    await vi.waitUntil(look, patience);
    expect(await recordOf(token)).toMatchObject({ state: 'queued', attempt: 1 });
    expect(await lift('changed', 'any')).toMatchObject(refused);
    const { json } = await manage('GET', 'circuits/changed');
    expect(json).toMatchObject({ status: 'open', tripped });
    expect(json).not.toHaveProperty('nextProbeAt');
    expect(runs()).not.toContain('moved');

    expect(await asOperator('circuit', 'reset', 'changed')).toMatchObject({ status: 'closed' });
    expect(await untilLiftGets(200, 'changed')).toMatchObject({ status: 200 });
    await untilEnded(token);
  });
});

describe('an endpoint that is paused', () => {
  it('has its direct callers wait, and accepts what can wait, until it is resumed', async () => {
    await asOperator('endpoint', 'pause', '--name', 'changed', '--reason', 'the roof leaks');
    expect(await untilLiftGets(503, 'changed')).toMatchObject({
      json: { message: 'endpoint "changed" is paused: the roof leaks' },
    });
    const token = await accepted('lift', 'changed', 'paused');
    await asOperator('endpoint', 'resume', '--name', 'changed');
    expect(await untilLiftGets(200, 'changed')).toMatchObject({ status: 200 });
    expect(await recordOf(token)).toMatchObject({ state: 'queued', attempt: 1 });
    expect(runs()).not.toContain('paused');
    expect(await asOperator('operation', 'retry', token)).toMatchObject({ operations: [{ token }] });
    await untilEnded(token);
  });
});

describe('the queue of two endpoints', () => {
  let dock: DeployedTaskQueue;
  beforeAll(async () => {
    dock = await findTaskQueue(emulator, 'dock');
  });

  /** As the management API does it; twenty minutes ago. */
  async function pauseLongAgo(name: EndpointName): Promise<void> {
    const endpoint = (await registry.get(name)) ?? expect.unreachable(`there is no endpoint ${name}`);
    const paused = { author: 'local', reason: 'the crane is away', at: Date.now() - 20 * 60_000 };
    await registry.override(endpoint, { settings: {}, paused });
  }

  it('is read while one of them is paused and the other is not', async () => {
    await pauseLongAgo('dock');
    expect(await dock.round()).toEqual({ mapping: 'kept' });
    await untilEnded(await accepted('haul', 'pier', 'moored'));
    expect(await dock.state()).toBe('Enabled');
  });

  it('is not read while both are, and what waits in it is not received once', async () => {
    await pauseLongAgo('pier');
    // Its rule may have been faster.
    expect(await dock.round()).toMatchObject({ mapping: expect.stringMatching(/^(disabled|kept)$/) });
    expect(await dock.state()).toBe('Disabled');
    const tokens = [
      await accepted('haul', 'dock', 'one'),
      await accepted('haul', 'dock', 'two'),
      await accepted('haul', 'pier', 'three'),
    ];
    const before = await Promise.all(tokens.map(recordOf));
    // Meanwhile other queues are read.
    await untilEnded(await accepted('haul', 'sound', 'elsewhere'));
    expect(await messagesIn(sqs, dock.queueUrl)).toEqual({ visible: 3, inFlight: 0, delayed: 0 });
    // Who receives one of an endpoint that is paused writes when it comes again.
    expect(await Promise.all(tokens.map(recordOf))).toEqual(before);

    for (const name of ['dock', 'pier']) await asOperator('endpoint', 'resume', '--name', name);
    expect(await dock.round()).toMatchObject({ mapping: expect.stringMatching(/^(enabled|kept)$/) });
    expect(await dock.state()).toBe('Enabled');
    for (const token of tokens) await untilEnded(token);
    expect(
      runs()
        .filter((id) => ['one', 'two', 'three'].includes(id))
        .sort(),
    ).toEqual(['one', 'three', 'two']);
    const completed = callback.received.map(({ url }) => url).filter((url) => /^\/(one|two|three)$/.test(url ?? ''));
    expect(completed.sort()).toEqual(['/one', '/three', '/two']);
  });

  it('is read again within a minute where somebody disabled its mapping by hand, by its own rule', async () => {
    await dock.disable();
    await vi.waitFor(async () => expect(await dock.state()).toBe('Enabled'), patience);
    await untilEnded(await accepted('haul', 'dock', 'unloaded'));
  });
});

// Of an update, the emulator checks neither keys nor attributes: that the conditions of these statements hold is not shown.
describe('circuits are kept', () => {
  const failureOf = async (endpoint: EndpointName) =>
    (await manage('GET', `circuits/${endpoint}`)).json.lastFailure as { message: string } | undefined;

  it('by a handler of queues, with the role that it is given', async () => {
    await untilEnded(await accepted('haul', 'sound', 'stuck', { failures: 1 }), 2);
    expect(await failureOf('sound')).toMatchObject({ message: 'the crane is stuck: stuck' });
  });

  it('by a router that may not manage endpoints; one that may not write them serves all the same', async () => {
    const policies = await iam.rolePolicies('Flow-NexusRouterRole');
    const policy = policies.find(({ statements }) => statements.some(({ Sid }) => Sid === 'KeepCircuits'));
    const { statements, ...rest } = policy ?? expect.unreachable(`none of ${JSON.stringify(policies)} keeps circuits`);
    const put = (...left: readonly string[]) => {
      const others: RolePolicy = { ...rest, statements: statements.filter(({ Sid = '' }) => !left.includes(Sid)) };
      expect(others.statements).toHaveLength(statements.length - left.length);
      return iam.putRolePolicy(others);
    };
    onTestFinished(() => put());
    const stuck = (id: string) => ({ status: 503, json: { message: `the crane is stuck: ${id}` } });

    await put('ManageEndpoints');
    expect(await lift('sound', 'kept', { failures: 1 })).toMatchObject(stuck('kept'));
    expect(await failureOf('sound')).toMatchObject({ message: 'UNAVAILABLE: the crane is stuck: kept' });

    await put('ManageEndpoints', 'KeepCircuits', 'CountLimits');
    expect(await lift('changed', 'unkept', { failures: 1 })).toMatchObject(stuck('unkept'));
    expect(await failureOf('changed')).toBeUndefined();
  });
});
