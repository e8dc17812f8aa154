import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { OPERATIONS } from '../../src/aws/contract.ts';

let tables = 0;

/** Creates an empty table of operations, with its indexes, and resolves to its name. */
export async function createOperationsTable(client: DynamoDBClient): Promise<string> {
  const tableName = `operations-${++tables}`;
  const { partitionKey, due, list } = OPERATIONS;
  const keys = [partitionKey, ...[due, list].flatMap((index) => [index.partitionKey, index.sortKey])];
  const types = new Map<string, 'S' | 'N'>(keys.map(({ name, type }) => [name, type]));
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: partitionKey.name, KeyType: 'HASH' }],
      AttributeDefinitions: [...types].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
      GlobalSecondaryIndexes: [due, list].map(({ indexName, partitionKey, sortKey, nonKeyAttributes }) => ({
        IndexName: indexName,
        KeySchema: [
          { AttributeName: partitionKey.name, KeyType: 'HASH' },
          { AttributeName: sortKey.name, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: [...nonKeyAttributes] },
      })),
    }),
  );
  return tableName;
}
