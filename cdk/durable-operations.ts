import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, ProjectionType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnPermission, EventSourceMapping, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { ENV, OPERATIONS } from '../src/aws/contract.ts';
import type { AllowedCallback } from '../src/operations/callback-rules.ts';
import { grantFlowControl } from './flow-control.ts';
import type { NetworkProps } from './function-role.ts';
import type { Monitoring } from './monitoring.ts';
import type { NexusFunction } from './nexus-function.ts';
import { createOwnFunction, type OwnFunction } from './own-function.ts';
import { pauseWhereClosed } from './queue-pause.ts';
import type { TaskQueue } from './task-queue.ts';

export interface DurableOperationsProps extends NetworkProps {
  readonly endpointsTable: TableV2;
  readonly router: LambdaFunction;
  readonly monitoring: Monitoring;
  /** Whether people see and mend operations through the router. */
  readonly managed: boolean;
  readonly logRetention?: RetentionDays;
  readonly removalPolicy?: RemovalPolicy;
}

const TIMEOUT = Duration.seconds(60);

/** How often lost messages, expired leases and overdue completions are looked for. */
const RECONCILE_EVERY = Duration.minutes(1);

const COMPLETION_CONCURRENCY = 20;

/**
 * What keeps operations that are delivered through queues, and brings their results to their callers: a table, the
 * completion queue, and a function that delivers completions and looks after what crashes left.
 */
export class DurableOperations extends Construct {
  readonly table: TableV2;
  readonly completionQueue: Queue;
  readonly function: OwnFunction;
  /** What accepts operations. */
  readonly router: LambdaFunction;
  private readonly monitoring: Monitoring;
  private readonly endpointsTable: TableV2;
  private readonly served = new Set<TaskQueue>();
  private readonly keepers = new Set<NexusFunction>();

  constructor(scope: Construct, id: string, props: DurableOperationsProps) {
    super(scope, id);
    const {
      endpointsTable,
      router,
      monitoring,
      managed,
      logRetention,
      removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      vpc,
      vpcSubnets,
      securityGroups,
    } = props;
    this.router = router;
    this.endpointsTable = endpointsTable;
    this.monitoring = monitoring;
    this.table = new TableV2(this, 'Table', {
      partitionKey: attribute(OPERATIONS.partitionKey),
      timeToLiveAttribute: OPERATIONS.timeToLive,
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy,
      globalSecondaryIndexes: [OPERATIONS.due, OPERATIONS.list].map(
        ({ indexName, partitionKey, sortKey, nonKeyAttributes }) => ({
          indexName,
          partitionKey: attribute(partitionKey),
          sortKey: attribute(sortKey),
          projectionType: ProjectionType.INCLUDE,
          nonKeyAttributes: [...nonKeyAttributes],
        }),
      ),
    });
    const queueProps = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy,
    };
    const undeliverable = new Queue(this, 'UndeliverableCompletions', queueProps);
    this.completionQueue = new Queue(this, 'Completions', {
      ...queueProps,
      visibilityTimeout: Duration.seconds(TIMEOUT.toSeconds() * 6),
      deadLetterQueue: { queue: undeliverable, maxReceiveCount: 1_000 },
    });

    this.function = createOwnFunction(this, 'Function', {
      ...{ name: 'operations', vpc, vpcSubnets, securityGroups, logRetention },
      description: 'Delivers completions of Nexus operations, and looks after what crashes left',
      memorySize: 512,
      timeout: TIMEOUT,
      environment: { [ENV.table]: endpointsTable.tableName, [ENV.operationsTable]: this.table.tableName },
    });
    const { role } = this.function;
    // All of them, for those of a task queue that no deploy made, and only while those that a deploy made are closed.
    allow(role, ['dynamodb:Query', 'dynamodb:Scan'], [endpointsTable.tableArn]);
    allow(role, ['dynamodb:GetItem', 'dynamodb:UpdateItem'], [this.table.tableArn]);
    allow(role, ['dynamodb:Query'], [`${this.table.tableArn}/index/${OPERATIONS.due.indexName}`]);
    allow(
      role,
      ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:SendMessage'],
      [this.completionQueue.queueArn],
    );
    new EventSourceMapping(this, 'Delivery', {
      target: this.function,
      eventSourceArn: this.completionQueue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: COMPLETION_CONCURRENCY,
    });
    new Rule(this, 'Reconcile', {
      description: 'Looks after Nexus operations whose time has come',
      schedule: Schedule.rate(RECONCILE_EVERY),
      targets: [new LambdaTarget(this.function)],
    });

    monitoring.watchCompletions({
      queue: this.completionQueue,
      deadLetterQueue: undeliverable,
      function: this.function,
    });

    const routerRole = router.role as IRole;
    router.addEnvironment(ENV.operationsTable, this.table.tableName);
    allow(routerRole, ['dynamodb:PutItem', 'dynamodb:GetItem', 'dynamodb:UpdateItem'], [this.table.tableArn]);
    allow(routerRole, ['sqs:SendMessage'], [this.completionQueue.queueArn]);
    if (managed) allow(routerRole, ['dynamodb:Query'], [`${this.table.tableArn}/index/${OPERATIONS.list.indexName}`]);
  }

  /** Lets completions carry the `Authorization` that an endpoint's callbacks have in secrets. */
  authorize(callbacks: readonly AllowedCallback[]): void {
    for (const { authorization } of callbacks) {
      if (typeof authorization !== 'object') continue;
      allow(this.function.role, ['secretsmanager:GetSecretValue'], [authorization.secretArn]);
    }
  }

  /** Lets a handler keep the outcome of a direct start that ends when its caller's time is nearly over. */
  letKeepOutcomes(handler: NexusFunction): void {
    if (this.keepers.has(handler)) return;
    this.keepers.add(handler);
    allow(handler.role as IRole, ['dynamodb:PutItem'], [this.table.tableArn]);
  }

  /** Lets operations of a task queue be accepted, run by this handler, and taken up again. */
  serve(taskQueue: TaskQueue, handler: NexusFunction): void {
    if (this.served.has(taskQueue)) return;
    this.served.add(taskQueue);
    this.monitoring.watchTaskQueue(taskQueue);
    const ours = this.function.role;
    taskQueue.grantWake(this.router.role as IRole);
    taskQueue.grantWake(ours);
    taskQueue.grantAsk(ours);
    taskQueue.grantDeadLetter(ours);
    const { role } = handler;
    allow(role as IRole, ['dynamodb:GetItem', 'dynamodb:UpdateItem'], [this.table.tableArn]);
    allow(role as IRole, ['sqs:SendMessage'], [this.completionQueue.queueArn]);
    allow(role as IRole, ['dynamodb:Query'], [this.endpointsTable.tableArn]);
    grantFlowControl(role as IRole, this.endpointsTable.tableArn);
    // To cancel what an operation was handed over to.
    new CfnPermission(taskQueue, 'OperationsInvoke', {
      action: 'lambda:InvokeFunction',
      functionName: handler.alias.functionArn,
      principal: ours.roleArn,
    });
    pauseWhereClosed(taskQueue, this.function, this.served.size);
  }
}

function attribute({ name, type }: { readonly name: string; readonly type: 'S' | 'N' }) {
  return { name, type: type === 'S' ? AttributeType.STRING : AttributeType.NUMBER };
}

/** Without an id, which may be there once in a policy: a handler may serve many task queues, of many gateways. */
function allow(role: IRole, actions: string[], resources: string[]): void {
  role.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
}
