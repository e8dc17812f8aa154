import {
  Annotations,
  ArnFormat,
  CfnOutput,
  CustomResource,
  type Duration,
  Names,
  RemovalPolicy,
  Stack,
  Token,
} from 'aws-cdk-lib';
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnPermission, type IAlias, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct, type IDependable } from 'constructs';
import type { EntryProperties, GateProperties } from '../src/aws/contract.ts';
import { parseAllowedCallbacks } from '../src/operations/allowed-callbacks.ts';
import type { AllowedCallback } from '../src/operations/callback-rules.ts';
import { ENDPOINT_NAME_RULE, isEndpointName } from '../src/router/endpoint-spec.ts';
import { type EndpointSettings, settingsProblems } from '../src/router/settings.ts';
import { addCircuitAlarm } from './circuit-alarm.ts';
import type { Deduplication } from './deduplication.ts';
import type { DurableOperations } from './durable-operations.ts';
import { NexusCaller } from './nexus-caller.ts';
import { NexusFunction } from './nexus-function.ts';
import { REGISTRATION_TIMEOUT, Registration } from './registration.ts';
import { TaskQueue } from './task-queue.ts';

/** What an endpoint needs of its gateway. */
export interface INexusGateway {
  /** What keeps and completes operations that are delivered through queues; only a gateway of the same app has it. */
  readonly durableOperations?: DurableOperations;
  /** What remembers answers to repeated starts; only a gateway of the same app has it. */
  readonly deduplication?: Deduplication;
  /** Whether endpoints get an alarm on their circuit. @default true */
  readonly alarms?: boolean;
  /** Base of all URLs, without a slash at its end. */
  readonly url: string;
  readonly apiId: string;
  readonly tableName: string;
  readonly tableArn: string;
  /** The role of the router's function: what may invoke handlers. */
  readonly routerRole: IRole;
}

/** What any endpoint has, however requests reach its handler. */
export interface EndpointOptions {
  /** Temporal's word: with the namespace, the target. Endpoints of one target share a handler and a queue. */
  readonly taskQueue: string;
  /** @default "default" */
  readonly namespace?: string;
  /**
   * What serves the target: a {@link NexusFunction}, or any function or alias whose code `createServiceHandler()` made.
   * Only a NexusFunction of this app is held back by its contract before it serves.
   */
  readonly handler: NexusFunction | IAlias | IFunction;
  readonly description?: string;
  /**
   * Who may call it.
   *
   * @default - the Basic user of the endpoint's own name, and whomever IAM lets invoke the endpoint's path
   */
  readonly callers?: readonly NexusCaller[];
  /**
   * Lets a deploy remove or rename operations, which fails every caller that still uses them.
   *
   * @default false
   */
  readonly allowBreakingChange?: boolean;
}

/** Properties of an endpoint whose requests go through the router. */
export interface EndpointProps extends EndpointOptions {
  /** Starts a second that are let through, over all callers. @default - no limit */
  readonly requestsPerSecond?: number;
  /** Starts that may come at once after a quiet time. @default - as many as `requestsPerSecond`, one at least */
  readonly burst?: number;
  /** Starts a second of any one caller, besides the limit over all. @default - no limit */
  readonly requestsPerSecondPerCaller?: number;
  /** Starts of one caller that may come at once. @default - as many as `requestsPerSecondPerCaller`, one at least */
  readonly burstPerCaller?: number;
  /**
   * Operations that run at the same time: so many that are called directly, and so many that are delivered through the
   * queue (there 2 to 1,000). Endpoints that queue operations on one task queue have the same.
   *
   * @default - what Lambda gives the function
   */
  readonly concurrency?: number;
  /** Consecutive failures that open the circuit. @default 5, as Temporal's own breaker */
  readonly circuitFailures?: number;
  /** How long an open circuit refuses before it lets one probe through. @default one minute, as Temporal's own breaker */
  readonly circuitOpenTime?: Duration;
  /** Before the first retry of a queued operation; doubles with each. @default one second, as Temporal's own policy */
  readonly retryInitialDelay?: Duration;
  /** Longest time between two retries. @default one hour, as Temporal's own policy */
  readonly retryMaxDelay?: Duration;
  /** Attempts of a queued operation after which it fails. @default - until its own timeout ends it */
  readonly retryAttempts?: number;
  /** Attempts that crashed after which a queued operation is taken out. @default 5 */
  readonly poisonAttempts?: number;
  /**
   * Operations that are delivered through a queue, as `service/operation`: they are accepted with a token and wait while
   * the handler is down. Callers cannot tell. The handler needs `queue: queuedDelivery()` of `nexus-lambda/aws`.
   *
   * To stop queueing, give an empty list first: nothing is queued from then on, and what runs and completes the operations
   * that wait stays. Leave it out once none is left, which removes that as well.
   *
   * @default - none: all are delivered directly
   */
  readonly queuedOperations?: readonly string[];
  /**
   * Operations that are answered with a token where they are not done in the caller's time, as `service/operation`; the
   * handler goes on, and its result goes to the caller's callback. Only for callers whose callback is allowed, or that poll
   * (`Prefer: respond-async`); any other gets the timeout as ever. Such an operation has the function's own time, the
   * 60 s of a {@link NexusFunction} unless it says otherwise. The handler needs `queue: queuedDelivery()` of
   * `nexus-lambda/aws`.
   *
   * @default - none: what is not done in time fails
   */
  readonly promotableOperations?: readonly string[];
  /**
   * Accepts what cannot be delivered now, over a limit, by an open circuit or to a function without capacity, for later:
   * from callers that can take an asynchronous answer, as workflows can. The handler needs `queue: queuedDelivery()` of
   * `nexus-lambda/aws`.
   *
   * @default - true where the handler takes operations from a queue by any other property, else false
   */
  readonly absorbOverload?: true;
  /**
   * Operations, as `service/operation`, whose retryable failures are retried here instead of given to the caller. Of others
   * Temporal retries them itself, and its own circuit breaker opens after five in a row, for the whole endpoint.
   *
   * @default - none
   */
  readonly absorbFailures?: readonly string[];
  /**
   * Where completions may be sent, such as the origin of a Temporal server's HTTP port. A start whose callback is elsewhere
   * is refused, also one that is delivered directly, whose handler would hand the callback on to its Temporal.
   *
   * @default - nowhere: callers of queued operations have to poll; callbacks of others are not checked
   */
  readonly allowedCallbacks?: readonly AllowedCallback[];
  /**
   * Answers a direct start that is repeated (the same caller, operation and `Nexus-Request-Id`) with the answer of the
   * first one, in place of running the handler again. Two writes of DynamoDB for each start.
   *
   * @default false
   */
  readonly deduplicate?: boolean;
  /** What becomes of the queues when the endpoint goes. @default - kept, but for those of a first deploy that fails: they hold accepted work */
  readonly removalPolicy?: RemovalPolicy;
}

