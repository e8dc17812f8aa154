import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Logger } from '../handler/logger.ts';
import { createDurableDelivery, type DurableDelivery } from '../router/durable-delivery.ts';
import type { EndpointView } from '../router/endpoint-view.ts';
import { createOperationInvoker } from '../router/operation-invoker.ts';
import { createOperationPolling } from '../router/operation-polling.ts';
import type { Invoker } from '../router/ports.ts';
import type { PromotionOperations } from '../router/promotion.ts';
import { createAwsOperations } from './aws-operations.ts';
import { callbacksOf } from './callbacks.ts';
import { ROUTER_SQS_CLIENT_OPTIONS } from './client-options.ts';

export interface RouterDurableDeps {
  readonly dynamo: DynamoDBClient;
  readonly tableName: string;
  readonly endpointsTable: string;
  readonly endpoints: EndpointView;
  readonly invoker: Invoker;
  readonly logger: Logger;
}

export type RouterDurable = DurableDelivery & PromotionOperations;

/** The router's part of queued delivery; in a file of its own, which the first request that needs it loads. */
export function routerDurable(deps: RouterDurableDeps): RouterDurable {
  const { dynamo, tableName, endpointsTable, endpoints, invoker, logger } = deps;
  const { cancel: cancelInner } = createOperationInvoker({ registry: endpoints, invoker, clock: Date, logger });
  const { operations, store } = createAwsOperations({
    dynamo,
    sqs: new SQSClient(ROUTER_SQS_CLIENT_OPTIONS),
    tableName,
    endpointsTable,
    logger,
    cancelInner,
  });
  const polling = createOperationPolling({ store, clock: Date });
  const durable = createDurableDelivery({
    operations,
    store,
    clock: Date,
    random: Math.random,
    callbacksOf,
    hasQueue: ({ queues }) => queues !== undefined,
  });
  return {
    answer: async (...request) => (await polling.answer(...request)) ?? (await durable.answer(...request)),
    absorb: durable.absorb,
    accept: operations.accept,
  };
}
