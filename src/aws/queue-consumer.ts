import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { SqsBatchResponse, SqsEvent } from '../handler/queue-side.ts';
import { attemptInvocation } from '../operations/accept-start.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { createEndpointView } from '../router/endpoint-view.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import type { Gate } from '../router/gate.ts';
import { createIntake } from '../router/intake.ts';
import { toHttpResponse } from '../router/lambda-result.ts';
import type { Endpoint } from '../router/ports.ts';
import { attemptTimeMs } from './attempt-time.ts';
import { awsFlowGates } from './aws-flow-gates.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { createFlowMetrics } from './flow-metrics.ts';
import {
  bound,
  CLIENTS,
  type Consumer,
  type ConsumerClients,
  handlerOperations,
  logger,
} from './handler-operations.ts';
import { parseWakeUp } from './queue-messages.ts';

/** Runs the attempts that a batch of wake-ups is for, one after the other. */
export async function consumeBatch(
  event: SqsEvent,
  consumer: Consumer,
  clients: ConsumerClients = CLIENTS,
): Promise<SqsBatchResponse> {
  const processor = new BatchProcessor(EventType.SQS);
  const take = async ({ body }: { readonly body: string }) => wake(body, consumer, clients);
  try {
    return await processPartialResponse(event as never, take as never, processor, {
      processInParallel: false,
      // A batch of one that fails is no error of the function: the message comes again.
      throwOnFullBatchFailure: false,
    });
  } finally {
    await Promise.all([...flows.values()].map((flow) => flow.settle()));
  }
}

async function wake(body: string, consumer: Consumer, clients: ConsumerClients): Promise<void> {
  const { table, from, ...message } = parseWakeUp(body);
  const { context } = consumer;
  const { operations } = handlerOperations({ tableName: table, endpointsTable: from.table }, consumer, clients);
  const { gate, endpointOf, emit } = flowOf(from.table, clients);
  const intake = createIntake({ gate, endpointOf, emit, operations, clock: Date, random: Math.random });
  const leaseMs = context.getRemainingTimeInMillis();
  const since = Date.now();
  const leaseUntil = since + leaseMs;
  const { awsRequestId: invocation, logStreamName: logStream } = context;
  const { endpoint, principal } = from;
  await intake.take({ ...message, endpoint, principal, leaseMs }, ({ began, ended }) =>
    operations.wake(message, {
      claim: { leaseUntil, since, invocation, ...(logStream !== undefined && { logStream }) },
      async run(record, canceled) {
        await began(record);
        const result = await attempt(record, canceled);
        ended(result, canceled);
        return result;
      },
    }),
  );

  async function attempt(record: OperationRecord, canceled: AbortSignal): Promise<AttemptResult> {
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
  }
}

/** What lets attempts of a gateway's endpoints begin, one for each of its tables: this environment's view of all of them. */
interface QueueFlow {
  readonly gate: Gate;
  readonly emit: EmitFlowEvent;
  readonly endpointOf: (name: string) => Promise<Endpoint | undefined>;
  /** To be called before the environment may be frozen. */
  settle(): Promise<void>;
}

const flows = new Map<string, QueueFlow>();

function flowOf(tableName: string, { dynamo }: ConsumerClients): QueueFlow {
  const known = flows.get(tableName);
  if (known !== undefined) return known;
  const endpoints = createEndpointView({
    registry: createDynamoEndpointRegistry({ client: dynamo, tableName, clock: Date }),
    clock: Date,
    onStale: (endpoint, error) =>
      logger.warn('the registry could not be read; its last view serves', { endpoint, error }),
  });
  const metrics = createFlowMetrics({ gateway: tableName, logger, clock: Date });
  const flow: QueueFlow = {
    gate: awsFlowGates({ dynamo, tableName, endpoints, logger, emit: metrics.emit }).queued,
    emit: metrics.emit,
    async endpointOf(name) {
      try {
        return await endpoints.get(name);
      } catch (error) {
        // It was accepted: what cannot be asked must not keep it.
        logger.warn('an attempt begins without asking for its circuit and limits', { endpoint: name, error });
        return undefined;
      }
    },
    async settle() {
      await Promise.all([endpoints.settle(), metrics.settle()]);
    },
  };
  flows.set(tableName, flow);
  return flow;
}
