import { randomUUID } from 'node:crypto';
import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../cli/command-line.ts';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { rootOf } from './emulated-api.ts';
import { createIam, type IamCredentials } from './iam.ts';
import { deployQueuedApp, type QueuedApp } from './queued-app.ts';

const patience = { timeout: 90_000, interval: 1_000 };

/** In the input of the operation that crashes. */
const KEY = randomUUID();

let app: QueuedApp;
let signers: Readonly<Record<'operator' | 'visitor' | 'buyer', IamCredentials>>;
/** Tokens: one that waits and whose handler takes no messages, one that succeeded, one that crashed too often. */
let waiting: string;
let ended: string;
let crashed: string;

async function start(endpoint: string, operation: string, input: unknown): Promise<string> {
  const { status, json } = await app.api.call(`/nexus/endpoints/${endpoint}/services/warehouse/${operation}`, {
    credentials: rootOf(app.emulator),
    headers: { prefer: 'respond-async' },
    body: JSON.stringify(input),
  });
  expect(status).toBe(201);
  return (json as { token: string }).token;
}

beforeAll(async () => {
  app = await deployQueuedApp();
  const iam = createIam(app.emulator);
  const { Operator, Visitor, Buyer, OutageFunction } = app.outputs;
  const [operator, visitor, buyer] = await Promise.all([
    iam.assumeRole(Operator),
    iam.assumeRole(Visitor),
    iam.assumeRole(Buyer),
  ]);
  signers = { operator, visitor, buyer };
  const { EventSourceMappings = [] } = await app.lambda.send(new ListEventSourceMappingsCommand());
  const ofOutage = EventSourceMappings.filter(({ FunctionArn = '' }) => FunctionArn.includes(OutageFunction));
  expect(ofOutage).toHaveLength(1);
  await app.lambda.send(new UpdateEventSourceMappingCommand({ UUID: ofOutage[0]?.UUID, Enabled: false }));
  crashed = await start('warehouse', 'crash', { key: KEY, times: 2 });
  ended = await start('warehouse', 'store', { item: 'a book' });
  waiting = await start('outage', 'store', { item: 'a vase' });
  await vi.waitFor(async () => {
    await app.reconcile();
    expect((await app.record(crashed))?.state).toBe('dead-lettered');
    expect((await app.record(ended))?.state).toBe('ended');
  }, patience);
});
afterAll(() => app?.stop());

/** What `nexus-lambda operation` prints, and its exit code, to whoever signs so. */
async function operation(signer: keyof typeof signers | undefined, ...args: readonly string[]) {
  const { accessKeyId = '', secretAccessKey = '', sessionToken = '' } = signer === undefined ? {} : signers[signer];
  const signed = signer === undefined ? [] : ['--sign'];
  const command = runCommandLine(temporaryFolder(), ['operation', ...args, '--url', app.api.url, ...signed], {
    AWS_REGION: app.emulator.env.AWS_REGION,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    TZ: 'UTC',
  });
  const { code } = await command.exited;
  return { code, output: command.output() };
}

const asOperator = async (...args: readonly string[]) => {
  const { code, output } = await operation('operator', ...args, '-o', 'json');
  expect({ code, output }).toMatchObject({ code: 0 });
  return JSON.parse(output);
};

const tokensOf = ({ operations }: { operations: readonly { token: string }[] }) => operations.map(({ token }) => token);

