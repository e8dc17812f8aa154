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
import { type AwsOperationsDeps, createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';
import { parseWakeUp } from './queue-messages.ts';

/** What of the function's time is kept for writing how an attempt ended. */
const RESERVE_MS = 2_000;

export interface Consumer {
  readonly context: LambdaContext;
  readonly handle: HandleInvocation;
}

/** What records are read from and written to, and messages sent by. */
export interface ConsumerClients {
  readonly dynamo: DynamoDBClient;
  readonly sqs: SQSClient;
}

const logger = createConsoleLogger(consoleLoggerOptions(process.env));
const CLIENTS: ConsumerClients = { dynamo: new DynamoDBClient(CLIENT_OPTIONS), sqs: new SQSClient(SQS_CLIENT_OPTIONS) };

/** Runs the attempts that a batch of wake-ups is for, one after the other. */
export async function consumeBatch(
  event: SqsEvent,
  consumer: Consumer,
  clients: ConsumerClients = CLIENTS,
): Promise<SqsBatchResponse> {
  const processor = new BatchProcessor(EventType.SQS);
  const take = async ({ body }: { readonly body: string }) => wake(body, consumer, clients);
  return processPartialResponse(event as never, take as never, processor, {
    processInParallel: false,
    // A batch of one that fails is no error of the function: the message comes again.
    throwOnFullBatchFailure: false,
  });
}

async function wake(body: string, consumer: Consumer, clients: ConsumerClients): Promise<void> {
  const { table, from, ...message } = parseWakeUp(body);
  const { context } = consumer;
  const operations = operationsOf({ tableName: table, endpointsTable: from.table }, consumer, clients);
  const leaseUntil = Date.now() + context.getRemainingTimeInMillis();
  const { awsRequestId: invocation, logStreamName: logStream } = context;
  await operations.wake(message, {
    claim: { leaseUntil, invocation, ...(logStream !== undefined && { logStream }) },
    async run(record, canceled) {
      const timeoutMs = timeLeft(record, context);
      try {
        const result = await consumer.handle(attemptInvocation(record, { now: Date.now(), timeoutMs }), {
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

/** The function's time, or the operation's own where that is shorter; the gateway's has no part in it. */
function timeLeft({ expiresAt }: OperationRecord, context: LambdaContext): number {
  const ownMs = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - Date.now();
  return Math.max(0, Math.min(ownMs, context.getRemainingTimeInMillis() - RESERVE_MS));
}

function operationsOf(
  tables: Pick<AwsOperationsDeps, 'tableName' | 'endpointsTable'>,
  { context, handle }: Consumer,
  clients: ConsumerClients,
): Operations {
  const cancelInner = async (record: OperationRecord, innerToken: string) => {
    const invocation = cancelInvocation(record, innerToken, context.getRemainingTimeInMillis() - RESERVE_MS);
    try {
      parseCancelResponse(toHttpResponse(await handle(invocation, bound(context))));
    } catch (error) {
      // What cannot be canceled any more, or never could, is not tried again.
      if (!(error instanceof HandlerError) || error.retryable) throw error;
    }
  };
  return createAwsOperations({ ...clients, ...tables, logger, cancelInner }).operations;
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
