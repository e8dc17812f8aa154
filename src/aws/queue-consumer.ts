import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { LambdaContext } from '../handler/invocation.ts';
import { type SqsBatchResponse, type SqsEvent, WRITE_RESERVE_MS } from '../handler/queue-side.ts';
import { attemptInvocation } from '../operations/accept-start.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import type { OperationRecord } from '../operations/record.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import { bound, type Consumer, handlerOperations } from './handler-operations.ts';
import { parseWakeUp } from './queue-messages.ts';

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
  const { operations } = handlerOperations(table, consumer);
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
  return Math.max(0, Math.min(ownMs, context.getRemainingTimeInMillis() - WRITE_RESERVE_MS));
}
