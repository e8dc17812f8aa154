import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  InvokeCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
  type UpdateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda';
import {
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { clientOptions } from './access-app.ts';
import { type AwsProxy, openAwsProxy } from './aws-proxy.ts';
import { type EmulatedApi, emulatedApi, rootOf } from './emulated-api.ts';
import type { IamCredentials } from './iam.ts';

/** Of the app in apps/queued.ts. */
interface Outputs {
  readonly ApiId: string;
  /** ARNs of roles: an administrator, one who may ask for management and is none, and a caller of `warehouse`. */
  readonly Operator: string;
  readonly Visitor: string;
  readonly Buyer: string;
  readonly WarehouseFunction: string;
  readonly WarehouseQueue: string;
  readonly WarehouseDeadLetterQueue: string;
  readonly OutageFunction: string;
  readonly OutageQueue: string;
  readonly OutageDeadLetterQueue: string;
  readonly OperationsFunction: string;
  readonly OperationsTable: string;
  readonly EndpointsTable: string;
  readonly CompletionQueue: string;
}

/** The app in apps/queued.ts, deployed to an emulator that checks signatures and policies. */
export interface QueuedApp {
  readonly emulator: Ministack;
  readonly outputs: Outputs;
  readonly api: EmulatedApi;
  readonly lambda: LambdaClient;
  readonly sqs: SQSClient;
  /** Between all functions and AWS. */
  readonly aws: AwsProxy;
  /** Between the operations function and DynamoDB. */
  readonly completions: AwsProxy;
  /** Target URL of an endpoint for a Temporal server. */
  targetUrl(endpoint: string): string;
  readonly store: OperationStore;
  /** Of an operation, by its token. */
  record(token: string): Promise<OperationRecord | undefined>;
  /** How many messages a queue has, whether somebody may take them or somebody has. */
  messages(queueUrl: string): Promise<number>;
  /** How many of them somebody has taken, and not deleted. */
  inFlight(queueUrl: string): Promise<number>;
  /** What SQS waits before a message that was taken, and not deleted, comes again. */
  setVisibilityTimeout(queueUrl: string, seconds: number): Promise<void>;
  /** Changes how messages of a queue are delivered to its function. */
  setDelivery(
    queueUrl: string,
    settings: Pick<UpdateEventSourceMappingCommandInput, 'Enabled' | 'BatchSize'>,
  ): Promise<void>;
  /** What the schedule does every minute. */
  reconcile(): Promise<{ due: number }>;
  stop(): Promise<void>;
}

const COUNTS: QueueAttributeName[] = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
];

export async function deployQueuedApp(): Promise<QueuedApp> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const emulator = await startMinistack({ auth: true });
    ends.push(() => emulator.stop());
    const aws = await openAwsProxy(emulator.url);
    ends.push(() => aws.close());
    const completions = await openAwsProxy(aws.url);
    ends.push(() => completions.close());
    await cdkBootstrap(emulator);
    const deployed = await cdkDeploy({
      emulator,
      app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/queued.ts',
      env: { AWS_PROXY_URL: aws.url, COMPLETIONS_PROXY_URL: completions.url },
      cwd: join(import.meta.dirname, '../..'),
    });
    const outputs = deployed.Queued as unknown as Outputs;
    const options = clientOptions(emulator, rootOf(emulator) as IamCredentials);
    const lambda = new LambdaClient(options);
    const sqs = new SQSClient(options);
    const store = createDynamoOperationStore({
      client: new DynamoDBClient(options),
      tableName: outputs.OperationsTable,
    });
    const api = emulatedApi(emulator, outputs.ApiId);
    return {
      emulator,
      outputs,
      api,
      lambda,
      sqs,
      aws,
      completions,
      targetUrl: (endpoint) =>
        `${api.url.replace('://', `://${endpoint}:password@`)}/basic/nexus/endpoints/${endpoint}/services`,
      store,
      record: (token) => store.get(token),
      async messages(QueueUrl) {
        const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: COUNTS }));
        return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
      },
      async inFlight(QueueUrl) {
        const AttributeNames: QueueAttributeName[] = ['ApproximateNumberOfMessagesNotVisible'];
        const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
        return Number(Attributes?.ApproximateNumberOfMessagesNotVisible);
      },
      async setVisibilityTimeout(QueueUrl, seconds) {
        const Attributes = { VisibilityTimeout: String(seconds) };
        await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes }));
      },
      async setDelivery(queueUrl, settings) {
        const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand());
        const name = queueUrl.split('/').at(-1);
        const { UUID } = EventSourceMappings.find(({ EventSourceArn }) => EventSourceArn?.endsWith(`:${name}`)) ?? {};
        await lambda.send(new UpdateEventSourceMappingCommand({ UUID, ...settings }));
      },
      async reconcile() {
        const FunctionName = outputs.OperationsFunction;
        const { Payload = [] } = await lambda.send(new InvokeCommand({ FunctionName, Payload: '{}' }));
        return JSON.parse(Buffer.from(Payload).toString());
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
