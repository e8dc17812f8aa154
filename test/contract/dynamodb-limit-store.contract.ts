import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import { createDynamoLimitStore } from '../../src/aws/dynamodb-limit-store.ts';
import type { AwsVariables } from '../toolchain/aws-variables.ts';
import { createEndpointsTable } from './endpoints-table.ts';
import { describeLimitStore } from './limit-store.contract.ts';

/** A server that speaks DynamoDB. */
interface Emulator {
  readonly env: AwsVariables;
  stop(): Promise<void>;
}

const NOW = Date.UTC(2026, 0, 1);
const NOW_US = NOW * 1_000;

/** What the adapter for DynamoDB does on this emulator, the contract of all adapters included. */
export function describeDynamoLimitStore(name: string, start: () => Promise<Emulator>): void {
  let emulator: Emulator | undefined;
  let client: DynamoDBClient;
  let calls: string[] = [];

  beforeAll(async () => {
    emulator = await start();
    const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = emulator.env;
    client = new DynamoDBClient({
      endpoint: AWS_ENDPOINT_URL,
      region: AWS_REGION,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    });
    client.middlewareStack.add(
      (next, { commandName = '' }) => {
        return (args) => {
          calls.push(commandName.replace('Command', ''));
          return next(args);
        };
      },
      { step: 'initialize' },
    );
  });

  afterAll(async () => {
    client?.destroy();
    await emulator?.stop();
  });

  async function setUp() {
    const tableName = await createEndpointsTable(client);
    const store = createDynamoLimitStore({ client, tableName });
    calls = [];
    return { tableName, store };
  }

  describeLimitStore(name, async () => (await setUp()).store, { runs: 15 });

  describe(`the store of limits on ${name}, by itself,`, () => {
    const ask = { intervalUs: 100_000, lifeUs: 900_000, nowUs: NOW_US, count: 1, leftUs: 0 };

    it('takes tokens by one write, without a read where the asker has looked within their life', async () => {
      const { store } = await setUp();
      const first = await store.takeTokens('shop#0', ask);
      expect(calls).toEqual(['Query', 'UpdateItem']);
      calls = [];
      const soon = { ...ask, nowUs: NOW_US + 100_000, seenUs: first.nextUs };
      await store.takeTokens('shop#0', soon);
      expect(calls).toEqual(['UpdateItem']);
      calls = [];
      await store.takeTokens('shop#0', { ...soon, nowUs: NOW_US + 5_000_000 });
      expect(calls).toEqual(['Query', 'UpdateItem']);
    });

    it('refuses without a write what it has read, and by one write what it has not', async () => {
      const { store } = await setUp();
      const { nextUs: seenUs } = await store.takeTokens('shop#0', ask);
      await store.takeTokens('shop#0', { ...ask, count: 20, seenUs });
      calls = [];
      expect(await store.takeTokens('shop#0', { ...ask, seenUs })).toMatchObject({ kind: 'refused' });
      expect(calls).toEqual(['UpdateItem']);
      calls = [];
      expect(await store.takeTokens('shop#0', ask)).toMatchObject({ kind: 'refused' });
      expect(calls).toEqual(['Query']);
    });

    it('takes a slot, lets it go and looks at all by one call each', async () => {
      const { store } = await setUp();
      const lease = { part: 'shop#slots#0', slot: 0, holder: 'one' };
      await store.heldSlots(lease.part, NOW);
      await store.takeSlot(lease, { now: NOW, until: NOW + 5_000 });
      await store.freeSlot(lease);
      expect(calls).toEqual(['Query', 'UpdateItem', 'UpdateItem']);
    });

    it('marks each item as one that may go an hour after it says nothing any more, and hides none of an endpoint', async () => {
      const { tableName, store } = await setUp();
      const registry = createDynamoEndpointRegistry({ client, tableName, clock: { now: () => NOW } });
      await registry.create({ name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] });
      await store.takeTokens('shop#rate#0', ask);
      await store.takeSlot({ part: 'shop#slots#0', slot: 7, holder: 'one' }, { now: NOW, until: NOW + 5_000 });
      const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
      const expiries = Object.fromEntries(Items.map(({ pk, sk, expiresAt }) => [`${pk?.S} ${sk?.S}`, expiresAt?.N]));
      expect(expiries).toEqual({
        'endpoint#shop spec': undefined,
        'limit#shop#rate#0 tokens': String(NOW / 1_000 + 1 + 3_600),
        'limit#shop#slots#0 7': String(NOW / 1_000 + 5 + 3_600),
      });
      expect(await registry.list()).toHaveLength(1);
      expect(await registry.get('shop')).toMatchObject({ version: 1 });
    });

    it('gives up when its signal has fired', async () => {
      const { store } = await setUp();
      const signal = AbortSignal.abort(new Error('too late'));
      const lease = { part: 'shop#slots#0', slot: 0, holder: 'one' };
      await expect(store.takeTokens('shop#0', ask, signal)).rejects.toThrow();
      await expect(store.heldSlots(lease.part, NOW, signal)).rejects.toThrow();
      await expect(store.takeSlot(lease, { now: NOW, until: NOW + 5_000 }, signal)).rejects.toThrow();
      await expect(store.freeSlot(lease, signal)).rejects.toThrow();
    });
  });
}