/** Properties of {@link NexusEndpoint}. */
export interface NexusEndpointProps extends EndpointProps {
  readonly gateway: INexusGateway;
  /** The name, as in Temporal's own registry. */
  readonly name: string;
}

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

/** What an endpoint's entry says of what else it uses: queues, and the table of answers. */
type DeliveryProperties = Pick<
  EntryProperties,
  'queued' | 'promotable' | 'absorbFailures' | 'queues' | 'allowedCallbacks' | 'deduplicate'
>;

/** Whether an endpoint's operations may come to its queue. */
function bringsToQueue({ absorbOverload, ...props }: EndpointProps): boolean {
  const { queuedOperations, promotableOperations, absorbFailures } = props;
  const lists = [queuedOperations, promotableOperations, absorbFailures];
  return absorbOverload === true || lists.some((names) => names?.length);
}

/** Whether its handler takes some from there: one that queues nothing any more runs those that wait. */
function takesFromQueue(props: EndpointProps): boolean {
  return bringsToQueue(props) || props.queuedOperations !== undefined;
}

function deduplicationOf({ gateway, name, deduplicate }: NexusEndpointProps): Deduplication | undefined {
  if (!deduplicate) return undefined;
  if (gateway.deduplication !== undefined) return gateway.deduplication;
  throw new Error(
    `endpoint "${name}" deduplicates starts, which takes a gateway of the same app: hand over the NexusGateway itself`,
  );
}

/** The handler as the registry and the contract know it. */
interface Handler {
  /** What is invoked. */
  readonly functionArn: string;
  /** What the contract is read from. */
  readonly versionArn: string;
  /** ARNs of all that the contract may be read from, over the deploys to come. */
  readonly askable: readonly string[];
}

function handlerOf(handler: EndpointOptions['handler']): Handler {
  if (handler instanceof NexusFunction) {
    return {
      functionArn: handler.alias.functionArn,
      versionArn: handler.currentVersion.functionArn,
      // Its number is another one with each deploy.
      askable: [`${handler.functionArn}:*`],
    };
  }
  const { functionArn } = handler;
  return { functionArn, versionArn: functionArn, askable: [functionArn] };
}

/** Whether a function is known at synth to be of another account. */
function isForeign(scope: Construct, functionArn: string): boolean {
  if (Token.isUnresolved(functionArn)) return false;
  const stack = Stack.of(scope);
  return stack.splitArn(functionArn, ArnFormat.COLON_RESOURCE_NAME).account !== stack.account;
}

/** A function of another account takes our word only if its own policy says so, and that one we cannot write. */
function sayForeignGrants(scope: Construct, name: string, functionArn: string, grants: readonly ForeignGrant[]): void {
  if (!isForeign(scope, functionArn)) return;
  const { account } = Stack.of(scope).splitArn(functionArn, ArnFormat.COLON_RESOURCE_NAME);
  for (const { id, who, role } of grants) {
    new CfnOutput(scope, id, {
      description: `To be run in account ${account}: lets the ${who} of endpoint ${name}`,
      value:
        `aws lambda add-permission --function-name ${functionArn} --statement-id nexus-${name}-${id} ` +
        `--action lambda:InvokeFunction --principal ${role.roleArn}`,
    });
  }
}

