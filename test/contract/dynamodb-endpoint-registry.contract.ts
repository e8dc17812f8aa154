import { type AttributeValue, DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TABLE } from '../../src/aws/contract.ts';
import { createDynamoCircuitStore } from '../../src/aws/dynamodb-circuit-store.ts';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import { TableNotFoundError } from '../../src/aws/endpoint-errors.ts';
import type { EndpointSpec } from '../../src/router/ports.ts';
import type { AwsVariables } from '../toolchain/aws-variables.ts';
import { describeCircuitStore } from './circuit-store.contract.ts';
import { describeEndpointRegistry, ManualClock } from './endpoint-registry.contract.ts';
import { createEndpointsTable } from './endpoints-table.ts';

/** A server that speaks DynamoDB. */
interface Emulator {
  readonly env: AwsVariables;
  stop(): Promise<void>;
}

/** What the adapter for DynamoDB does on this emulator, the contract of all adapters included. */
export function describeDynamoEndpointRegistry(name: string, start: () => Promise<Emulator>): void {
  let emulator: Emulator | undefined;
  let client: DynamoDBClient;

  beforeAll(async () => {
    emulator = await start();
    const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = emulator.env;
    client = new DynamoDBClient({
      endpoint: AWS_ENDPOINT_URL,
      region: AWS_REGION,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    });
  });

  afterAll(async () => {
    client?.destroy();
    await emulator?.stop();
  });

  describeEndpointRegistry(name, async (clock) =>
    createDynamoEndpointRegistry({ client, tableName: await createEndpointsTable(client), clock }),
  );

  describeCircuitStore(name, async () => {
    const tableName = await createEndpointsTable(client);
    const registry = createDynamoEndpointRegistry({ client, tableName, clock: new ManualClock() });
    return { circuits: createDynamoCircuitStore({ client, tableName }), registry };
  });

  describe(`the endpoint registry on ${name}, by itself,`, () => {
    const spec: EndpointSpec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };

    async function setUp() {
      const tableName = await createEndpointsTable(client);
      return { tableName, registry: createDynamoEndpointRegistry({ client, tableName, clock: new ManualClock() }) };
    }

    /** Puts something beside the specs into the table. */
    async function put(tableName: string, key: { pk: string; sk: string }, more: Record<string, AttributeValue> = {}) {
      const Item = { [TABLE.partitionKey]: { S: key.pk }, [TABLE.sortKey]: { S: key.sk }, ...more };
      await client.send(new PutItemCommand({ TableName: tableName, Item }));
    }

    it('does not take the rest of an endpoint’s state for an endpoint', async () => {
      const { tableName, registry } = await setUp();
      const override = { settings: { M: {} }, version: { N: '1' } };
      for (const sk of ['circuit', 'override']) await put(tableName, { pk: 'endpoint#shop', sk }, override);
      expect(await registry.get('shop')).toBeUndefined();
      expect(await registry.list()).toEqual([]);
      await registry.create(spec);
      expect(await registry.get('shop')).toMatchObject(spec);
      expect(await registry.list()).toHaveLength(1);
      await registry.delete('shop', 1);
      expect(await registry.get('shop')).toBeUndefined();
    });

    it('knows a write of a circuit again whose answer was lost', async () => {
      const { tableName, registry } = await setUp();
      await registry.create(spec);
      const circuits = createDynamoCircuitStore({ client, tableName });
      client.middlewareStack.add(
        (next) => async (request) => {
          await next(request);
          return next(request);
        },
        { step: 'finalizeRequest', name: 'sent-twice', priority: 'low' },
      );
      try {
        const circuit = { status: 'closed', version: 1, streak: 1, since: 1 } as const;
        expect(await circuits.write('shop', circuit)).toEqual({ kind: 'written' });
        expect(await circuits.write('shop', circuit)).toEqual({ kind: 'conflict', stored: circuit });
      } finally {
        client.middlewareStack.remove('sent-twice');
      }
    });

    it.each<[string, Record<string, AttributeValue>]>([
      ['nothing', {}],
      ['a status that this version does not know', { circuit: { M: { status: { S: 'ajar' } } } }],
      [
        'a time that is none',
        { circuit: { M: { status: { S: 'open' }, version: { N: '1' }, streak: { N: '5' }, openedAt: { S: 'now' } } } },
      ],
    ])('serves an endpoint whose circuit is %s as if it had none', async (_, more) => {
      const { tableName, registry } = await setUp();
      await registry.create(spec);
      await put(tableName, { pk: 'endpoint#shop', sk: 'circuit' }, { circuitVersion: { N: '1' }, ...more });
      expect(await registry.get('shop')).toMatchObject(spec);
      expect(await registry.get('shop')).not.toHaveProperty('circuit');
      const circuits = createDynamoCircuitStore({ client, tableName });
      const first = { status: 'closed', version: 1, streak: 1, since: 1 } as const;
      expect(await circuits.write('shop', first)).toEqual({ kind: 'conflict' });
    });

    it('lists more than one page', async () => {
      const { registry } = await setUp();
      const services = [{ name: 's', operations: Array.from({ length: 300 }, (_, n) => `${n}`.padStart(1_000, 'x')) }];
      const names = Array.from({ length: 8 }, (_, n) => `shop${n}`);
      for (const name of names) await registry.create({ ...spec, name, services });
      expect((await registry.list()).map(({ name }) => name)).toEqual(names);
    });

    it('finds a spec behind more than a page of other state', async () => {
      const { tableName, registry } = await setUp();
      await registry.create(spec);
      for (const sk of ['a', 'b', 'c', 'd']) {
        await put(tableName, { pk: 'endpoint#shop', sk }, { filler: { S: 'x'.repeat(390_000) } });
      }
      expect(await registry.get('shop')).toMatchObject(spec);
    });

    it.each<[string, string, Record<string, AttributeValue>]>([
      ['no version', 'REMOVE version', {}],
      ['a version that is no number', 'SET version = :value', { ':value': { S: '1' } }],
      ['no spec', 'REMOVE spec', {}],
      ['no target', 'REMOVE spec.target', {}],
      ['another name', 'SET spec.#name = :value', { ':value': { S: 'other' } }],
      ['services that are none', 'SET spec.services = :value', { ':value': { L: [{ S: 'orders' }] } }],
      ['callers that are none', 'SET spec.callers = :value', { ':value': { S: 'iam:*' } }],
      ['settings that are none', 'SET spec.settings = :value', { ':value': { NULL: true } }],
      [
        'a fraction beyond what JavaScript has',
        'SET createdAt = :value',
        { ':value': { N: '12345678901234567890.5' } },
      ],
      ['a number that is out of range', 'SET createdAt = :value', { ':value': { N: '9007199254740993' } }],
    ])('fails naming table and key where an item has %s', async (_, expression, values) => {
      const { tableName, registry } = await setUp();
      await registry.create(spec);
      await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { [TABLE.partitionKey]: { S: 'endpoint#shop' }, [TABLE.sortKey]: { S: 'spec' } },
          UpdateExpression: expression,
          ...(expression.includes('#name') && { ExpressionAttributeNames: { '#name': 'name' } }),
          ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
        }),
      );
      const problem = `the item pk = "endpoint#shop", sk = "spec" of table ${tableName} is no endpoint that this version of `;
      await expect(registry.get('shop')).rejects.toThrow(problem);
      await expect(registry.list()).rejects.toThrow(problem);
    });

    it.each<[string, string, Record<string, AttributeValue>]>([
      ['no version', 'REMOVE version', {}],
      ['no settings', 'REMOVE settings', {}],
      ['a setting without a value', 'REMOVE settings.burst.#value', {}],
      ['a value that is no number', 'SET settings.burst.#value = :value', { ':value': { S: '5' } }],
      ['a pause without an author', 'REMOVE paused.author', {}],
      ['a pause that is none', 'SET paused = :value', { ':value': { BOOL: true } }],
    ])('fails naming table and key where an override has %s', async (_, expression, values) => {
      const { tableName, registry } = await setUp();
      const shop = await registry.create({ ...spec, settings: { requestsPerSecond: 1 } });
      const mark = { author: 'local', reason: 'r', at: 1 };
      await registry.override(shop, { settings: { burst: { value: 2, ...mark } }, paused: mark });
      await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: { [TABLE.partitionKey]: { S: 'endpoint#shop' }, [TABLE.sortKey]: { S: 'override' } },
          UpdateExpression: expression,
          ...(expression.includes('#value') && { ExpressionAttributeNames: { '#value': 'value' } }),
          ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
        }),
      );
      const problem = `the item pk = "endpoint#shop", sk = "override" of table ${tableName} is no override of an endpoint that`;
      await expect(registry.get('shop')).rejects.toThrow(problem);
      await expect(registry.list()).rejects.toThrow(problem);
    });

    it('fails naming the table where there is none', async () => {
      const registry = createDynamoEndpointRegistry({ client, tableName: 'missing', clock: new ManualClock() });
      const attempts = [
        () => registry.get('shop'),
        () => registry.list(),
        () => registry.create(spec),
        () => registry.update(spec, 1),
        () => registry.delete('shop', 1),
        () => registry.override({ ...spec, version: 1, createdAt: 0, lastModifiedAt: 0 }, { settings: {} }),
      ];
      for (const attempt of attempts) {
        const failure = attempt();
        await expect(failure).rejects.toThrow(TableNotFoundError);
        await expect(failure).rejects.toThrow(
          'there is no table missing of endpoints; deploy the stack of its NexusGateway',
        );
      }
    });

    it('fails saying how large an endpoint is that does not fit into an item', async () => {
      const { registry } = await setUp();
      const operations = Array.from({ length: 500 }, (_, n) => `${n}`.padStart(1_000, 'x'));
      const large = { ...spec, services: [{ name: 's', operations }] };
      const problem = /^endpoint "shop" is too large for an item of DynamoDB, which takes 400 KB: about 490 KB, /;
      await expect(registry.create(large)).rejects.toThrow(problem);
      await registry.create(spec);
      await expect(registry.update(large, 1)).rejects.toThrow(problem);
      expect(await registry.get('shop')).toMatchObject({ version: 1 });
    });
  });
}
