import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetAliasCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NexusGatewayAttributes } from '../../cdk/index.ts';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import type { EndpointRegistry } from '../../src/router/ports.ts';
import { EMULATED } from '../toolchain/aws-variables.ts';
import { type CdkOptions, cdkBootstrap, cdkDeploy, cdkDestroy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import type { EndpointApp } from './apps/endpoint-app.ts';
import { type ApiAnswer, type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';

const root = join(import.meta.dirname, '../..');

const V1 = { name: 'v1', operations: ['place', 'cancel', 'track'] };
/** Without `cancel`, and with `track` under another name. */
const V2 = { name: 'v2', operations: ['place', 'follow'] };
const V3 = { name: 'v3', operations: ['place', 'follow', 'refund'] };

/** The stack with the gateway, as most deploys here have it. */
const orders = (app: Partial<EndpointApp>): EndpointApp => ({
  stack: 'Orders',
  endpoint: 'orders',
  release: V2,
  ...app,
});
/** A stack that adds an endpoint to that gateway: the same constructs in each of them. */
const guest = (app: Pick<EndpointApp, 'stack' | 'endpoint'>): EndpointApp => ({
  gateway,
  release: { name: 'guest', operations: ['list'] },
  ...app,
});

const ANSWER_OF_V1 = '200 {"release":"v1"}';
const STACK_ARN = `arn:aws:cloudformation:${EMULATED.region}:${EMULATED.account}:stack/`;

let emulator: Ministack;
let gateway: NexusGatewayAttributes;
let api: EmulatedApi;
let registry: EndpointRegistry;
let lambda: LambdaClient;

const cdkOptions = (app: EndpointApp): CdkOptions => ({
  emulator,
  app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/endpoint-app.ts',
  env: { ENDPOINT_APP: JSON.stringify(app) },
  cwd: root,
});
const deploy = (app: EndpointApp) => cdkDeploy(cdkOptions(app));
const destroy = (app: EndpointApp) => cdkDestroy(cdkOptions(app));

/** Deploys what must fail, and returns what the CLI says of it, without its line breaks. */
async function failToDeploy(app: EndpointApp): Promise<string> {
  const error = await deploy(app).then(
    () => new Error('it was deployed'),
    (failure: Error) => failure,
  );
  return error.message.replace(/\s+/g, ' ');
}

const call = (operation: string, endpoint = 'orders'): Promise<ApiAnswer> =>
  api.call(`/nexus/endpoints/${endpoint}/services/orders/${operation}`, { credentials: rootOf(emulator) });

/** Calls the first stack's endpoint all the while, and returns the different answers that came, too. */
async function whileCalled<T>(
  action: Promise<T>,
): Promise<{ readonly result: T; readonly answers: readonly string[] }> {
  const answers = new Set<string>();
  let running = true;
  const calls = async () => {
    while (running) {
      const { status, text } = await call('place');
      answers.add(`${status} ${text}`);
      await delay(50); // the emulator and the deploy share two cores with this
    }
  };
  const [result] = await Promise.all([
    action.finally(() => {
      running = false;
    }),
    calls(),
  ]);
  return { result, answers: [...answers] };
}

/** The entry of an endpoint, and the version that its alias names. */
async function stateOf(name = 'orders') {
  const entry = await registry.get(name);
  const [FunctionName, Name] = entry?.functionArn?.split(/:(?=[^:]+$)/) ?? [];
  return { entry, alias: (await lambda.send(new GetAliasCommand({ FunctionName, Name }))).FunctionVersion };
}

const endpointNames = async () => (await registry.list()).map(({ name }) => name);
const services = (operations: readonly string[]) => [{ name: 'orders', operations }];

beforeAll(async () => {
  // With auth, since a deploy of another stack must be let in by the policies that it writes.
  emulator = await startMinistack({ auth: true });
  await cdkBootstrap(emulator);
  const { Orders } = await deploy(orders({ release: V1 }));
  const {
    ApiId: apiId = '',
    Url: url = '',
    TableName: tableName = '',
    RouterRoleArn: routerRoleArn = '',
  } = Orders ?? {};
  gateway = { url, apiId, tableName, routerRoleArn };
  api = emulatedApi(emulator, apiId);
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = emulator.env;
  const clientOptions = { endpoint: emulator.url, region, credentials: { accessKeyId, secretAccessKey } };
  registry = createDynamoEndpointRegistry({ client: new DynamoDBClient(clientOptions), tableName, clock: Date });
  lambda = new LambdaClient(clientOptions);
});
afterAll(() => emulator?.stop());

describe('a handler that may not take over its endpoint', () => {
  it.each([
    [
      'lost operations',
      {},
      'it no longer has 2 operations that callers may use: "orders/cancel", "orders/track"; keep what callers use (to them a ' +
        'renamed operation is a removed one), or set allowBreakingChange of the endpoint for this deploy',
    ],
    ['throws when it is imported', { entry: 'throws-at-import' }, 'ORDERS_TABLE is not set'],
    [
      'is none of nexus-lambda',
      { entry: 'plain' },
      'it answered an object with ok, orders where it was asked for its operations; is this a handler made by ' +
        'createServiceHandler of nexus-lambda',
    ],
    ['has no services', { entry: 'no-services' }, 'no service handlers given; pass at least one'],
  ])('fails the deploy because it %s, and the version before serves on', async (_, app, reason) => {
    const before = await stateOf();
    const { result: said, answers } = await whileCalled(failToDeploy(orders(app)));
    expect(said).toContain('Orders/Gateway/Endpoint-orders/ContractGate');
    expect(said).toContain(reason);
    expect(answers).toEqual([ANSWER_OF_V1]);
    expect(await stateOf()).toEqual(before);
    expect(await call('cancel')).toMatchObject({ status: 200, json: { release: 'v1' } });
  });

  it('serves with allowBreakingChange, and what it lost is NOT_FOUND', async () => {
    await deploy(orders({ allowBreakingChange: true }));
    expect(await call('follow')).toMatchObject({ status: 200, json: { release: 'v2' } });
    expect(await call('cancel')).toMatchObject({
      status: 404,
      json: { message: expect.stringContaining("no operation 'cancel'") },
    });
    expect((await stateOf()).entry).toMatchObject({
      services: services(V2.operations),
      previousServices: services(V1.operations),
    });
  });
});

describe('a deploy that fails after the endpoint is written', () => {
  it('is rolled back to the version and the entry before', async () => {
    const before = await stateOf();
    const said = await failToDeploy(orders({ release: V3, failsElsewhere: true }));
    expect(said).toContain('Orders/Second/Resource');
    expect(said).not.toContain('NexusContractGate');
    const { entry, alias } = await stateOf();
    expect(alias).toBe(before.alias);
    expect(entry).toMatchObject({ services: services(V2.operations) });
    // What failed is nothing that a deploy may go back to.
    expect(entry).not.toHaveProperty('previousServices');
    // It had been written, and written back.
    expect(entry?.version).toBe((before.entry?.version ?? 0) + 2);
    expect(await call('follow')).toMatchObject({ status: 200, json: { release: 'v2' } });
    expect(await call('refund')).toMatchObject({ status: 404 });
  });

  it('leaves nothing to do for a deploy of the app before', async () => {
    const before = await stateOf();
    await deploy(orders({ allowBreakingChange: true }));
    expect(await stateOf()).toEqual(before);
  });
});

describe('stacks that share a gateway', () => {
  it('cannot take a name of another stack, nor one that a person gave', async () => {
    const byHand = await registry.create({
      name: 'stock',
      target: { namespace: 'default', taskQueue: 'x' },
      services: [],
    });
    const before = await stateOf();
    const [taken, handmade] = await Promise.all([
      failToDeploy(guest({ stack: 'Refunds', endpoint: 'orders' })),
      failToDeploy(guest({ stack: 'Returns', endpoint: 'stock' })),
    ]);
    expect(taken).toContain(`endpoint "orders" belongs to ${STACK_ARN}Orders (resource `);
    expect(taken).toContain(
      `and this is ${STACK_ARN}Refunds; choose another name, or remove the endpoint from that stack `,
    );
    expect(handmade).toContain('endpoint "stock" exists already and belongs to no stack');
    expect(handmade).toContain('choose another name, or remove that entry and deploy again');
    expect(await registry.get('stock')).toEqual(byHand);
    expect(await stateOf()).toEqual(before);
    expect(await call('follow')).toMatchObject({ status: 200, json: { release: 'v2' } });
  });

  it('serve names of their own, and the first renames its endpoint meanwhile', async () => {
    await Promise.all([
      // These two delete first what their failed deploy left.
      deploy(guest({ stack: 'Refunds', endpoint: 'refunds' })),
      deploy(guest({ stack: 'Returns', endpoint: 'returns' })),
      deploy(orders({ endpoint: 'purchases', release: V3 })),
    ]);
    expect(await endpointNames()).toEqual(['purchases', 'refunds', 'returns', 'stock']);
    expect(await call('refund', 'purchases')).toMatchObject({ status: 200, json: { release: 'v3' } });
    for (const endpoint of ['refunds', 'returns']) {
      expect(await call('list', endpoint)).toMatchObject({ status: 200, json: { release: 'guest' } });
    }
    // A router may have seen it seconds ago.
    await expect.poll(async () => (await call('place')).status, { timeout: 20_000, interval: 500 }).toBe(404);
  });

  it('rename their endpoint, or take it with them, and touch no other', async () => {
    await Promise.all([
      deploy(guest({ stack: 'Refunds', endpoint: 'repayments' })),
      destroy(guest({ stack: 'Returns', endpoint: 'returns' })),
    ]);
    expect(await endpointNames()).toEqual(['purchases', 'repayments', 'stock']);
    expect(await call('list', 'repayments')).toMatchObject({ status: 200, json: { release: 'guest' } });
    expect(await call('refund', 'purchases')).toMatchObject({ status: 200, json: { release: 'v3' } });
    await Promise.all([
      destroy(guest({ stack: 'Refunds', endpoint: 'repayments' })),
      destroy(orders({ endpoint: 'purchases', release: V3 })),
    ]);
    // The stack of the gateway left the table.
    expect(await endpointNames()).toEqual(['stock']);
  });
});
