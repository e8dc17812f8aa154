import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import { partKey, SPEC as SPEC_PART, toAttribute, toEndpoint } from '../../src/aws/endpoint-item.ts';
import { EndpointNotFoundError } from '../../src/router/errors.ts';
import type { EndpointSpec } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const TEXT = fc.string({ unit: 'grapheme' });
const SERVICES = fc.array(fc.record({ name: TEXT, operations: fc.array(TEXT) }));

const CALLBACK = fc.record(
  {
    origin: TEXT,
    allowPrivateAddresses: fc.boolean(),
    allowInsecure: fc.boolean(),
    authorization: fc.oneof(TEXT, fc.record({ secretArn: TEXT })),
    ca: TEXT,
  },
  { requiredKeys: ['origin'] },
);

const SPEC: fc.Arbitrary<EndpointSpec> = fc.record(
  {
    name: TEXT,
    description: TEXT,
    target: fc.record({ namespace: TEXT, taskQueue: TEXT }),
    services: SERVICES,
    previousServices: SERVICES,
    callers: fc.array(TEXT),
    functionArn: TEXT,
    owner: TEXT,
    settings: fc.record(
      { requestsPerSecond: fc.double({ min: 0.01, max: 100_000, noNaN: true }), burst: fc.integer({ min: 1 }) },
      { requiredKeys: [] },
    ),
    queued: fc.array(TEXT),
    queues: fc.record({ task: TEXT, deadLetter: TEXT, completion: TEXT }),
    allowedCallbacks: fc.array(CALLBACK),
    promotable: fc.array(TEXT),
    absorbFailures: fc.array(TEXT),
    deduplicate: fc.boolean(),
  },
  { requiredKeys: ['name', 'target', 'services'] },
);

describe('an item', () => {
  it('holds all that a spec says, and no more', () => {
    fc.assert(
      fc.property(SPEC, fc.nat(), (spec, number) => {
        const counts = { version: { N: `${number}` }, createdAt: { N: '5' }, lastModifiedAt: { N: '6' } };
        const item = { ...partKey(spec.name, SPEC_PART), spec: toAttribute(spec), ...counts };
        expect(toEndpoint(item, 'T')).toEqual({ ...spec, version: number, createdAt: 5, lastModifiedAt: 6 });
      }),
    );
  });

  it('leaves out what is undefined', () => {
    const spec = { name: 'shop', target: { namespace: 'n', taskQueue: 'q' }, services: [], owner: undefined };
    expect(Object.keys(toAttribute(spec as unknown as EndpointSpec).M ?? {})).toEqual(['name', 'target', 'services']);
  });
});

it.each<[keyof EndpointSpec, unknown]>([
  ['queued', 'orders/place'],
  ['queued', [1]],
  ['promotable', { 'orders/place': true }],
  ['absorbFailures', [['orders/place']]],
  ['deduplicate', 'true'],
  ['queues', '{"task":"https://sqs"}'],
  ['queues', { task: 'https://sqs/task', completion: 'https://sqs/completion' }],
  ['allowedCallbacks', 'https://temporal.example.com'],
  ['allowedCallbacks', ['https://temporal.example.com']],
  ['allowedCallbacks', [{ allowInsecure: true }]],
  ['allowedCallbacks', [{ origin: 'https://temporal.example.com', allowPrivateAddresses: 'true' }]],
  ['allowedCallbacks', [{ origin: 'https://temporal.example.com', authorization: { arn: 'arn:aws:secret' } }]],
  ['allowedCallbacks', [{ origin: 'https://temporal.example.com', ca: ['PEM'] }]],
])('an item whose %s is %j is no endpoint, which is said with its key', (member, value) => {
  const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [], [member]: value };
  const counts = { version: { N: '1' }, createdAt: { N: '5' }, lastModifiedAt: { N: '6' } };
  const item = { ...partKey('shop', SPEC_PART), spec: toAttribute(spec as EndpointSpec), ...counts };
  expect(() => toEndpoint(item, 'T')).toThrow(
    'the item pk = "endpoint#shop", sk = "spec" of table T is no endpoint that this version of nexus-lambda reads',
  );
});

