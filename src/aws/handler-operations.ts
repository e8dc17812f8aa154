import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { HandlerError } from 'nexus-rpc';
import type { HandleInvocation, LambdaContext } from '../handler/invocation.ts';
import { consoleLoggerOptions, createConsoleLogger } from '../handler/logger.ts';
import { parseCancelResponse } from '../nexus/parse-response.ts';
import { cancelInvocation } from '../operations/accept-start.ts';
import type { OperationRecord } from '../operations/record.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import { usableMs } from './attempt-time.ts';
import { type AwsOperationsDeps, createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';

export interface Consumer {
  readonly context: LambdaContext;
  readonly handle: HandleInvocation;
}

export const logger = createConsoleLogger(consoleLoggerOptions(process.env));

/** What records are read from and written to, and messages sent by. */
export interface ConsumerClients {
  readonly dynamo: DynamoDBClient;
  readonly sqs: SQSClient;
}

export const CLIENTS: ConsumerClients = {
  dynamo: new DynamoDBClient(CLIENT_OPTIONS),
  sqs: new SQSClient(SQS_CLIENT_OPTIONS),
};

/** The operations of these tables, for whoever runs in a handler's function. */
export function handlerOperations(
  tables: Pick<AwsOperationsDeps, 'tableName' | 'endpointsTable'>,
  { context, handle }: Consumer,
  clients: ConsumerClients = CLIENTS,
) {
  const cancelInner = async (record: OperationRecord, innerToken: string) => {
    const invocation = cancelInvocation(record, innerToken, usableMs(context.getRemainingTimeInMillis()));
    try {
      parseCancelResponse(toHttpResponse(await handle(invocation, bound(context))));
    } catch (error) {
      // What cannot be canceled any more, or never could, is not tried again.
      if (!(error instanceof HandlerError) || error.retryable) throw error;
    }
  };
  return createAwsOperations({ ...clients, ...tables, logger, cancelInner });
}

/** Lambda's own context has its members on its prototype. */
export function bound(context: LambdaContext): LambdaContext {
  const { awsRequestId, functionName, logStreamName } = context;
  return {
    awsRequestId,
    functionName,
    ...(logStreamName !== undefined && { logStreamName }),
    getRemainingTimeInMillis: () => context.getRemainingTimeInMillis(),
  };
}
