import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { LambdaContext } from '../handler/invocation.ts';
import { consoleLoggerOptions, createConsoleLogger } from '../handler/logger.ts';
import { isSqsEvent, type SqsBatchResponse, type SqsEvent } from '../handler/queue-side.ts';
import { createCompletionPoster, type PostCompletion } from '../operations/completion-poster.ts';
import { createEndpointView } from '../router/endpoint-view.ts';
import { createOperationInvoker } from '../router/operation-invoker.ts';
import type { Endpoint } from '../router/ports.ts';
import { createAwsOperations } from './aws-operations.ts';
import { callbacksOf } from './callbacks.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';
import { ENV } from './contract.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { requiredVariable } from './environment.ts';
import { createLambdaInvoker, lambdaInvokeFunction } from './lambda-invoker.ts';
import { parseCompletionMessage } from './queue-messages.ts';
import { readSecretText } from './temporal-secret.ts';

/** Delivers completions from their queue; on any other event, such as a schedule's, looks after what is due. */
export type OperationsHandler = (event: unknown, context: LambdaContext) => Promise<SqsBatchResponse | { due: number }>;

type Message = SqsEvent['Records'][number];

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
  const endpoints = createEndpointView({
    registry: createDynamoEndpointRegistry({ client: dynamo, tableName: endpointsTable, clock: Date }),
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
    logger,
    cancelInner,
  });

  async function complete({ body, attributes }: Message): Promise<void> {
    const message = parseCompletionMessage(body);
    // One that came before may have been delivered, and the function ended before it could say so: what it carries is old.
    const isFirst = attributes?.ApproximateReceiveCount === '1';
    const record = (isFirst ? message.record : undefined) ?? (await store.get(message.token));
    if (record === undefined)
      return logger.warn('a completion is of no operation', { token: message.token }) as undefined;
    const endpoint = await endpoints.get(record.endpoint);
    // It was allowed when the start was accepted; without the endpoint nobody knows whether it still is.
    const post = posterOf(endpoint) ?? (() => Promise.reject(new Error(`endpoint "${record.endpoint}" is gone`)));
    await operations.complete(record, post);
  }

  return async (event, context) => {
    try {
      if (isSqsEvent(event)) {
        const processor = new BatchProcessor(EventType.SQS);
        const take = async (message: Message) => complete(message);
        return await processPartialResponse(event as never, take as never, processor, {
          processInParallel: false,
          throwOnFullBatchFailure: false,
        });
      }
      let due = 0;
      for (let found = PAGE; found === PAGE && context.getRemainingTimeInMillis() > RESERVE_MS; due += found) {
        found = await operations.reconcile(PAGE);
      }
      return { due };
    } finally {
      await endpoints.settle();
    }
  };
}

/** One for each version of an endpoint: its rules are parsed once. */
const posters = new WeakMap<Endpoint, PostCompletion>();

function posterOf(endpoint: Endpoint | undefined): PostCompletion | undefined {
  if (endpoint === undefined) return undefined;
  const known = posters.get(endpoint);
  if (known !== undefined) return known;
  const poster = createCompletionPoster({
    callbacks: callbacksOf(endpoint),
    readSecret: readSecretText,
  });
  posters.set(endpoint, poster);
  return poster;
}
