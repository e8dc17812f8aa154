import {
  GetEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { AwsClient } from 'aws4fetch';
import type { TaskQueueRule } from '../../src/aws/contract.ts';
import type { Ministack } from '../toolchain/ministack.ts';
import { clientOptions } from './access-app.ts';
import { rootOf } from './emulated-api.ts';
import type { IamCredentials } from './iam.ts';

/** A task queue with its mapping and its rule, as they are deployed. */
export interface DeployedTaskQueue {
  readonly queueUrl: string;
  /** What its rule does every minute, with the rule's own input; what the function answers. */
  round(): Promise<unknown>;
  /** Of its mapping. */
  state(): Promise<string | undefined>;
  /** Disables its mapping, as somebody does by hand. */
  disable(): Promise<void>;
}

interface Rules {
  readonly Rules: readonly { readonly Name: string }[];
}

interface Targets {
  readonly Targets: readonly { readonly Arn: string; readonly Input: string }[];
}

/** The one whose rule this is, by the name of its task queue. */
export async function findTaskQueue(emulator: Ministack, taskQueue: string): Promise<DeployedTaskQueue> {
  const root = rootOf(emulator) as IamCredentials;
  const lambda = new LambdaClient(clientOptions(emulator, root));
  const { kind: _, ...keys } = root;
  const events = new AwsClient({ ...keys, service: 'events', region: emulator.env.AWS_REGION, retries: 0 });

  async function ask<T>(action: string, body: object): Promise<T> {
    const response = await events.fetch(emulator.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `AWSEvents.${action}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${action} failed: ${await response.text()}`);
    return (await response.json()) as T;
  }

  const { Rules } = await ask<Rules>('ListRules', {});
  const rule = Rules.find(({ Name }) => Name.includes(`TaskQueuedefault${taskQueue}Reconcile`));
  if (rule === undefined) throw new Error(`none of ${JSON.stringify(Rules)} is the rule of ${taskQueue}`);
  const { Targets } = await ask<Targets>('ListTargetsByRule', { Rule: rule.Name });
  const [target, ...others] = Targets;
  if (target === undefined || others.length > 0) throw new Error(`it has no one target: ${JSON.stringify(Targets)}`);
  const { queue, eventSourceMapping: UUID } = (JSON.parse(target.Input) as { taskQueue: TaskQueueRule }).taskQueue;

  return {
    queueUrl: queue,
    async round() {
      const { Payload = [] } = await lambda.send(
        new InvokeCommand({ FunctionName: target.Arn, Payload: target.Input }),
      );
      return JSON.parse(Buffer.from(Payload).toString());
    },
    async state() {
      return (await lambda.send(new GetEventSourceMappingCommand({ UUID }))).State;
    },
    async disable() {
      await lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled: false }));
    },
  };
}

/** How many messages a queue has that anybody may take, that somebody has taken, and that wait for their time. */
export async function messagesIn(sqs: SQSClient, QueueUrl: string) {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  return {
    visible: Number(Attributes?.ApproximateNumberOfMessages),
    inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
    delayed: Number(Attributes?.ApproximateNumberOfMessagesDelayed),
  };
}
