import { BatchWriteItemCommand, DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import { itemBytes } from '../../src/aws/item-size.ts';
import { type Item, toItem } from '../../src/aws/operation-item.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import { endedRecord, NOW, newRecord } from '../contract/operation-records.ts';
import { createOperationsTable } from '../contract/operations-table.ts';
import { type DynamoDbLocal, startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

// DynamoDB Local counts the read units of an answer as DynamoDB does, by what was read; its pages are larger than 1 MB.

const OPERATIONS = 4_000;
/** What a batch writes at most. */
const BATCH = 25;
/** Attributes of the index `list`, besides its keys. */
const PROJECTED = ['pk', 'shard', 'listed', 'endpoint', 'state', 'completionState'];

let emulator: DynamoDbLocal;
let client: DynamoDBClient;
let store: OperationStore;
/** Bytes of the index. */
let indexed = 0;

beforeAll(async () => {
  emulator = await startDynamoDbLocal();
  const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = emulator.env;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  client = new DynamoDBClient({ endpoint: AWS_ENDPOINT_URL, region: AWS_REGION, credentials });
  const tableName = await createOperationsTable(client);
  store = createDynamoOperationStore({ client, tableName });
  const callback = { url: 'http://127.0.0.1/callback', headers: {} };
  for (let n = 0; n < OPERATIONS; n += BATCH) {
    const items = Array.from({ length: BATCH }, (_, more) => {
      const record = newRecord({ endpoint: 'warehouse-orders-prod', callback, acceptedAt: NOW + n + more });
      return toItem((n + more) % 100 === 0 ? record : endedRecord(record), 'w');
    });
    for (const item of items) indexed += bytesInIndex(item);
    const requests = items.map((Item) => ({ PutRequest: { Item } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: requests } }));
  }
});
afterAll(async () => {
  client?.destroy();
  await emulator?.stop();
});

function bytesInIndex(item: Item): number {
  return itemBytes(Object.fromEntries(Object.entries(item).filter(([name]) => PROJECTED.includes(name))));
}

/** What DynamoDB is asked for meanwhile, and the read units that it counts. */
async function costOf(act: () => Promise<unknown>) {
  const calls = { Query: 0, GetItem: 0 };
  let units = 0;
  const name = 'count';
  client.middlewareStack.add(
    (next, context) => async (args) => {
      calls[context.commandName?.replace('Command', '') as keyof typeof calls]++;
      const input = { ...(args.input as QueryCommandInput), ReturnConsumedCapacity: 'TOTAL' as const };
      const result = await next({ ...args, input });
      units +=
        (result.output as { ConsumedCapacity?: { CapacityUnits?: number } }).ConsumedCapacity?.CapacityUnits ?? 0;
      return result;
    },
    { step: 'initialize', name },
  );
  try {
    await act();
  } finally {
    client.middlewareStack.remove(name);
  }
  return { ...calls, units };
}

it('has 160 to 210 bytes of an operation in the index of lists', () => {
  expect(indexed / OPERATIONS).toBeGreaterThan(160);
  expect(indexed / OPERATIONS).toBeLessThan(210);
});

it('lists a page with a query of each shard, and a read of each operation', async () => {
  const cost = await costOf(() => store.list({}, { limit: 50 }));
  expect(cost).toMatchObject({ Query: 8, GetItem: 50 });
  // 51 index items of each shard are 10 KB, at half a unit for 4 KB; a record of less than 4 KB is one.
  expect(cost.units).toBeLessThanOrEqual(8 * 1.5 + 50);
});

it('lists a page of an age with no more', async () => {
  const filter = { acceptedFrom: NOW + 1_000, acceptedBefore: NOW + 2_000 };
  const cost = await costOf(() => store.list(filter, { limit: 50 }));
  expect(cost).toMatchObject({ Query: 8, GetItem: 50 });
  expect(cost.units).toBeLessThanOrEqual(8 * 1.5 + 50);
});

it('lists a page of a state, which is read to the end where it is rare, with read units for the whole index', async () => {
  const cost = await costOf(() => store.list({ state: 'queued' }, { limit: 100 }));
  expect(cost).toMatchObject({ Query: 8, GetItem: OPERATIONS / 100 });
  expect(cost.units - OPERATIONS / 100).toBeLessThanOrEqual(indexed / 8_192 + 8);
});

it('counts with a query of each shard, and a read unit for 8 KB of the index', async () => {
  const cost = await costOf(() => store.count({}));
  expect(cost).toMatchObject({ Query: 8, GetItem: 0 });
  expect(cost.units).toBeGreaterThan(indexed / 8_192 - 1);
  expect(cost.units).toBeLessThanOrEqual(indexed / 8_192 + 8);
});

it('counts an age with a part of that', async () => {
  const { units } = await costOf(() => store.count({ acceptedFrom: NOW + OPERATIONS - 1_000 }));
  expect(units).toBeLessThanOrEqual(indexed / 8_192 / 4 + 8);
});
