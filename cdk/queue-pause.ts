import { Annotations, Duration, Lazy, Names } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { CfnEventSourceMapping, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { TaskQueueRule } from '../src/aws/contract.ts';
import type { TaskQueue } from './task-queue.ts';

const EVERY = Duration.minutes(1);

/** A description takes 512 characters, and the name of a task queue may have more. */
const MOST_OF_ID = 300;

/** Names of 200 characters at most, in an input of 8,192. */
const MOST_NAMES = 30;

/**
 * A stack has 500 resources, and each queue takes three; a role has 10,240 characters for its policies, and each takes some 240
 * of them. A deploy must not fail for what only saves invocations.
 */
const MOST_QUEUES = 10;

/**
 * Has the operations function look each minute whether a task queue is to be read, and lets it switch the queue's mapping.
 * All of it is the queue's own, in its stack, and goes with it.
 *
 * @param count of the task queues that this function looks after, with this one
 */
export function pauseWhereClosed(taskQueue: TaskQueue, operations: LambdaFunction, count: number): void {
  const { reading } = taskQueue;
  if (reading === undefined) return;
  const { mapping, endpointNames } = reading;
  if (count > MOST_QUEUES) {
    Annotations.of(taskQueue).addInfo(
      `this task queue is read also while all of its endpoints are paused or their circuits open: a gateway switches off ${MOST_QUEUES} at most`,
    );
    // It may have been one of them until now, and off.
    (mapping.node.defaultChild as CfnEventSourceMapping).enabled = true;
    return;
  }
  const rights = new Policy(taskQueue, 'SwitchDelivery', {
    // Its default, the logical ID, may be the same in two stacks, and a role has one inline policy of a name.
    policyName: Names.uniqueResourceName(taskQueue, { maxLength: 128 }),
    roles: [operations.role as IRole],
    statements: [
      new PolicyStatement({
        actions: ['lambda:GetEventSourceMapping', 'lambda:UpdateEventSourceMapping'],
        resources: [mapping.eventSourceMappingArn],
      }),
    ],
  });
  const rule = {
    queue: taskQueue.queue.queueUrl,
    eventSourceMapping: mapping.eventSourceMappingId,
    // More may be added until the end of the synth.
    endpoints: Lazy.list({ produce: () => endpointNames.slice(0, MOST_NAMES) }),
  } satisfies TaskQueueRule;
  new Rule(taskQueue, 'Reconcile', {
    description: `Has ${taskQueue.node.id.slice(0, MOST_OF_ID)} read, but while all of its Nexus endpoints are paused or their circuits open`,
    schedule: Schedule.rate(EVERY),
    targets: [new LambdaTarget(operations, { event: RuleTargetInput.fromObject({ taskQueue: rule }) })],
  }).node.addDependency(rights);
}
