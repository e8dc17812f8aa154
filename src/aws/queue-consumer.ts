import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { HandlerError } from 'nexus-rpc';
import type { LambdaContext } from '../handler/invocation.ts';
import { consoleLoggerOptions, createConsoleLogger } from '../handler/logger.ts';
import type { HandleInvocation, SqsBatchResponse, SqsEvent } from '../handler/queue-side.ts';
import { parseCancelResponse } from '../nexus/parse-response.ts';
import { attemptInvocation, cancelInvocation } from '../operations/accept-start.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import type { Operations } from '../operations/operations.ts';
import type { OperationRecord } from '../operations/record.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import { attemptTimeMs, usableMs } from './attempt-time.ts';
import { createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';
import { parseWakeUp } from './queue-messages.ts';

export interface Consumer {
  readonly context: LambdaContext;
  readonly handle: HandleInvocation;
}

const logger = createConsoleLogger(consoleLoggerOptions(process.env));
const clients = { dynamo: new DynamoDBClient(CLIENT_OPTIONS), sqs: new SQSClient(SQS_CLIENT_OPTIONS) };

/** Runs the attempts that a batch of wake-ups is for, one after the other. */
export async function consumeBatch(event: SqsEvent, consumer: Consumer): Promise<SqsBatchResponse> {
  const processor = new BatchProcessor(EventType.SQS);
  const take = async ({ body }: { readonly body: string }) => wake(body, consumer);
  return processPartialResponse(event as never, take as never, processor, {
    processInParallel: false,
    // A batch of one that fails is no error of the function: the message comes again.
    throwOnFullBatchFailure: false,
  });
}

async function wake(body: string, consumer: Consumer): Promise<void> {
  const { table, ...message } = parseWakeUp(body);
  const { context } = consumer;
  const operations = operationsOf(table, consumer);
  const leaseUntil = Date.now() + context.getRemainingTimeInMillis();
  const { awsRequestId: invocation, logStreamName: logStream } = context;
  await operations.wake(message, {
    claim: { leaseUntil, invocation, ...(logStream !== undefined && { logStream }) },
    async run(record, canceled) {
      const now = Date.now();
      const timeoutMs = attemptTimeMs(record, { now, remainingMs: context.getRemainingTimeInMillis() });
      try {
        const result = await consumer.handle(attemptInvocation(record, { now, timeoutMs }), {
          ...bound(context),
          canceled,
        });
        return attemptResultOf(toHttpResponse(result), Date.now());
      } catch (error) {
        // A middleware of the user that throws after the answer.
        const message = error instanceof Error ? error.message : String(error);
        return { kind: 'failed', retryable: true, message, failure: { message } };
      }
    },
  });
}

function operationsOf(tableName: string, { context, handle }: Consumer): Operations {
  const cancelInner = async (record: OperationRecord, innerToken: string) => {
    const invocation = cancelInvocation(record, innerToken, usableMs(context.getRemainingTimeInMillis()));
    try {
      parseCancelResponse(toHttpResponse(await handle(invocation, bound(context))));
    } catch (error) {
      // What cannot be canceled any more, or never could, is not tried again.
      if (!(error instanceof HandlerError) || error.retryable) throw error;
    }
  };
  return createAwsOperations({ ...clients, tableName, logger, cancelInner }).operations;
}

/** Lambda's own context has its members on its prototype. */
function bound(context: LambdaContext): LambdaContext {
  const { awsRequestId, functionName, logStreamName } = context;
  return {
    awsRequestId,
    functionName,
    ...(logStreamName !== undefined && { logStreamName }),
    getRemainingTimeInMillis: () => context.getRemainingTimeInMillis(),
  };
}
