import { Annotations, Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { ArnPrincipal, type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { NexusFunction } from './nexus-function.ts';

export interface TaskQueueProps {
  /** What serves the task queue. */
  readonly handler: IFunction;
  readonly removalPolicy: RemovalPolicy;
}

/** The longest that SQS keeps a message: a service may be down over a holiday. */
const RETENTION = Duration.days(14);

/** AWS's rule for a queue that feeds a function: six of its timeouts, so that a batch is not seen again while it runs. */
const VISIBILITY_TIMEOUTS = 6;

/**
 * The most that SQS takes. A receive that never claimed its operation, of a function that is throttled or does not load, is
 * no attempt and must not end one; what crashes too often is put into the dead-letter queue by the handler's own count.
 */
const MAX_RECEIVES = 1_000;

/** Of a function (AWS quota): assumed of one whose timeout is not known at synth. */
const LONGEST_TIMEOUT = Duration.minutes(15);

interface Delivery {
  readonly endpointName: string;
  readonly concurrency: number | undefined;
  readonly mapping: EventSourceMapping;
}

/** The queue of one target (a task queue in a namespace), for operations that wait, and where its poison ends. */
export class TaskQueue extends Construct {
  readonly handler: IFunction;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  /** The endpoint that said first how many at a time are delivered, and what it said. */
  private delivery: Delivery | undefined;
  /** Names of the endpoints whose operations it has, until now. */
  private readonly endpointNames: string[] = [];

  constructor(scope: Construct, id: string, { handler, removalPolicy }: TaskQueueProps) {
    super(scope, id);
    this.handler = handler;
    const functionTimeout = (handler as { readonly timeout?: Duration }).timeout ?? LONGEST_TIMEOUT;
    const common = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: RETENTION,
      removalPolicy,
    };
    this.deadLetterQueue = new Queue(this, 'DeadLetterQueue', common);
    this.queue = new Queue(this, 'Queue', {
      ...common,
      visibilityTimeout: Duration.seconds(functionTimeout.toSeconds() * VISIBILITY_TIMEOUTS),
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES },
    });
  }

  /**
   * Lets the handler take messages, so many at a time at most. The queue has one such number, so endpoints that share it
   * must agree.
   */
  deliverTo(handler: NexusFunction, endpointName: string, concurrency: number | undefined): void {
    this.endpointNames.push(endpointName);
    if (this.delivery !== undefined) {
      if (this.delivery.concurrency === concurrency) return;
      const others = `endpoint "${this.delivery.endpointName}" has ${inWords(this.delivery.concurrency)}`;
      throw new Error(
        `endpoint "${endpointName}" has ${inWords(concurrency)}, and ${others}: both queue operations on one task queue, ` +
          'which is delivered so many at a time for all of them; give both the same concurrency, or name another task queue',
      );
    }
    if (concurrency === 1) {
      Annotations.of(this).addWarningV2(
        'nexus-lambda:concurrency',
        'a queue of SQS delivers two messages at a time at least, so two queued operations may run at once; where only one ' +
          "may, give the handler's function reservedConcurrentExecutions: 1",
      );
    }
    const mapping = new EventSourceMapping(this, 'Delivery', {
      target: handler.alias,
      eventSourceArn: this.queue.queueArn,
      // One operation must not wait for another that takes minutes, nor fail with it.
      batchSize: 1,
      reportBatchItemFailures: true,
      // AWS takes 2 to 1,000.
      ...(concurrency !== undefined && { maxConcurrency: Math.min(Math.max(2, concurrency), 1_000) }),
    });
    this.delivery = { endpointName, concurrency, mapping };
    // Without an id, which may be there once in a policy: a handler may serve many task queues.
    handler.addToRolePolicy(
      new PolicyStatement({
        actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:SendMessage'],
        resources: [this.queue.queueArn],
      }),
    );
    handler.addToRolePolicy(
      new PolicyStatement({
        actions: ['sqs:SendMessage'],
        resources: [this.deadLetterQueue.queueArn],
      }),
    );
  }

  /** What delivers, and to which endpoints, those that are added later included. Where nothing is delivered there is none. */
  get reading(): { readonly mapping: EventSourceMapping; readonly endpointNames: readonly string[] } | undefined {
    return this.delivery && { mapping: this.delivery.mapping, endpointNames: this.endpointNames };
  }

  /** Lets a role wake operations. */
  grantWake(role: IRole): void {
    grant(this.queue, role, 'sqs:SendMessage');
  }

  /** Lets a role ask how many messages wait. */
  grantAsk(role: IRole): void {
    grant(this.queue, role, 'sqs:GetQueueAttributes');
  }

  /** Lets a role take operations out. */
  grantDeadLetter(role: IRole): void {
    grant(this.deadLetterQueue, role, 'sqs:SendMessage');
  }
}

function inWords(concurrency: number | undefined): string {
  return concurrency === undefined ? 'no concurrency' : `a concurrency of ${concurrency}`;
}

/** By the queue's own policy, since a role has little room in its own. */
function grant(queue: Queue, role: IRole, action: string): void {
  queue.addToResourcePolicy(
    new PolicyStatement({
      actions: [action],
      principals: [new ArnPrincipal(role.roleArn)],
      resources: [queue.queueArn],
    }),
  );
}
