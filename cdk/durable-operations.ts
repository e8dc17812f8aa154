import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, ProjectionType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { type IRole, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  CfnPermission,
  EventSourceMapping,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { ENV, OPERATIONS } from '../src/aws/contract.ts';
import { functionCode } from './function-assets.ts';
import { createLogGroup, createLoggingRole, DEFAULT_LOG_RETENTION, type NetworkProps } from './function-role.ts';
import type { NexusFunction } from './nexus-function.ts';
import type { TaskQueue } from './task-queue.ts';

export interface DurableOperationsProps extends NetworkProps {
  readonly endpointsTable: TableV2;
  readonly routerRole: IRole;
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
  readonly function: LambdaFunction;
  private readonly routerRole: IRole;
  private readonly served = new Set<TaskQueue>();

  constructor(scope: Construct, id: string, props: DurableOperationsProps) {
    super(scope, id);
    const {
      endpointsTable,
      routerRole,
      removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      vpc,
      vpcSubnets,
      securityGroups,
    } = props;
    this.routerRole = routerRole;
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
    this.completionQueue = new Queue(this, 'Completions', {
      ...queueProps,
      visibilityTimeout: Duration.seconds(TIMEOUT.toSeconds() * 6),
      deadLetterQueue: { queue: new Queue(this, 'UndeliverableCompletions', queueProps), maxReceiveCount: 1_000 },
    });

    const logGroup = createLogGroup(this, 'Log', DEFAULT_LOG_RETENTION);
    const role = createLoggingRole(this, 'Role', { logGroup, inVpc: vpc !== undefined });
    this.function = new LambdaFunction(this, 'Function', {
      description: 'Delivers completions of Nexus operations, and looks after what crashes left',
      code: functionCode('operations'),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      timeout: TIMEOUT,
      loggingFormat: LoggingFormat.JSON,
      logGroup,
      role,
      environment: { [ENV.table]: endpointsTable.tableName, [ENV.operationsTable]: this.table.tableName },
      ...(vpc && { vpc }),
      ...(vpcSubnets && { vpcSubnets }),
      ...(securityGroups && { securityGroups }),
    });
    allow(role, 'ReadEndpoints', ['dynamodb:Query'], [endpointsTable.tableArn]);
    allow(role, 'KeepOperations', ['dynamodb:GetItem', 'dynamodb:UpdateItem'], [this.table.tableArn]);
    allow(role, 'FindDueOperations', ['dynamodb:Query'], [`${this.table.tableArn}/index/${OPERATIONS.due.indexName}`]);
    allow(
      role,
      'TakeCompletions',
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

    allow(
      routerRole,
      'AcceptOperations',
      ['dynamodb:PutItem', 'dynamodb:GetItem', 'dynamodb:UpdateItem'],
      [this.table.tableArn],
    );
    allow(routerRole, 'CompleteOperations', ['sqs:SendMessage'], [this.completionQueue.queueArn]);
  }

  /** Lets operations of a task queue be accepted, run by this handler, and taken up again. */
  serve(taskQueue: TaskQueue, handler: NexusFunction): void {
    if (this.served.has(taskQueue)) return;
    this.served.add(taskQueue);
    taskQueue.grantSend(this.routerRole);
    taskQueue.grantSend(this.function.role as IRole);
    const { role } = handler;
    allow(role as IRole, 'KeepOperations', ['dynamodb:GetItem', 'dynamodb:UpdateItem'], [this.table.tableArn]);
    allow(role as IRole, 'CompleteOperations', ['sqs:SendMessage'], [this.completionQueue.queueArn]);
    // To cancel what an operation was handed over to.
    new CfnPermission(taskQueue, 'OperationsInvoke', {
      action: 'lambda:InvokeFunction',
      functionName: handler.alias.functionArn,
      principal: (this.function.role as IRole).roleArn,
    });
  }
}

function attribute({ name, type }: { readonly name: string; readonly type: 'S' | 'N' }) {
  return { name, type: type === 'S' ? AttributeType.STRING : AttributeType.NUMBER };
}

function allow(role: IRole, sid: string, actions: string[], resources: string[]): void {
  role.addToPrincipalPolicy(new PolicyStatement({ sid, actions, resources }));
}
