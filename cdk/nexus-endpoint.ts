import { Annotations, Names, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IDependable } from 'constructs';
import { addCircuitAlarm } from './circuit-alarm.ts';
import type { Deduplication } from './deduplication.ts';
import { type DeliveryProperties, handlerOf, isForeign, registerEndpoint } from './endpoint-entry.ts';
import { bringsToQueue, checkEndpoint, type NexusEndpointProps, settingsOf, takesFromQueue } from './endpoint-props.ts';
import { NexusFunction } from './nexus-function.ts';
import { TaskQueue } from './task-queue.ts';

/**
 * An endpoint of a gateway: the entry in its registry, the permission to invoke the handler, and a queue for its target.
 *
 * `gateway.addEndpoint()` makes one in the gateway's stack; another stack makes it itself, with the gateway or with what
 * `NexusGateway.fromGatewayAttributes()` returns.
 */
export class NexusEndpoint extends Construct {
  readonly endpointName: string;
  /** What `temporal operator nexus endpoint create --target-url` is given, for callers that sign with IAM. */
  readonly url: string;
  /** The same for a Temporal server, with `USER:PASSWORD@` to be put in front of the host. */
  readonly basicUrl: string;
  /** The queue of its target, and where its poison ends. */
  readonly taskQueue: TaskQueue;

  constructor(scope: Construct, id: string, props: NexusEndpointProps) {
    super(scope, id);
    const { gateway, name } = props;
    checkEndpoint(props);
    this.endpointName = name;
    this.url = `${gateway.url}/nexus/endpoints/${name}/services`;
    this.basicUrl = `${gateway.url}/basic/nexus/endpoints/${name}/services`;

    const handler = handlerOf(props.handler);
    const invoke = this.letRouterInvoke(gateway.routerRole, handler.functionArn);
    this.taskQueue = this.ownTaskQueue(props);
    const deduplication = deduplicationOf(props);
    const { allowedCallbacks } = props;
    const entry = registerEndpoint(this, props, settingsOf(props), {
      ...this.queueProperties(props),
      ...(deduplication && { deduplicate: 'true' as const }),
      ...(allowedCallbacks?.length && { allowedCallbacks: JSON.stringify(allowedCallbacks) }),
    });
    entry.node.addDependency(invoke);
    if (deduplication) entry.node.addDependency(deduplication);
    if (gateway.alarms ?? true)
      addCircuitAlarm(this, { endpoint: name, gateway, circuitOpenTime: props.circuitOpenTime });
    // Once the entry says that operations are queued, they are: whatever takes them must be there.
    if (takesFromQueue(props)) {
      const { durableOperations: durable } = gateway;
      entry.node.addDependency(this.taskQueue, ...(durable ? [durable, durable.router] : []));
    }
  }

  /** Wires the queue of an endpoint that queues operations, and says to the registry what the router has to know of it. */
  private queueProperties(props: NexusEndpointProps): Omit<DeliveryProperties, 'allowedCallbacks' | 'deduplicate'> {
    const { gateway, name, handler, queuedOperations, promotableOperations, ...others } = props;
    const { absorbFailures, allowedCallbacks, concurrency } = others;
    if (!takesFromQueue(props)) return {};
    if (!bringsToQueue(props)) {
      Annotations.of(this).addInfo(
        `endpoint ${name} queues nothing any more, and keeps what runs the operations that wait; leave queuedOperations out ` +
          `once "nexus-lambda operation count --endpoint ${name}" says that none is queued, claimed or handed over`,
      );
    }
    const durable = gateway.durableOperations;
    if (durable === undefined) {
      throw new Error(
        `endpoint "${name}" keeps operations in a queue, which takes a gateway of the same app: hand over the NexusGateway itself`,
      );
    }
    if (!(handler instanceof NexusFunction)) {
      throw new Error(
        `endpoint "${name}" keeps operations in a queue, and its handler is no NexusFunction of this app, which can be given the right to take them`,
      );
    }
    const { taskQueue } = this;
    taskQueue.deliverTo(handler, name, concurrency);
    durable.serve(taskQueue, handler);
    if (promotableOperations?.length) durable.letKeepOutcomes(handler);
    if (allowedCallbacks) durable.authorize(allowedCallbacks);
    return {
      ...(queuedOperations?.length && { queued: queuedOperations }),
      ...(absorbFailures?.length && { absorbFailures }),
      ...(promotableOperations?.length && { promotable: promotableOperations }),
      // A record names its own; the router keeps nothing for later where the entry names none.
      ...(bringsToQueue(props) && {
        queues: JSON.stringify({
          task: taskQueue.queue.queueUrl,
          deadLetter: taskQueue.deadLetterQueue.queueUrl,
          completion: durable.completionQueue.queueUrl,
        }),
      }),
    };
  }

  /**
   * By the policy of the function, which has room of its own: the inline policies of a role, 10,240 characters together,
   * would be full after some forty endpoints. A function of another account has its policy there.
   */
  private letRouterInvoke(routerRole: IRole, functionArn: string): IDependable {
    if (!isForeign(this, functionArn)) {
      const permission = { action: 'lambda:InvokeFunction', functionName: functionArn, principal: routerRole.roleArn };
      return new CfnPermission(this, 'RouterInvokes', permission);
    }
    return new Policy(this, 'RouterInvokes', {
      // Its default, the logical ID, may be the same in two stacks, and a role has one inline policy of a name.
      policyName: Names.uniqueResourceName(this, { maxLength: 128 }),
      roles: [routerRole],
      statements: [
        new PolicyStatement({ sid: 'InvokeHandler', actions: ['lambda:InvokeFunction'], resources: [functionArn] }),
      ],
    });
  }

  /** Two endpoints of one target share its queue where they are in one stack. */
  private ownTaskQueue(props: NexusEndpointProps): TaskQueue {
    const {
      gateway,
      namespace = 'default',
      taskQueue,
      handler,
      removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    } = props;
    const stack = Stack.of(this);
    const scope = Construct.isConstruct(gateway) && Stack.of(gateway) === stack ? gateway : stack;
    const id = `TaskQueue-${namespace}-${taskQueue}`;
    const existing = scope.node.tryFindChild(id) as TaskQueue | undefined;
    if (existing === undefined) return new TaskQueue(scope, id, { handler, removalPolicy });
    if (existing.handler !== handler) {
      throw new Error(
        `endpoint "${props.name}": task queue "${taskQueue}" in namespace "${namespace}" is served by another handler already; ` +
          'endpoints of one task queue have one handler: name another task queue, or that handler',
      );
    }
    return existing;
  }
}

function deduplicationOf({ gateway, name, deduplicate }: NexusEndpointProps): Deduplication | undefined {
  if (!deduplicate) return undefined;
  if (gateway.deduplication !== undefined) return gateway.deduplication;
  throw new Error(
    `endpoint "${name}" deduplicates starts, which takes a gateway of the same app: hand over the NexusGateway itself`,
  );
}