describe('an administrator', () => {
  it('lists operations by endpoint, state and age', async () => {
    expect(tokensOf(await asOperator('list'))).toEqual([waiting, ended, crashed]);
    expect(tokensOf(await asOperator('list', '--endpoint', 'outage'))).toEqual([waiting]);
    expect(tokensOf(await asOperator('list', '--state', 'dead-lettered', '--newer-than', '1h'))).toEqual([crashed]);
    expect(tokensOf(await asOperator('list', '--older-than', '1h'))).toEqual([]);
  });

  it('counts them by state, of an endpoint and an age', async () => {
    const none = { queued: 0, claimed: 0, 'handed-over': 0, 'dead-lettered': 0, ended: 0 };
    const counts = { ...none, queued: 1, 'dead-lettered': 1, ended: 1 };
    expect(await asOperator('count')).toEqual({ counts, total: 3 });
    expect(await asOperator('count', '--endpoint', 'outage')).toEqual({ counts: { ...none, queued: 1 }, total: 1 });
    expect(await asOperator('count', '--older-than', '1h')).toEqual({ counts: none, total: 0 });
  });

  it('is shown where the log of a crash is, and nothing of the input', async () => {
    const { code, output } = await operation('operator', 'describe', crashed);
    expect(output).toMatch(/^state +dead-lettered/m);
    expect(output).toMatch(/^last failure +attempt 2, .*: attempt 2 never ended/m);
    expect(output).toMatch(new RegExp(`--function-name \\S*:${app.outputs.WarehouseFunction}:live `));
    expect(output).toMatch(/--log-stream-names \S+ --filter-pattern \S+/);
    expect(output).not.toContain(KEY);
    expect(code).toBe(0);
  });

  it('is shown what an operation came to', async () => {
    expect(await asOperator('result', ended)).toMatchObject({
      state: 'succeeded',
      result: { encoding: 'json/plain', value: { stored: 'a book' } },
    });
  });

  it('has the next attempt made now', async () => {
    const { OutageQueue } = app.outputs;
    const before = await app.messages(OutageQueue);
    expect(tokensOf(await asOperator('retry', waiting))).toEqual([waiting]);
    expect(await app.messages(OutageQueue)).toBe(before + 1);
  });

  it('cancels what waits, and hears that the same cannot be done to what ended', async () => {
    expect(await asOperator('cancel', waiting)).toMatchObject({ operations: [{ outcome: { state: 'canceled' } }] });
    expect(await operation('operator', 'retry', waiting)).toEqual({
      code: 1,
      output: `error: operation ${waiting} has ended`,
    });
  });

  it('takes up what was dead-lettered of an endpoint, and it runs', async () => {
    expect(await asOperator('redrive', '--endpoint', 'warehouse')).toEqual({
      operations: [crashed],
      completions: [],
      failed: [],
    });
    await vi.waitFor(async () => expect((await app.record(crashed))?.state).toBe('ended'), patience);
    expect(await asOperator('result', crashed)).toMatchObject({ state: 'succeeded', result: { value: 'after 3' } });
  });
});

describe('nobody else gets in:', () => {
  it('not a role whose policy allows it, and that is no administrator', async () => {
    for (const args of [['list'], ['cancel', ended], ['redrive', '--endpoint', 'warehouse']]) {
      const { code, output } = await operation('visitor', ...args);
      expect(output).toMatch(/refused with 403: "iam:\S+Visitor\S+" is not among the administrators of this gateway; /);
      expect(code).toBe(1);
    }
  });

  it('not a role whose policy allows the paths of an endpoint', async () => {
    const { code, output } = await operation('buyer', 'list');
    expect(output).toContain('403');
    expect(output).not.toContain(ended);
    expect(code).toBe(1);
  });

  it('not by a path that such a policy allows, since its `*` takes slashes', async () => {
    const path = '/nexus/manage/operations/nexus/endpoints/warehouse/services/a';
    const { status, json } = await app.api.call(path, { credentials: signers.buyer, method: 'GET' });
    expect(status).toBe(403);
    expect(json).toMatchObject({ message: expect.stringContaining('a path of an endpoint stands in this one') });
  });

  it('not without a signature', async () => {
    const { code, output } = await operation(undefined, 'list');
    expect(output).toContain('refused with 403: Forbidden; --sign signs the request');
    expect(code).toBe(1);
  });

  it('not with a password', async () => {
    const credentials = { kind: 'basic', user: 'warehouse', password: 'password' } as const;
    for (const [method, path] of [
      ['GET', ''],
      ['POST', `/${ended}/redrive`],
    ] as const) {
      const answer = await app.api.call(`/basic/nexus/manage/operations${path}`, { credentials, method });
      expect(answer).toMatchObject({
        status: 403,
        json: { message: expect.stringMatching(/^"basic:warehouse" may not manage this gateway: that takes an AWS /) },
      });
    }
  });
});
