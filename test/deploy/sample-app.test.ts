import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoWorker, pointEndpoint, quietWorkers, startDemoWorker } from '../../functions/demo/run-caller.ts';
import { runDoctor } from '../../src/doctor/doctor.ts';
import { type CdkOptions, cdkBootstrap, cdkDeploy, cdkDestroy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { type RunningTemporal, startTemporal } from '../toolchain/temporal-server.ts';
import { type Credentials, type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';

const root = join(import.meta.dirname, '../..');
const STACK = 'NexusLambdaSample';
const HELLO = '/nexus/endpoints/greeting/services/greeting/hello';

let emulator: Ministack;
let api: EmulatedApi;
let basic: Extract<Credentials, { kind: 'basic' }>;
const temporals = {} as Record<'old' | 'new', { server: RunningTemporal; worker: DemoWorker }>;
const ends: (() => Promise<unknown>)[] = [];

/** The app that cdk.json names, for the Temporal server at this address. */
const sampleApp = (temporalAddress: string): CdkOptions => ({
  emulator,
  app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning cdk/app.ts',
  env: { TEMPORAL_ADDRESS: temporalAddress },
  cwd: root,
});

/** What the SDK's clients take for the emulator. */
const clientOptions = () => ({
  endpoint: emulator.url,
  region: emulator.env.AWS_REGION,
  credentials: { accessKeyId: emulator.env.AWS_ACCESS_KEY_ID, secretAccessKey: emulator.env.AWS_SECRET_ACCESS_KEY },
});

/** What `temporal operator nexus endpoint create --target-url` is given. */
const targetUrl = () =>
  `${api.url.replace('://', `://greeting:${encodeURIComponent(basic.password)}@`)}/basic/nexus/endpoints/greeting/services`;

beforeAll(async () => {
  quietWorkers();
  emulator = await startMinistack();
  ends.push(() => emulator.stop());
  await cdkBootstrap(emulator);
  for (const version of ['old', 'new'] as const) {
    const server = await startTemporal({ version });
    ends.push(() => server.stop());
    const worker = await startDemoWorker(server.address);
    ends.push(() => worker.stop());
    temporals[version] = { server, worker };
  }
  const { [STACK]: outputs } = await cdkDeploy(sampleApp(temporals.new.server.address));
  expect(Object.keys(outputs ?? {}).sort()).toEqual(['ApiId', 'ApiUrl', 'BasicAuthSecretArn', 'TemporalTargetUrl']);
  api = emulatedApi(emulator, outputs?.ApiId ?? '');
  const { SecretString } = await new SecretsManagerClient(clientOptions()).send(
    new GetSecretValueCommand({ SecretId: outputs?.BasicAuthSecretArn }),
  );
  basic = { kind: 'basic', user: 'greeting', password: JSON.parse(SecretString ?? '').greeting };
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

describe('the sample app, deployed', () => {
  it('answers whoever signs with IAM, and whoever has the password', async () => {
    const signed = await api.call(HELLO, { credentials: rootOf(emulator) });
    expect(signed).toMatchObject({ status: 200, json: { message: 'Hello, Ada!' } });
    const withPassword = await api.call(`/basic${HELLO}`, { credentials: basic });
    expect(withPassword).toMatchObject({ status: 200, json: { message: 'Hello, Ada!' } });
  });

  it('answers nobody else', async () => {
    const wrong = { ...basic, password: 'wrong' };
    expect((await api.call(HELLO)).status).toBe(403);
    expect((await api.call(`/basic${HELLO}`)).status).toBe(401);
    expect((await api.call(`/basic${HELLO}`, { credentials: wrong })).status).toBe(403);
    // The password opens its own routes only.
    expect((await api.call(HELLO, { credentials: basic })).status).toBe(401);
  });

  it('refuses what is no Nexus request with the reason', async () => {
    const got = await api.call(HELLO, { credentials: rootOf(emulator), method: 'GET' });
    expect(got).toMatchObject({ status: 400, json: { message: 'the method is "GET"; a Nexus request is a POST' } });
    const missing = await api.call('/nexus/endpoints/greetings/services/a/b', { credentials: rootOf(emulator) });
    expect(missing).toMatchObject({ status: 404, json: { message: 'no endpoint is named "greetings"' } });
  });

  it('runs for an unmodified Temporal server: a sync operation and one that a workflow is behind', async () => {
    const { worker } = temporals.new;
    await pointEndpoint(worker.client, 'greeting', targetUrl());
    const { result, uiPaths } = await worker.runCaller('Ada');
    expect(result).toEqual({ hello: 'Hello, Ada!', onboard: 'Welcome aboard, Ada!' });
    // The caller, and the workflow that the handler started, which the caller's history links to.
    expect(uiPaths).toHaveLength(2);
  });

  it('is found well by the doctor, from the address to the way back of a completion', async () => {
    const said: string[] = [];
    const options = {
      url: targetUrl(),
      sign: false,
      temporalAddress: temporals.new.server.address,
      timeoutMs: 20_000,
      output: 'text',
    } as const;
    const well = await runDoctor(options, (text) => said.push(text), AbortSignal.timeout(100_000));
    expect(said.join('')).not.toContain(basic.password);
    expect(
      said
        .filter((line) => !line.startsWith('ok'))
        .join('')
        .trim(),
    ).toMatch(/^(every|all)/i);
    expect(well).toBe(true);
  });

  it('loses no call while it is deployed again, to another Temporal server that then runs its workflows', async () => {
    const statuses: number[] = [];
    let deploying = true;
    const traffic = Promise.all(
      [1, 2].map(async () => {
        while (deploying) {
          statuses.push((await api.call(`/basic${HELLO}`, { credentials: basic })).status);
          await delay(20); // the emulator and the deploy share two cores with this
        }
      }),
    );
    await cdkDeploy(sampleApp(temporals.old.server.address));
    const { worker } = temporals.old;
    await pointEndpoint(worker.client, 'greeting', targetUrl());
    const { result } = await worker.runCaller('Grace');
    deploying = false;
    await traffic;
    expect(result).toEqual({ hello: 'Hello, Grace!', onboard: 'Welcome aboard, Grace!' });
    expect(statuses.length).toBeGreaterThan(20);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  it('leaves nothing when it is destroyed but what the removal policy keeps: the table and the queues', async () => {
    await cdkDestroy(sampleApp(temporals.old.server.address));
    const { Functions } = await new LambdaClient(clientOptions()).send(new ListFunctionsCommand());
    const { TableNames } = await new DynamoDBClient(clientOptions()).send(new ListTablesCommand());
    expect(Functions).toEqual([]);
    expect(TableNames).toEqual([expect.stringContaining('NexusEndpoints')]);
    expect((await api.call(HELLO, { credentials: rootOf(emulator) })).status).toBe(404);
  });
});
