import { Duration, Lazy, Names } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { TaskQueueRule } from '../src/aws/contract.ts';
import type { TaskQueue } from './task-queue.ts';

const EVERY = Duration.minutes(1);

/** Names of 200 characters at most, in an input of 8,192. */
const MOST_NAMES = 30;

/**
 * Has the operations function look each minute whether a task queue is to be read, and lets it switch the queue's mapping.
 * All of it is the queue's own, in its stack, and goes with it.
 */
export function pauseWhereClosed(taskQueue: TaskQueue, operations: LambdaFunction): void {
  const { reading } = taskQueue;
  if (reading === undefined) return;
  const { mapping, endpointNames } = reading;
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
    description: `Has ${taskQueue.node.id} read, but while all of its Nexus endpoints are paused or their circuits open`,
    schedule: Schedule.rate(EVERY),
    targets: [new LambdaTarget(operations, { event: RuleTargetInput.fromObject({ taskQueue: rule }) })],
  }).node.addDependency(rights);
}
