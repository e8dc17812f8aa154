import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { LambdaContext } from '../handler/invocation.ts';
import { consoleLoggerOptions, createConsoleLogger } from '../handler/logger.ts';
import { isSqsEvent, type SqsBatchResponse } from '../handler/queue-side.ts';
import { createCompletionAlarms } from '../operations/completion-alarms.ts';
import { keepSecrets } from '../operations/kept-secrets.ts';
import type { Operations } from '../operations/operations.ts';
import { createEndpointView, type EndpointView } from '../router/endpoint-view.ts';
import { createOperationInvoker } from '../router/operation-invoker.ts';
import { createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';
import { type CompletionRecord, createCompletionDelivery } from './completion-delivery.ts';
import { ENV, type TaskQueueRule } from './contract.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { requiredVariable } from './environment.ts';
import { createEventSourceMappings } from './event-source-mappings.ts';
import { createLambdaInvoker, lambdaInvokeFunction } from './lambda-invoker.ts';
import { createTaskQueueReconciler, type TaskQueueRound } from './task-queue-reconciler.ts';
import { isOfTaskQueueRule, parseTaskQueueRule } from './task-queue-rule.ts';
import { readSecretText } from './temporal-secret.ts';

/**
 * Delivers completions from their queue; has a task queue read or not where the event is of its rule; on any other event,
 * such as a schedule's, looks after what is due.
 */
export type OperationsHandler = (
  event: unknown,
  context: LambdaContext,
) => Promise<SqsBatchResponse | TaskQueueRound | { due: number }>;

/** Operations that one reading of the index of due ones brings. */
const PAGE = 100;

/** What of the function's time is kept: one operation more may need it. */
const RESERVE_MS = 15_000;

/** The handler as it is deployed; fails where a variable that it needs is not set. */
export function operationsHandlerOfEnvironment(): OperationsHandler {
  const tableName = requiredVariable(ENV.operationsTable, 'the name of the table of operations');
  const endpointsTable = requiredVariable(ENV.table, 'the name of the table of endpoints');
  const logger = createConsoleLogger(consoleLoggerOptions(process.env));
  const dynamo = new DynamoDBClient(CLIENT_OPTIONS);
  const registry = createDynamoEndpointRegistry({ client: dynamo, tableName: endpointsTable, clock: Date });
  const endpoints = createEndpointView({
    registry,
    clock: Date,
    onStale: (endpoint, error) =>
      logger.warn('the registry could not be read; its last view serves', { endpoint, error }),
  });
  const invoker = createLambdaInvoker({ invokeFunction: lambdaInvokeFunction(), logger, random: Math.random });
  const { cancel: cancelInner } = createOperationInvoker({ registry: endpoints, invoker, clock: Date, logger });
  const { operations, store } = createAwsOperations({
    dynamo,
    sqs: new SQSClient(SQS_CLIENT_OPTIONS),
    tableName,
    endpointsTable,
    logger,
    cancelInner,
  });

  const complete = createCompletionDelivery({
    ...{ operations, store, endpoints, logger },
    poster: { readSecret: keepSecrets({ read: readSecretText, clock: Date }) },
    alarm: createCompletionAlarms({ logger, clock: Date }),
  });
  const reconcileTaskQueue = createTaskQueueReconciler({
    ...{ registry, logger, clock: Date },
    mappings: createEventSourceMappings(new LambdaClient(CLIENT_OPTIONS)),
  });
  return createOperationsHandler({ operations, endpoints, complete, reconcileTaskQueue });
}

export interface OperationsHandlerDeps {
  readonly operations: Pick<Operations, 'reconcile'>;
  readonly endpoints: Pick<EndpointView, 'settle'>;
  /** Takes a message of the completion queue. Rejects where it has to come again. */
  readonly complete: (message: CompletionRecord) => Promise<void>;
  readonly reconcileTaskQueue: (rule: TaskQueueRule) => Promise<TaskQueueRound>;
}

/** Makes the handler. */
export function createOperationsHandler(deps: OperationsHandlerDeps): OperationsHandler {
  const { operations, endpoints, complete, reconcileTaskQueue } = deps;
  return async (event, context) => {
    try {
      if (isSqsEvent(event)) {
        const processor = new BatchProcessor(EventType.SQS);
        const take = async (message: CompletionRecord) => complete(message);
        return await processPartialResponse(event as never, take as never, processor, {
          processInParallel: false,
          throwOnFullBatchFailure: false,
        });
      }
      if (isOfTaskQueueRule(event)) return await reconcileTaskQueue(parseTaskQueueRule(event));
      return { due: await operations.reconcile(PAGE, () => context.getRemainingTimeInMillis() > RESERVE_MS) };
    } finally {
      await endpoints.settle();
    }
  };
}
