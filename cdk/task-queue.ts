import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface TaskQueueProps {
  /** What serves the task queue. */
  readonly handler: IFunction;
  readonly removalPolicy: RemovalPolicy;
}

/** The longest that SQS keeps a message: a service may be down over a holiday. */
const RETENTION = Duration.days(14);

/** AWS's rule for a queue that feeds a function: six of its timeouts, so that a batch is not seen again while it runs. */
const VISIBILITY_TIMEOUTS = 6;

/** Receives that end without the message being deleted; AWS asks for five at least where a function may be throttled. */
const MAX_RECEIVES = 10;

/** Of a function (AWS quota): assumed of one whose timeout is not known at synth. */
const LONGEST_TIMEOUT = Duration.minutes(15);

/** The queue of one target (a task queue in a namespace), for operations that wait, and where its poison ends. */
export class TaskQueue extends Construct {
  readonly handler: IFunction;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;

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
}