/** A registry whose DynamoDB answers what the test lets it. */
async function setUp(answer: () => object | undefined) {
  const requests: object[] = [];
  const server = createServer(async (request, response) => {
    requests.push((await json(request)) as object);
    const answered = answer();
    if (answered !== undefined && '__type' in answered) response.statusCode = 400;
    if (answered !== undefined) response.end(JSON.stringify(answered));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  onTestFinished(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  const registry = createDynamoEndpointRegistry({ client, tableName: 'T', clock: new ManualClock() });
  return { server, requests, registry };
}

describe('a read', () => {
  function itemOf(name: string) {
    const spec = { name, target: { namespace: 'default', taskQueue: name }, services: [] };
    const counts = { version: { N: '1' }, createdAt: { N: '5' }, lastModifiedAt: { N: '6' } };
    return { ...partKey(name, SPEC_PART), spec: toAttribute(spec), ...counts };
  }

  it('asks for what was written last, and sorts by name what comes in the order of a hash', async () => {
    const { registry, requests } = await setUp(() => ({ Items: ['post', 'bank', 'shop'].map(itemOf) }));
    expect((await registry.list()).map(({ name }) => name)).toEqual(['bank', 'post', 'shop']);
    expect(await registry.get('post')).toMatchObject({ name: 'post' });
    expect(requests).toEqual([
      expect.objectContaining({ ConsistentRead: true }),
      expect.objectContaining({ ConsistentRead: true, ExpressionAttributeValues: { ':pk': { S: 'endpoint#post' } } }),
    ]);
  });

  it('asks nothing for what cannot be a name: a key has 2 KB, and a path may be longer', async () => {
    const { registry, requests } = await setUp(() => ({ Items: [] }));
    for (const name of ['', 'a/b', 'x'.repeat(201)]) expect(await registry.get(name)).toBeUndefined();
    expect(requests).toEqual([]);
  });
});

describe('a read that is given up', () => {
  it('rejects with the reason of the signal, and ends the request', async () => {
    const asked = Promise.withResolvers<void>();
    const { server, registry } = await setUp(() => void asked.resolve());
    const abort = new AbortController();
    const connected = once(server, 'connection');
    const endpoint = registry.get('shop', abort.signal);
    const [socket] = await connected;
    const closed = once(socket, 'close');
    await asked.promise;
    const reason = new Error('no answer within 2000 ms');
    abort.abort(reason);
    await expect(endpoint).rejects.toBe(reason);
    await closed;
  });

  it('is not begun where the signal has fired', async () => {
    const { requests, registry } = await setUp(() => undefined);
    const reason = new Error('too late');
    await expect(registry.get('shop', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(requests).toEqual([]);
  });
});

describe('a write whose item a transaction of somebody else has just then', () => {
  const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };
  const shop = { ...spec, version: 1, createdAt: 5, lastModifiedAt: 5 };
  const type = (name: string) => `com.amazonaws.dynamodb.v20120810#${name}`;
  const conflict = { __type: type('TransactionConflictException'), message: 'ongoing' };
  const canceled = (...codes: readonly string[]) => ({
    __type: type('TransactionCanceledException'),
    message: 'canceled',
    CancellationReasons: codes.map((Code) => ({ Code })),
  });

  it('is made again', async () => {
    const item = { ...partKey('shop', SPEC_PART), spec: toAttribute(spec), version: { N: '2' } };
    const updated = { Attributes: { ...item, createdAt: { N: '5' }, lastModifiedAt: { N: '6' } } };
    const answers = [conflict, conflict, updated, canceled('TransactionConflict', 'None'), {}, conflict, {}];
    const { registry, requests } = await setUp(() => answers.shift());
    expect(await registry.update(spec, 1)).toMatchObject({ version: 2 });
    expect(requests).toHaveLength(3);
    expect(await registry.override(shop, { settings: {} })).toEqual({
      ...shop,
      override: { settings: {}, version: 1 },
    });
    expect(requests).toHaveLength(5);
    await registry.delete('shop', 1);
    expect(requests).toHaveLength(7);
  });

  it('is not made again where a condition failed as well, nor for ever', async () => {
    const failed = canceled('ConditionalCheckFailed', 'TransactionConflict');
    const first = await setUp(() => failed);
    await expect(first.registry.delete('shop', 1)).rejects.toThrow(EndpointNotFoundError);
    expect(first.requests).toHaveLength(1);
    const second = await setUp(() => conflict);
    await expect(second.registry.update(spec, 1)).rejects.toThrow('ongoing');
    expect(second.requests).toHaveLength(5);
  });
});
