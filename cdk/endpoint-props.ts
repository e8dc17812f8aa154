import { type Duration, type RemovalPolicy, Token } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { IAlias, IFunction } from 'aws-cdk-lib/aws-lambda';
import { parseAllowedCallbacks } from '../src/operations/allowed-callbacks.ts';
import type { AllowedCallback } from '../src/operations/callback-rules.ts';
import { ENDPOINT_NAME_RULE, isEndpointName } from '../src/router/endpoint-spec.ts';
import { type EndpointSettings, settingsProblems } from '../src/router/settings.ts';
import type { Deduplication } from './deduplication.ts';
import type { DurableOperations } from './durable-operations.ts';
import type { NexusCaller } from './nexus-caller.ts';
import type { NexusFunction } from './nexus-function.ts';

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

/** Whether an endpoint's operations may come to its queue. */
export function bringsToQueue({ absorbOverload, ...props }: EndpointProps): boolean {
  const { queuedOperations, promotableOperations, absorbFailures } = props;
  const lists = [queuedOperations, promotableOperations, absorbFailures];
  return absorbOverload === true || lists.some((names) => names?.length);
}

/** Whether its handler takes some from there: one that queues nothing any more runs those that wait. */
export function takesFromQueue(props: EndpointProps): boolean {
  return bringsToQueue(props) || props.queuedOperations !== undefined;
}

export function settingsOf(props: EndpointProps): EndpointSettings {
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