interface ForeignGrant {
  readonly id: string;
  readonly who: string;
  readonly role: IRole;
}

/** Writes the entry at deploy time, after the contract has let the alias move. */
export function registerEndpoint(
  scope: Construct,
  props: EndpointOptions & Pick<NexusEndpointProps, 'gateway' | 'name'>,
  settings: EndpointSettings,
  deliveryProperties: DeliveryProperties = {},
): CustomResource {
  const { gateway, name, namespace = 'default', taskQueue, description, allowBreakingChange = false } = props;
  const handler = handlerOf(props.handler);
  const registration = Registration.of(scope, gateway.tableArn);
  registration.mayAsk(handler.askable);
  sayForeignGrants(scope, name, handler.functionArn, [
    { id: 'GrantRouter', who: 'router invoke the handler', role: gateway.routerRole },
    { id: 'GrantDeploy', who: 'deploy ask the handler for the contract', role: registration.role },
  ]);
  const common = {
    tableName: gateway.tableName,
    endpoint: name,
    versionArn: handler.versionArn,
    allowBreakingChange: allowBreakingChange ? ('true' as const) : ('false' as const),
  };
  const entry = new CustomResource(scope, 'Entry', {
    serviceToken: registration.serviceToken,
    resourceType: 'Custom::NexusEndpoint',
    serviceTimeout: REGISTRATION_TIMEOUT,
    properties: {
      ...common,
      kind: 'entry',
      namespace,
      taskQueue,
      ...(description !== undefined && { description }),
      callers: (props.callers ?? [NexusCaller.basic(name), NexusCaller.anyIam()]).map(({ principal }) => principal),
      settings: JSON.stringify(settings),
      ...deliveryProperties,
      functionArn: handler.functionArn,
    } satisfies EntryProperties,
  });
  if (props.handler instanceof NexusFunction) {
    const gate = new CustomResource(scope, 'ContractGate', {
      serviceToken: registration.serviceToken,
      resourceType: 'Custom::NexusContractGate',
      serviceTimeout: REGISTRATION_TIMEOUT,
      properties: { ...common, kind: 'gate' } satisfies GateProperties,
    });
    props.handler.alias.node.addDependency(gate);
  } else {
    Annotations.of(scope).addInfo(
      `the handler of endpoint ${name} is no NexusFunction of this app: its contract is checked when the endpoint is written, and not before its alias moves`,
    );
  }
  return entry;
}

function settingsOf(props: EndpointProps): EndpointSettings {
  const { requestsPerSecond, burst, requestsPerSecondPerCaller, burstPerCaller } = props;
  const { concurrency, circuitFailures, retryAttempts, poisonAttempts } = props;
  const settings = {
    requestsPerSecond,
    burst,
    requestsPerSecondPerCaller,
    burstPerCaller,
    concurrency,
    circuitFailures,
    circuitOpenMs: props.circuitOpenTime?.toMilliseconds(),
    retryInitialMs: props.retryInitialDelay?.toMilliseconds(),
    retryMaxMs: props.retryMaxDelay?.toMilliseconds(),
    retryAttempts,
    poisonAttempts,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Fails at synth for what would fail at deploy. */
export function checkEndpoint({
  name,
  namespace = 'default',
  taskQueue,
  ...props
}: EndpointProps & { name: string }): void {
  const problems: string[] = [];
  if (Token.isUnresolved(name)) problems.push('its name must be known at synth: it is part of ids');
  else if (!isEndpointName(name)) problems.push(`its name takes ${ENDPOINT_NAME_RULE}`);
  for (const [what, text] of Object.entries({ namespace, taskQueue })) {
    if (Token.isUnresolved(text)) continue;
    if (text.trim() === '') problems.push(`its ${what} is empty`);
  }
  if (props.callers?.length === 0)
    problems.push('its callers are an empty list: nobody could call it; name one, or leave the property out');
  problems.push(...queueProblems({ ...props, taskQueue }));
  problems.push(...settingsProblems(settingsOf({ ...props, taskQueue })));
  if (problems.length > 0) throw new Error(`endpoint "${name}": ${problems.join('; ')}`);
}

function queueProblems(props: EndpointProps): string[] {
  const { queuedOperations = [], promotableOperations = [], absorbFailures = [], allowedCallbacks } = props;
  const problems = Object.entries({ queuedOperations, promotableOperations, absorbFailures }).flatMap(([list, names]) =>
    names
      .filter((name) => !/^[^/]+\/[^/]+$/.test(name))
      .map((name) => `"${name}" in its ${list} is no "service/operation"`),
  );
  if (allowedCallbacks === undefined) return problems;
  // What is known when it is deployed, such as the name of a load balancer, is checked then.
  if (Token.isUnresolved(JSON.stringify(allowedCallbacks))) return problems;
  try {
    parseAllowedCallbacks(allowedCallbacks);
  } catch (error) {
    problems.push((error as Error).message);
  }
  return problems;
}
