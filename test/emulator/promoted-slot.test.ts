import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDynamoLimitStore } from '../../src/aws/dynamodb-limit-store.ts';
import { pastCutOff } from '../../src/aws/past-cut-off.ts';
import type { LambdaHttpResult } from '../../src/handler/invocation.ts';
import type { PromotableInvocation } from '../../src/handler/outlive.ts';
import { draftOf } from '../../src/operations/draft.ts';
import { createEndpointsTable } from '../contract/endpoints-table.ts';
import { newRecord } from '../contract/operation-records.ts';
import { createOperationsTable } from '../contract/operations-table.ts';
import { context } from '../handler/requests.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';

let emulator: Ministack;
let clients: { dynamo: DynamoDBClient; sqs: SQSClient };
let tables: { operations: string; endpoints: string };

const RESULT: LambdaHttpResult = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };

beforeAll(async () => {
  emulator = await startMinistack();
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = emulator.env;
  const options = { endpoint: emulator.url, region, credentials: { accessKeyId, secretAccessKey } };
  clients = { dynamo: new DynamoDBClient(options), sqs: new SQSClient(options) };
  tables = {
    operations: await createOperationsTable(clients.dynamo),
    endpoints: await createEndpointsTable(clients.dynamo),
  };
});

afterAll(async () => {
  clients?.dynamo.destroy();
  clients?.sqs.destroy();
  await emulator?.stop();
});

it('a handler that goes on past its cut-off keeps its slot as long as its function may run, and lets it go at its end', async () => {
  const limits = createDynamoLimitStore({ client: clients.dynamo, tableName: tables.endpoints });
  const slot = { part: 'shop#slots#0', slot: 3, holder: 'one' };
  const { part } = slot;
  await limits.takeSlot(slot, { now: Date.now(), until: Date.now() + 35_000 });
  const { start, ...record } = newRecord();
  const invocation: PromotableInvocation = {
    ...{ nexusInvocation: 1, endpoint: 'shop', principal: 'local', timeoutMs: 30_000 },
    request: { method: 'POST', path: '/orders/place', query: '', headers: {}, body: '' },
    promotion: { cutOffMs: 27_000, tables, draft: draftOf({ ...record, start }), slot },
  };
  const side = pastCutOff(invocation, { context: context(600_000), handle: async () => RESULT }, clients);
  expect(await side.look()).toBeUndefined();
  const now = Date.now();
  expect(await limits.heldSlots(part, now + 595_000)).toEqual(new Set([3]));
  expect(await limits.heldSlots(part, now + 606_000)).toEqual(new Set());
  expect(await side.settle({ status: 'fulfilled', value: RESULT })).toEqual(RESULT);
  expect(await limits.heldSlots(part, now)).toEqual(new Set());
});
