import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it, onTestFinished } from 'vitest';
import { lazyDeduplication } from '../../src/aws/lazy-deduplication.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { START } from '../contract/deduplication.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const RESULT: NexusHttpResponse = { status: 200, headers: {}, body: new Uint8Array() };
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

it('delivers where the gateway has no table of answers, and says once for each endpoint what to do', async () => {
  const { lines, logger } = recordingLogger();
  const dynamo = new DynamoDBClient({ region: 'eu-west-1', credentials });
  const deduplicate = lazyDeduplication({ dynamo, tableName: undefined, logger });
  for (const endpoint of ['shop', 'stock', 'shop']) {
    expect(
      await deduplicate(
        { ...START, endpoint },
        async () => RESULT,
        () => 1_000,
      ),
    ).toBe(RESULT);
  }
  expect(lines).toMatchObject([
    { level: 'error', message: expect.stringContaining('NEXUS_ANSWERS_TABLE_NAME'), meta: { endpoint: 'shop' } },
    { level: 'error', meta: { endpoint: 'stock' } },
  ]);
});

it('keeps answers in the table that the gateway has', async () => {
  const tables: string[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    tables.push(JSON.parse(body).TableName);
    response.setHeader('content-type', 'application/x-amz-json-1.0').end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dynamo = new DynamoDBClient({ region: 'eu-west-1', credentials, endpoint });
  onTestFinished(() => dynamo.destroy());
  const { lines, logger } = recordingLogger();
  const deduplicate = lazyDeduplication({ dynamo, tableName: 'answers', logger });
  expect(
    await deduplicate(
      START,
      async () => RESULT,
      () => 5_000,
    ),
  ).toEqual(RESULT);
  expect(tables).toEqual(['answers', 'answers']);
  expect(lines).toEqual([]);
});
