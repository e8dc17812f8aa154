import { access } from 'node:fs/promises';
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import { startDynamoDbLocal } from '../toolchain/dynamodb-local.ts';

const LONGEST_FETCH_MS = 10 * 60_000;

it(
  'DynamoDB Local keeps items in tables, and leaves nothing when it is stopped',
  async () => {
    const server = await startDynamoDbLocal({ onProgress: console.log });
    const client = new DynamoDBClient({
      endpoint: server.url,
      region: server.env.AWS_REGION,
      credentials: { accessKeyId: server.env.AWS_ACCESS_KEY_ID, secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY },
    });
    const TableName = 'things';
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      }),
    );
    await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 10 }, { TableName });
    await client.send(new PutItemCommand({ TableName, Item: { pk: { S: 'a' }, n: { N: '1' } } }));
    const { Item } = await client.send(new GetItemCommand({ TableName, Key: { pk: { S: 'a' } } }));
    expect(Item).toEqual({ pk: { S: 'a' }, n: { N: '1' } });
    await server.stop();
    await expect(access(server.logFile)).rejects.toThrow('ENOENT');
  },
  LONGEST_FETCH_MS,
);
