import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { vi } from 'vitest';
import { createAwsOperations } from '../../src/aws/aws-operations.ts';
import { createCompletionDelivery } from '../../src/aws/completion-delivery.ts';
import { TABLE } from '../../src/aws/contract.ts';
import { createDynamoEndpointRegistry } from '../../src/aws/dynamodb-endpoint-registry.ts';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import { createEventSourceMappings } from '../../src/aws/event-source-mappings.ts';
import { createLambdaInvoker, lambdaInvokeFunction } from '../../src/aws/lambda-invoker.ts';
import { createOperationsHandler } from '../../src/aws/operations-handler.ts';
import { consumeBatch } from '../../src/aws/queue-consumer.ts';
import { routerHandlerOfEnvironment } from '../../src/aws/router-handler.ts';
import { createTaskQueueReconciler } from '../../src/aws/task-queue-reconciler.ts';
import { readSecretText } from '../../src/aws/temporal-secret.ts';
import type { LambdaHttpResult } from '../../src/handler/invocation.ts';
import { createCompletionAlarms } from '../../src/operations/completion-alarms.ts';
import { keepSecrets } from '../../src/operations/kept-secrets.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { createEndpointView } from '../../src/router/endpoint-view.ts';
import { createOperationInvoker } from '../../src/router/operation-invoker.ts';
import type { EndpointSpec } from '../../src/router/ports.ts';
import { createOperationsTable } from '../contract/operations-table.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { bodyJson, context, httpEvent } from '../handler/requests.ts';
import { createNetwork, openCallback } from '../operations/callback-server.ts';
import type { Ministack } from '../toolchain/ministack.ts';

const ORIGIN = 'http://10.0.0.5:7243';
const PATH = '/basic/nexus/endpoints/shop/services/orders/place';

/** Less patience than the deployed functions have, which try four times for three seconds each. */
const CLIENT_OPTIONS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_000, throwOnRequestTimeout: true },
  useQueueUrlAsEndpoint: false,
};

export interface QueuedWorldOptions {
  readonly emulator: Ministack;
  /** What the functions take for AWS. */
  readonly awsUrl: string;
  /** Of the `Authorization` of completions. */
  readonly secretArn: string;
  /** Of a function that takes cancels. */
  readonly functionArn: string;
  readonly settings?: EndpointSpec['settings'];
  /** After so many receives a message of the completion queue is given up; 1,000 where it is deployed. */
  readonly completionReceives?: number;
}

const ANSWERS = {
  result: { statusCode: 200, headers: { 'content-type': 'application/json' }, body: '"done"', isBase64Encoded: false },
  /** More than a message of the completion queue carries. */
  large: {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify('x'.repeat(200_000)),
    isBase64Encoded: false,
  },
  failure: {
    statusCode: 503,
    headers: { 'content-type': 'application/json' },
    body: '{"message":"down"}',
    isBase64Encoded: false,
  },
  token: {
    statusCode: 201,
    headers: { 'content-type': 'application/json' },
    body: '{"token":"inner","state":"running"}',
    isBase64Encoded: false,
  },
} as const satisfies Record<string, LambdaHttpResult>;

export type HandlerAnswer = keyof typeof ANSWERS;

/**
 * One operation, and the code of the router, the handler's queue side and the operations function around it, with tables,
 * queues, a secret and a function of the emulator. The clock is moved; the emulator's own goes on.
 */
export type QueuedWorld = Awaited<ReturnType<typeof openQueuedWorld>>;

