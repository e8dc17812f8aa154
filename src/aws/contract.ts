/*
 * What the constructs and the code on Lambda must agree on. Only constants and types: the constructs import it at synth.
 */

/** Names of environment variables. */
export const ENV = {
  /** Of the router: name of the table of endpoints. */
  table: 'NEXUS_TABLE_NAME',
  /** Of the router and the operations function: name of the table of operations; not set where nothing is queued. */
  operationsTable: 'NEXUS_OPERATIONS_TABLE_NAME',
  /** Of the router: name of the table of answers; not set where no endpoint deduplicates. */
  answersTable: 'NEXUS_ANSWERS_TABLE_NAME',
  /**
   * Of the router and the operations function, `emulator`: callbacks may go to loopback, as where one machine runs functions
   * and callers. On AWS loopback is Lambda's own runtime, and this is never set.
   */
  loopbackCallbacks: 'NEXUS_LOOPBACK_CALLBACKS',
  /** Of the router: the principals that may manage the gateway, with spaces between them; not set where there are none. */
  administrators: 'NEXUS_ADMINISTRATORS',
  /** Of the authorizer: ARN of the secret whose JSON maps users to passwords. */
  basicSecret: 'NEXUS_BASIC_SECRET_ARN',
  /** Of a handler: ARN of the secret that holds what it needs to be let in by Temporal. */
  temporalSecret: 'NEXUS_TEMPORAL_SECRET_ARN',
} as const;

/** What flow control measures, in CloudWatch. docs/monitoring.md says what each metric is for. */
export const FLOW_METRICS = {
  namespace: 'NexusLambda',
  dimensions: { gateway: 'Gateway', endpoint: 'Endpoint', status: 'Status', reason: 'Reason' },
  names: {
    circuit: 'CircuitTransitions',
    refused: 'RequestsRefused',
    absorbed: 'RequestsAbsorbed',
    deferred: 'AttemptsDeferred',
    promoted: 'OperationsPromoted',
    rateHeadroom: 'RateHeadroom',
    concurrencyHeadroom: 'ConcurrencyHeadroom',
  },
} as const;

/** Names of the table's key attributes. */
export const TABLE = { partitionKey: 'pk', sortKey: 'sk', timeToLive: 'expiresAt' } as const;

/** With this begin partition keys of what the router itself writes into that table: what is taken of limits. */
export const LIMIT_KEY_PREFIX = 'limit#';

/** Names of the key and the time to live of the table of answers to starts that may be repeated. */
export const ANSWERS = { partitionKey: 'id', timeToLive: 'expiration' } as const;

/** Attributes of a circuit's item besides its key: all that the router may write. */
export const CIRCUIT_ATTRIBUTES = { circuit: 'circuit', version: 'circuitVersion', writeId: 'circuitWriteId' } as const;

/**
 * The table of operations: its key and its two indexes, each with the attributes that it projects besides keys. `N` is a
 * number, `S` a text. `src/aws/operation-item.ts` says what each is for.
 */
export const OPERATIONS = {
  partitionKey: { name: 'pk', type: 'S' },
  timeToLive: 'forgetAt',
  /** May be raised at any time, and never lowered: a record stays in the shard that it was written to. */
  shards: 8,
  due: {
    indexName: 'due',
    partitionKey: { name: 'shard', type: 'N' },
    sortKey: { name: 'dueAt', type: 'N' },
    nonKeyAttributes: ['token'],
  },
  list: {
    indexName: 'list',
    partitionKey: { name: 'shard', type: 'N' },
    sortKey: { name: 'listed', type: 'S' },
    nonKeyAttributes: ['endpoint', 'state', 'completionState'],
  },
} as const;

/**
 * What the rule of a task queue says to the operations function every minute, as `{ "taskQueue": … }`. A rule's input takes
 * 8,192 characters: `endpoints` are as many as fit, and those that a deploy knows.
 */
export interface TaskQueueRule {
  /** URL of the queue. */
  readonly queue: string;
  /** Id of the mapping from it to the handler. */
  readonly eventSourceMapping: string;
  /** Names of endpoints that queue operations in it: it is not looked for others while one of these is served. */
  readonly endpoints: readonly string[];
}

/** Properties of the custom resource that a deploy asks before the alias of a handler moves. All values are text. */
export interface GateProperties {
  readonly kind: 'gate';
  readonly tableName: string;
  /** Name of the endpoint. */
  readonly endpoint: string;
  /** ARN of the candidate, with its version number. */
  readonly versionArn: string;
  /** `true` lets operations disappear. */
  readonly allowBreakingChange: 'true' | 'false';
}

/** Properties of the custom resource that writes an endpoint's entry. All values are text, or lists of it. */
export interface EntryProperties {
  readonly kind: 'entry';
  readonly tableName: string;
  readonly endpoint: string;
  readonly description?: string;
  readonly namespace: string;
  readonly taskQueue: string;
  /** Principals, as `callers` of EndpointSpec. */
  readonly callers: readonly string[];
  /** JSON of EndpointSettings: CloudFormation would turn its numbers into text. */
  readonly settings: string;
  /** Operations that are delivered through a queue, as `service/operation`. */
  readonly queued?: readonly string[];
  /** Operations that are answered with a token where they are not done in the caller's time, as `service/operation`. */
  readonly promotable?: readonly string[];
  /** Operations whose retryable failures are retried from their queue, as `service/operation`. */
  readonly absorbFailures?: readonly string[];
  /** JSON of QueueUrls, where its operations may be kept in queues. */
  readonly queues?: string;
  /** JSON of a list of AllowedCallback. */
  readonly allowedCallbacks?: string;
  /** `true`: a repeated start gets the answer of the first one. */
  readonly deduplicate?: 'true' | 'false';
  /** What the router invokes: the ARN of the handler with its alias. */
  readonly functionArn: string;
  /** What the contract is read from: the ARN with the version that the alias has been moved to. */
  readonly versionArn: string;
  readonly allowBreakingChange: 'true' | 'false';
}
