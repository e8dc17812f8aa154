import type { LambdaHttpResult } from '../handler/invocation.ts';
import { toLambdaResult } from '../handler/lambda-event.ts';
import type { PastCutOff, PromotableInvocation } from '../handler/outlive.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import { recordOf } from '../operations/draft.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { formatTold } from '../router/format-told.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import { createOutlivingSlot, type OutlivingSlot } from '../router/outliving-slot.ts';
import { CLOCKS_DIFFER_MS } from '../router/slots.ts';
import { createDynamoLimitStore } from './dynamodb-limit-store.ts';
import { CLIENTS, type Consumer, type ConsumerClients, handlerOperations, logger } from './handler-operations.ts';

/** What a handler's function does for an invocation that has gone on past its cut-off. */
export function pastCutOff(
  invocation: PromotableInvocation,
  consumer: Consumer,
  clients: ConsumerClients = CLIENTS,
): PastCutOff {
  const { context } = consumer;
  const { outlived } = handlerOperations(
    {
      tableName: invocation.promotion.tables?.operations ?? '',
      endpointsTable: invocation.promotion.tables?.endpoints ?? '',
    },
    consumer,
    clients,
  );
  const accepted = recordOf(invocation);
  const { endpoint, gateway, request } = invocation;
  const leaseUntil = Date.now() + context.getRemainingTimeInMillis();
  const { awsRequestId, logStreamName: logStream } = context;
  const claim = { leaseUntil, invocation: awsRequestId, ...(logStream !== undefined && { logStream }) };

  const slot = slotOf(invocation, leaseUntil + CLOCKS_DIFFER_MS, clients);
  void slot?.keep();

  let seen: OperationRecord | undefined;

  return {
    async look() {
      const kept = slot?.keep();
      seen = (await outlived.look(accepted, claim).finally(() => kept)) ?? seen;
      return seen?.cancelRequestedAt === undefined ? undefined : 'canceled';
    },
    async settle(ended) {
      const freed = slot?.free();
      try {
        const { told } = await outlived.settle(accepted, resultOf(ended), seen);
        if (told !== undefined) return toLambdaResult(formatTold(told, request, gateway));
      } catch (error) {
        // The caller may still be there: what came of it is better than nothing. A caller that has a token gets the
        // result of another run.
        logger.error('what came of an operation could not be kept', { endpoint, token: accepted.token, error });
      } finally {
        await freed;
      }
      if (ended.status === 'rejected') throw ended.reason;
      return ended.value;
    },
  };
}

/** Where a limit had one for it. */
function slotOf(
  { promotion: { slot: lease, tables } }: PromotableInvocation,
  until: number,
  { dynamo: client }: ConsumerClients,
): OutlivingSlot | undefined {
  if (lease === undefined || tables === undefined) return undefined;
  const store = createDynamoLimitStore({ client, tableName: tables.endpoints });
  return createOutlivingSlot({ store, lease, until, logger });
}

function resultOf(ended: PromiseSettledResult<LambdaHttpResult>): AttemptResult {
  try {
    if (ended.status === 'rejected') throw ended.reason;
    return attemptResultOf(toHttpResponse(ended.value), Date.now());
  } catch (error) {
    // A middleware of the user that throws after the answer, or answers something else.
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', retryable: true, message, failure: { message } };
  }
}