export async function openQueuedWorld(options: QueuedWorldOptions) {
  const { emulator, awsUrl, secretArn, functionArn, settings = {}, completionReceives = 1_000 } = options;
  const sound = { endpoint: emulator.url, useQueueUrlAsEndpoint: false };
  const [dynamo, sqs] = [new DynamoDBClient(sound), new SQSClient(sound)];
  const faulty = { ...CLIENT_OPTIONS, endpoint: awsUrl };
  const clients = { dynamo: new DynamoDBClient(faulty), sqs: new SQSClient(faulty) };

  const tableName = await createOperationsTable(dynamo);
  const endpointsTable = await createEndpointsTable(dynamo);
  const queue = async (Attributes = {}) =>
    (await sqs.send(new CreateQueueCommand({ QueueName: randomUUID(), Attributes }))).QueueUrl ?? '';
  const undeliverable = await queue();
  const QueueArn = { QueueUrl: undeliverable, AttributeNames: ['QueueArn' as const] };
  const { Attributes: { QueueArn: deadLetterTargetArn } = {} } = await sqs.send(
    new GetQueueAttributesCommand(QueueArn),
  );
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: completionReceives });
  const queues = { task: await queue(), deadLetter: await queue(), completion: await queue({ RedrivePolicy }) };
  const endpointRegistry = createDynamoEndpointRegistry({ client: dynamo, tableName: endpointsTable, clock: Date });
  await endpointRegistry.create({
    name: 'shop',
    target: { namespace: 'default', taskQueue: 'shop' },
    services: [{ name: 'orders', operations: ['place'] }],
    callers: ['basic:shop'],
    functionArn,
    settings,
    queued: ['orders/place'],
    queues,
    allowedCallbacks: [
      { origin: ORIGIN, allowPrivateAddresses: true, allowInsecure: true, authorization: { secretArn } },
    ],
  });

  const refusals: { readonly status: number; readonly retryAfterS: number }[] = [];
  const callback = await openCallback((_, response) => {
    const { status = 200, retryAfterS = 0 } = refusals.shift() ?? {};
    response.writeHead(status, { 'retry-after': String(retryAfterS) }).end();
  });
  const { lines, logger } = recordingLogger();
  vi.stubEnv('NEXUS_TABLE_NAME', endpointsTable);
  vi.stubEnv('NEXUS_OPERATIONS_TABLE_NAME', tableName);
  vi.stubEnv('AWS_ENDPOINT_URL', awsUrl);
  const router = routerHandlerOfEnvironment();
  const registry = createDynamoEndpointRegistry({ client: clients.dynamo, tableName: endpointsTable, clock: Date });
  const endpoints = createEndpointView({ registry, clock: Date, onStale: () => {} });
  const invoker = createLambdaInvoker({ invokeFunction: lambdaInvokeFunction(), logger, random: Math.random });
  const { cancel: cancelInner } = createOperationInvoker({ registry: endpoints, invoker, clock: Date, logger });
  const { operations, store } = createAwsOperations({ ...clients, tableName, endpointsTable, logger, cancelInner });
  const complete = createCompletionDelivery({
    ...{ operations, store, endpoints, logger },
    poster: {
      connect: createNetwork(callback.port).connect,
      readSecret: keepSecrets({ read: readSecretText, clock: Date }),
    },
    alarm: createCompletionAlarms({ logger, clock: Date }),
  });
  const mappings = createEventSourceMappings(new LambdaClient(faulty));
  const reconcileTaskQueue = createTaskQueueReconciler({ registry, mappings, logger, clock: Date });
  const operationsFunction = createOperationsHandler({ operations, endpoints, complete, reconcileTaskQueue });
  const own = createDynamoOperationStore({ client: dynamo, tableName });

  const answers: HandlerAnswer[] = [];
  let runs = 0;
  const closing = Promise.withResolvers<LambdaHttpResult>();
  const crashes: Promise<unknown>[] = [];
  const requestId = randomUUID();
  let token = '';

  async function receive(QueueUrl: string) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        VisibilityTimeout: 300,
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      }),
    );
    return Messages[0];
  }

  /** What the event source mapping does with one message; says what became of it, or that there was none. */
  async function take(
    QueueUrl: string,
    handle: () => Promise<LambdaHttpResult> = async () => ANSWERS[answers.shift() ?? 'result'],
  ): Promise<'taken' | 'comes again' | undefined> {
    const message = await receive(QueueUrl);
    if (message === undefined) return undefined;
    const { Body: body = '', ReceiptHandle, Attributes: attributes = {} } = message;
    const event = { Records: [{ messageId: 'm', body, attributes, eventSource: 'aws:sqs' as const }] };
    const counted = async () => {
      runs++;
      return handle();
    };
    const result =
      QueueUrl === queues.task
        ? await consumeBatch(event, { context: context(), handle: counted }, clients)
        : await operationsFunction(event, context());
    if ('batchItemFailures' in result && result.batchItemFailures.length > 0) {
      await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
      return 'comes again';
    }
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    return 'taken';
  }

  async function call(path: string, headers: Record<string, string>): Promise<number> {
    const event = httpEvent(path, { body: '{}', headers });
    const result = await router(
      {
        ...event,
        rawQueryString: `callback=${encodeURIComponent(`${ORIGIN}/done`)}`,
        requestContext: { ...event.requestContext, authorizer: { lambda: { principal: 'basic:shop' } } },
      },
      context(),
    );
    if (result.statusCode === 201) token = (bodyJson(result) as { token: string }).token;
    return result.statusCode;
  }

  return {
    lines,
    /** What the handler answers, one attempt after the other, and then `result`. */
    answers,
    /** What the callback answers, one completion after the other, and then 200. */
    refusals,
    runs: () => runs,
    completions: () => callback.received.length,
    start: () => call(PATH, { 'nexus-request-id': requestId }),
    cancel: () => call(`${PATH}/cancel`, { 'nexus-operation-token': token }),
    takeTask: () => take(queues.task),
    /** Runs the handler of a message, whose environment ends with it: nobody hears of that. */
    async crashTask() {
      const begun = Promise.withResolvers<void>();
      const lost = take(queues.task, () => {
        begun.resolve();
        return closing.promise;
      });
      crashes.push(lost);
      await begun.promise;
    },
    /** As it is stored. */
    circuit: async () => (await endpointRegistry.get('shop'))?.circuit,
    takeCompletion: () => take(queues.completion),
    /** Loses what is in the task queue. */
    async loseTasks() {
      for (let message = await receive(queues.task); message !== undefined; message = await receive(queues.task)) {
        await sqs.send(new DeleteMessageCommand({ QueueUrl: queues.task, ReceiptHandle: message.ReceiptHandle }));
      }
    },
    /** Loses what is in the completion queue, also what is not to be seen yet. */
    async loseCompletions() {
      await sqs.send(new PurgeQueueCommand({ QueueUrl: queues.completion }));
    },
    /** Claims the attempt, as one whose environment crashes before it runs. */
    async crash() {
      const claim = { attempt: 1, leaseUntil: Date.now() + 1_000, invocation: 'i' };
      if ((await own.claim(token, claim, Date.now())) === undefined) throw new Error('it is claimed already');
    },
    /** What the schedule does every minute. */
    reconcile: async () =>
      operationsFunction({}, context()).then(
        () => 'looks after it' as const,
        () => 'fails' as const,
      ),
    /** The body of a message of a dead-letter queue, where it has one. */
    deadLetter: async () => (await receive(queues.deadLetter))?.Body,
    undeliverable: async () => (await receive(undeliverable))?.Body,
    /** The one operation that there is. */
    async record(): Promise<OperationRecord> {
      const { records } = await own.list({}, { limit: 10 });
      const [record, ...others] = records;
      if (record === undefined || others.length > 0) throw new Error(`there are ${records.length} operations`);
      return record;
    },
    passHours: (hours: number) => void vi.setSystemTime(Date.now() + hours * 3_600_000),
    async close() {
      closing.resolve(ANSWERS.result);
      await Promise.all(crashes);
      await callback.close();
      await setImmediate();
      for (const client of [dynamo, sqs, clients.dynamo, clients.sqs]) client.destroy();
    },
  };
}

let tables = 0;

async function createEndpointsTable(client: DynamoDBClient): Promise<string> {
  const tableName = `endpoints-${++tables}`;
  const { partitionKey, sortKey } = TABLE;
  const keys = [partitionKey, sortKey];
  await client.send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: keys.map((AttributeName, at) => ({ AttributeName, KeyType: at === 0 ? 'HASH' : 'RANGE' })),
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    }),
  );
  return tableName;
}
