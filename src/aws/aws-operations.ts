import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Logger } from '../handler/logger.ts';
import { createHandWork, type HandWork } from '../operations/hand-work.ts';
import { createOperations, type Operations, type OperationsDeps } from '../operations/operations.ts';
import { createOutlived, type Outlived } from '../operations/outlived.ts';
import type { OperationStore } from '../operations/ports.ts';
import { createDynamoOperationStore } from './dynamodb-operation-store.ts';
import { createSqsQueues } from './sqs-queues.ts';

export interface AwsOperationsDeps {
  readonly dynamo: DynamoDBClient;
  readonly sqs: SQSClient;
  /** Of the operations. */
  readonly tableName: string;
  /** Of the endpoints. */
  readonly endpointsTable: string;
  readonly logger: Logger;
  readonly cancelInner: OperationsDeps['cancelInner'];
}

/** Operations that are kept in DynamoDB and woken by SQS. */
export function createAwsOperations(deps: AwsOperationsDeps): {
  readonly operations: Operations;
  readonly outlived: Outlived;
  readonly store: OperationStore;
  readonly handWork: HandWork;
} {
  const { dynamo, sqs, tableName, endpointsTable, logger, cancelInner } = deps;
  const store = createDynamoOperationStore({ client: dynamo, tableName });
  const taskQueue = createSqsQueues({ client: sqs, tableName, endpointsTable, clock: Date });
  const operationsDeps = {
    store,
    taskQueue,
    completionQueue: taskQueue.completions,
    clock: Date,
    random: Math.random,
    cancelInner,
    logger,
  } satisfies OperationsDeps;
  return {
    operations: createOperations(operationsDeps),
    outlived: createOutlived(operationsDeps),
    handWork: createHandWork(operationsDeps),
    store,
  };
}
