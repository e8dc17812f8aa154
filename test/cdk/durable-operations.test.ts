import { App, CfnParameter, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { type EndpointProps, NexusEndpoint, NexusGateway, type NexusGatewayProps } from '../../cdk/index.ts';
import { createHandler, createStack } from './stacks.ts';

const QUEUED = { taskQueue: 'orders', queuedOperations: ['orders/ship'] } as const;
const FOURTEEN_DAYS = 14 * 24 * 3600;

function deploy(endpoint: Partial<EndpointProps> = {}, gatewayProps: NexusGatewayProps = {}) {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', gatewayProps);
  const handler = createHandler(stack, 'Handler', { timeout: Duration.seconds(20) });
  gateway.addEndpoint('orders', { ...QUEUED, handler, ...endpoint });
  return { stack, gateway, handler, template: Template.fromStack(stack) };
}

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Principal?: unknown;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/** The members that are looked at, of properties of any type. */
interface Resource {
  readonly Properties: Readonly<Record<string, unknown>> & {
    readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  };
  readonly DependsOn?: readonly string[];
}

/** The one resource of this type whose logical ID begins so. */
function resourceOf(template: Template, type: string, id: string): Resource {
  const found = Object.entries(template.findResources(type)).filter(([name]) => name.startsWith(id));
  const [[, resource] = expect.unreachable(`there is no ${type} ${id}`), ...others] = found;
  expect(others).toEqual([]);
  return resource as Resource;
}

const statementsOf = (template: Template, id: string, type = 'AWS::IAM::Policy') =>
  resourceOf(template, type, id).Properties.PolicyDocument.Statement;

const actionsOf = (template: Template, id: string) =>
  statementsOf(template, id)
    .flatMap(({ Action }) => Action)
    .sort();

const entryOf = (template: Template) => resourceOf(template, 'Custom::NexusEndpoint', '');

describe('the table of operations', () => {
  it('has its key, both indexes with what they project, backups, and a time to live', () => {
    const { template } = deploy();
    const { Properties } = resourceOf(template, 'AWS::DynamoDB::GlobalTable', 'NexusOperationsTable');
    expect(Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      TimeToLiveSpecification: { AttributeName: 'forgetAt', Enabled: true },
      Replicas: [{ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }],
    });
    expect(Properties.GlobalSecondaryIndexes).toEqual([
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'shard', KeyType: 'HASH' },
          { AttributeName: 'dueAt', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['token'] },
      },
      {
        IndexName: 'list',
        KeySchema: [
          { AttributeName: 'shard', KeyType: 'HASH' },
          { AttributeName: 'listed', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['endpoint', 'state', 'completionState'] },
      },
    ]);
    expect(Properties.AttributeDefinitions).toEqual([
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'shard', AttributeType: 'N' },
      { AttributeName: 'dueAt', AttributeType: 'N' },
      { AttributeName: 'listed', AttributeType: 'S' },
    ]);
  });

  it('stays, with the queues, when the stack goes, but for those of a first deploy that fails', () => {
    const policies = (template: Template) =>
      ['AWS::DynamoDB::GlobalTable', 'AWS::SQS::Queue'].flatMap((type) =>
        Object.values(template.findResources(type)).map(({ DeletionPolicy }) => DeletionPolicy),
      );
    // Endpoints and operations; two queues of the target, and two of completions.
    expect(policies(deploy().template)).toEqual(Array(6).fill('RetainExceptOnCreate'));
    const removalPolicy = RemovalPolicy.DESTROY;
    expect(policies(deploy({ removalPolicy }, { removalPolicy }).template)).toEqual(Array(6).fill('Delete'));
  });
});

describe('the queues', () => {
  it('are encrypted, keep messages as long as SQS can, and take them over TLS only', () => {
    const { template } = deploy();
    template.allResourcesProperties('AWS::SQS::Queue', {
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: FOURTEEN_DAYS,
    });
    const policies = Object.values(template.findResources('AWS::SQS::QueuePolicy'));
    expect(policies).toHaveLength(4);
    for (const { Properties } of policies) {
      expect(Properties.PolicyDocument.Statement).toContainEqual(
        expect.objectContaining({
          Effect: 'Deny',
          Action: 'sqs:*',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
      );
    }
  });

  it('hide a message for six timeouts of its function, and give it up after the most receives that SQS counts', () => {
    const { template } = deploy();
    const RedrivePolicy = Match.objectLike({ maxReceiveCount: 1_000 });
    template.hasResourceProperties('AWS::SQS::Queue', { VisibilityTimeout: 120, RedrivePolicy });
    template.hasResourceProperties('AWS::SQS::Queue', { VisibilityTimeout: 360, RedrivePolicy });
  });

  it.each([
    { concurrency: undefined, maximum: undefined },
    { concurrency: 1, maximum: 2 },
    { concurrency: 40, maximum: 40 },
    { concurrency: 5_000, maximum: 1_000 },
  ])('deliver one message at a time, to $maximum at once where the concurrency is $concurrency', (row) => {
    const { template, handler, stack } = deploy({ ...(row.concurrency && { concurrency: row.concurrency }) });
    const { Properties } = resourceOf(template, 'AWS::Lambda::EventSourceMapping', 'NexusTaskQueue');
    expect(Properties).toMatchObject({ BatchSize: 1, FunctionResponseTypes: ['ReportBatchItemFailures'] });
    expect(Properties.ScalingConfig).toEqual(row.maximum && { MaximumConcurrency: row.maximum });
    expect(Properties.FunctionName).toEqual(stack.resolve(handler.alias.functionName));
  });

  it('are said to deliver two at a time where one is asked for', () => {
    const warning = Match.stringLikeRegexp('two queued operations may run at once.*reservedConcurrentExecutions: 1');
    expect(Annotations.fromStack(deploy({ concurrency: 1 }).stack).findWarning('*', warning)).toHaveLength(1);
    expect(Annotations.fromStack(deploy({ concurrency: 2 }).stack).findWarning('*', warning)).toEqual([]);
  });

  it('of one target are one, with one mapping', () => {
    const stack = createStack();
    const gateway = new NexusGateway(stack, 'Nexus');
    const handler = createHandler(stack);
    for (const name of ['orders', 'sales']) gateway.addEndpoint(name, { ...QUEUED, handler });
    gateway.addEndpoint('archive', { ...QUEUED, taskQueue: 'archive', handler });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::SQS::Queue', 6);
    // Of two targets, and of the completions.
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 3);
    // An id may be there once in a policy.
    const ids = statementsOf(template, 'HandlerRole').flatMap(({ Sid }) => Sid ?? []);
    expect(ids).toEqual([...new Set(ids)]);
  });
});

it.each([
  {
    first: 10,
    second: 5,
    problem: 'endpoint "sales" has a concurrency of 5, and endpoint "orders" has a concurrency of 10',
  },
  {
    first: undefined,
    second: 5,
    problem: 'endpoint "sales" has a concurrency of 5, and endpoint "orders" has no concurrency',
  },
  {
    first: 10,
    second: undefined,
    problem: 'endpoint "sales" has no concurrency, and endpoint "orders" has a concurrency of 10',
  },
])('a queue takes no second concurrency, $second where it has $first', ({ first, second, problem }) => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus');
  const handler = createHandler(stack);
  const add = (name: string, concurrency: number | undefined) =>
    gateway.addEndpoint(name, { ...QUEUED, handler, ...(concurrency && { concurrency }) });
  add('orders', first);
  add('archive', first);
  expect(() => add('sales', second)).toThrow(`${problem}: both queue operations on one task queue`);
});

it('a queue is of no concern to an endpoint of its task queue that queues nothing', () => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus');
  const handler = createHandler(stack);
  gateway.addEndpoint('orders', { ...QUEUED, handler, concurrency: 10 });
  gateway.addEndpoint('sales', { taskQueue: QUEUED.taskQueue, handler, concurrency: 5 });
  const { Properties } = resourceOf(Template.fromStack(stack), 'AWS::Lambda::EventSourceMapping', 'NexusTaskQueue');
  expect(Properties.ScalingConfig).toEqual({ MaximumConcurrency: 10 });
});

describe('the function that looks after operations', () => {
  it('is called every minute, and with each completion', () => {
    const { template, stack, gateway } = deploy();
    const { function: own, completionQueue } = gateway.durableOperations;
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(1 minute)',
      Targets: [Match.objectLike({ Arn: stack.resolve(own.functionArn) })],
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      EventSourceArn: stack.resolve(completionQueue.queueArn),
      FunctionName: stack.resolve(own.functionName),
      BatchSize: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 20 },
    });
  });

  it('keeps its log as long as the gateway does', () => {
    const { template } = deploy({}, { logRetention: RetentionDays.ONE_WEEK });
    const { Properties } = resourceOf(template, 'AWS::Logs::LogGroup', 'NexusOperations');
    expect(Properties.RetentionInDays).toBe(7);
  });

  it('may read the secrets that callbacks have their Authorization in, and no others', () => {
    const stack = createStack();
    const gateway = new NexusGateway(stack, 'Nexus');
    const { secretArn } = new Secret(stack, 'Token');
    const allowedCallbacks = [
      { origin: 'https://one.example.com', authorization: { secretArn } },
      { origin: 'https://two.example.com', authorization: 'Bearer text' },
    ];
    gateway.addEndpoint('orders', { ...QUEUED, allowedCallbacks, handler: createHandler(stack) });
    const template = Template.fromStack(stack);
    const reading = statementsOf(template, 'NexusOperationsRole').filter(
      ({ Action }) => Action === 'secretsmanager:GetSecretValue',
    );
    expect(reading.map(({ Resource }) => Resource)).toEqual([stack.resolve(secretArn)]);
    expect(actionsOf(deploy().template, 'NexusOperationsRole')).not.toContain('secretsmanager:GetSecretValue');
  });
});

describe('the roles', () => {
  it('may do what each needs', () => {
    const { template } = deploy();
    const log = ['logs:CreateLogStream', 'logs:PutLogEvents'];
    const take = ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage', 'sqs:SendMessage'];
    expect(actionsOf(template, 'NexusRouterRole')).toEqual([
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:Query',
      // Of circuits, and of operations.
      'dynamodb:UpdateItem',
      'dynamodb:UpdateItem',
      'dynamodb:UpdateItem',
      ...log,
      'sqs:SendMessage',
    ]);
    expect(actionsOf(template, 'HandlerRole')).toEqual([
      'dynamodb:GetItem',
      'dynamodb:Query',
      // On the table of endpoints: circuits and limits.
      'dynamodb:UpdateItem',
      'dynamodb:UpdateItem',
      'dynamodb:UpdateItem',
      ...log,
      ...take,
      // The dead-letter queue, and the completions.
      'sqs:SendMessage',
      'sqs:SendMessage',
    ]);
    expect(actionsOf(template, 'NexusOperationsRole')).toEqual([
      'dynamodb:GetItem',
      'dynamodb:Query',
      'dynamodb:Query',
      // Of endpoints, where all that a rule names are closed.
      'dynamodb:Scan',
      'dynamodb:UpdateItem',
      ...log,
      ...take,
    ]);
  });

  it('may send to the queues of a target by these queues alone: the router wakes, and takes nothing out', () => {
    const { template } = deploy();
    const principals = (id: string) =>
      statementsOf(template, id, 'AWS::SQS::QueuePolicy')
        .filter(({ Effect }) => Effect === 'Allow')
        .map(({ Action, Principal }) => [Action, JSON.stringify(Principal).replace(/.*"(Nexus\w+?Role)\w*".*/, '$1')]);
    const router = ['sqs:SendMessage', 'NexusRouterRole'];
    const operations = ['sqs:SendMessage', 'NexusOperationsRole'];
    const asks = ['sqs:GetQueueAttributes', 'NexusOperationsRole'];
    expect(principals('NexusTaskQueuedefaultordersQueuePolicy')).toEqual([router, operations, asks]);
    expect(principals('NexusTaskQueuedefaultordersDeadLetterQueuePolicy')).toEqual([operations]);
  });

  it('are there before a mapping asks for what they allow', () => {
    const { template } = deploy();
    for (const [id, role] of [
      ['Handler', 'HandlerRole'],
      ['NexusOperationsFunction', 'NexusOperationsRole'],
    ] as const) {
      const functions = Object.entries(template.findResources('AWS::Lambda::Function'));
      const [, { DependsOn }] =
        functions.find(([name]) => new RegExp(`^${id}[0-9A-F]{8}$`).test(name)) ?? expect.unreachable(id);
      expect(DependsOn).toContainEqual(expect.stringMatching(new RegExp(`^${role}DefaultPolicy`)));
    }
  });
});

describe('the entry of an endpoint that queues operations', () => {
  it('names operations, queues and callbacks', () => {
    const allowedCallbacks = [{ origin: 'https://temporal.example.com:7243', allowPrivateAddresses: true }];
    const { template, stack, gateway } = deploy({ allowedCallbacks });
    const { Properties } = entryOf(template);
    expect(Properties.queued).toEqual(['orders/ship']);
    expect(JSON.parse(String(Properties.allowedCallbacks))).toEqual(allowedCallbacks);
    expect(JSON.stringify(Properties.queues)).toContain(
      JSON.stringify(stack.resolve(gateway.durableOperations.completionQueue.queueUrl)),
    );
  });

  it.each([
    [{ absorbOverload: true }, undefined],
    [{ absorbFailures: ['orders/ship'] }, ['orders/ship']],
  ] as const)('names the queues, too, where operations get there by %o alone', (props, absorbFailures) => {
    const { template } = deploy({ queuedOperations: [], ...props });
    const { Properties } = entryOf(template);
    expect(Properties).toHaveProperty('queues');
    expect(Properties).not.toHaveProperty('queued');
    expect(Properties.absorbFailures).toEqual(absorbFailures);
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 2);
  });

  it('is written when the queue, its mapping, and what accepts and looks after operations are there', () => {
    const { DependsOn = [] } = entryOf(deploy().template);
    for (const id of [
      'NexusTaskQueuedefaultordersDelivery',
      'NexusTaskQueuedefaultordersQueuePolicy',
      'NexusOperationsDelivery',
      'NexusRouter',
    ]) {
      expect(DependsOn).toContainEqual(expect.stringMatching(new RegExp(`^${id}[0-9A-F]{8}$`)));
    }
  });
});

describe('an endpoint that promotes operations', () => {
  const PROMOTED = { queuedOperations: [], promotableOperations: ['orders/ship'] } as const;

  it('has what one that queues them has, and says which', () => {
    const { template } = deploy(PROMOTED);
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 2);
    const { Properties, DependsOn = [] } = entryOf(template);
    expect(Properties.promotable).toEqual(['orders/ship']);
    expect(Properties).not.toHaveProperty('queued');
    expect(Properties).toHaveProperty('queues');
    expect(DependsOn).toContainEqual(expect.stringMatching(/^NexusTaskQueuedefaultordersDelivery/));
  });

  it('lets its handler keep outcomes, as one that only queues does not', () => {
    expect(actionsOf(deploy(PROMOTED).template, 'HandlerRole')).toContain('dynamodb:PutItem');
    expect(actionsOf(deploy().template, 'HandlerRole')).not.toContain('dynamodb:PutItem');
  });

  it('lets it keep them where another endpoint of its task queue only queues', () => {
    const stack = createStack();
    const gateway = new NexusGateway(stack, 'Nexus');
    const handler = createHandler(stack, 'Handler');
    gateway.addEndpoint('orders', { ...QUEUED, handler });
    for (const name of ['slow-orders', 'slower-orders']) gateway.addEndpoint(name, { ...QUEUED, ...PROMOTED, handler });
    const actions = actionsOf(Template.fromStack(stack), 'HandlerRole');
    expect(actions.filter((action) => action === 'dynamodb:PutItem')).toHaveLength(1);
  });

  it('is never a collocated one, which has no router to answer for it', () => {
    const stack = createStack();
    const handler = createHandler(stack, 'Handler');
    const props = {
      ...{ taskQueue: 'orders', handler },
      promotableOperations: ['orders/ship'],
    };
    type Collocated = Parameters<NexusGateway['addCollocatedEndpoint']>[1];
    // @ts-expect-error promotableOperations is none of its properties
    const refused: Collocated = { ...({} as Collocated), promotableOperations: ['orders/ship'] };
    expect(refused).toHaveProperty('promotableOperations');
    new NexusGateway(stack, 'Nexus').addCollocatedEndpoint('orders', props);
    expect(entryOf(Template.fromStack(stack)).Properties).not.toHaveProperty('promotable');
  });
});

describe('a gateway', () => {
  it('has none of this where nothing is queued, callbacks or not', () => {
    const allowedCallbacks = [{ origin: 'https://temporal.example.com', authorization: { secretArn: 'arn:aws:s' } }];
    const { template } = deploy({ queuedOperations: undefined, allowedCallbacks } as never);
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 0);
    template.resourceCountIs('AWS::Events::Rule', 0);
    template.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    // The target's own, which nothing uses yet.
    template.resourceCountIs('AWS::SQS::Queue', 2);
    expect(JSON.stringify(template)).not.toContain('NEXUS_OPERATIONS_TABLE_NAME');
    expect(entryOf(template).Properties).not.toHaveProperty('queued');
    expect(entryOf(template).Properties).not.toHaveProperty('queues');
    // Of direct starts, which the router refuses where they name another one.
    expect(JSON.parse(String(entryOf(template).Properties.allowedCallbacks))).toEqual(allowedCallbacks);
    expect(JSON.stringify(template)).not.toContain('arn:aws:s"');
  });

  it('keeps all of it, for what waits, where an endpoint queues nothing any more and does not say so by leaving it out', () => {
    const names = (template: Template) => Object.keys(template.toJSON().Resources).sort();
    const { template, stack } = deploy({ queuedOperations: [] });
    const queueing = deploy();
    expect(names(template)).toEqual(names(queueing.template));
    // Nothing new is kept for later by an entry that names no queues; what waits has their names in its records.
    expect(entryOf(template).Properties).not.toHaveProperty('queued');
    expect(entryOf(template).Properties).not.toHaveProperty('queues');
    const info = Match.stringLikeRegexp('keeps what runs the operations that wait; leave queuedOperations out once');
    expect(Annotations.fromStack(stack).findInfo('*', info)).toHaveLength(1);
    expect(Annotations.fromStack(queueing.stack).findInfo('*', info)).toEqual([]);
  });

  it('may be imported by an endpoint that names callbacks, and queues nothing', () => {
    const stack = createStack();
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Imported', {
      url: 'https://nexus.example.com',
      apiId: 'api',
      tableName: 'endpoints',
      routerRoleArn: 'arn:aws:iam::111111111111:role/router',
    });
    const allowedCallbacks = [{ origin: 'https://temporal.example.com' }];
    const props = { taskQueue: 'orders', name: 'orders', gateway, handler: createHandler(stack), allowedCallbacks };
    new NexusEndpoint(stack, 'Endpoint', props);
    const { Properties } = entryOf(Template.fromStack(stack));
    expect(JSON.parse(String(Properties.allowedCallbacks))).toEqual(allowedCallbacks);
  });

  it('serves queues of another stack of its app', () => {
    const app = new App();
    const gateway = new NexusGateway(new Stack(app, 'Gateway'), 'Nexus');
    const stack = new Stack(app, 'Orders');
    new NexusEndpoint(stack, 'Endpoint', { ...QUEUED, name: 'orders', gateway, handler: createHandler(stack) });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::SQS::Queue', 2);
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 1);
  });
});

describe('the synth fails', () => {
  it('for a gateway that is imported', () => {
    const stack = createStack();
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Imported', {
      url: 'https://nexus.example.com',
      apiId: 'api',
      tableName: 'endpoints',
      routerRoleArn: 'arn:aws:iam::111111111111:role/router',
    });
    const props = { ...QUEUED, name: 'orders', gateway, handler: createHandler(stack) };
    expect(() => new NexusEndpoint(stack, 'Endpoint', props)).toThrow(
      /a gateway of the same app: hand over the NexusG/,
    );
  });

  it('for a handler that is no NexusFunction', () => {
    const stack = createStack();
    const handler = LambdaFunction.fromFunctionName(stack, 'Foreign', 'orders');
    expect(() => new NexusGateway(stack, 'Nexus').addEndpoint('orders', { ...QUEUED, handler })).toThrow(
      /endpoint "orders" keeps operations in a queue, and its handler is no NexusFunction of this app/,
    );
  });

  it.each([
    [{ promotableOperations: ['ship'] }, /"ship" in its promotableOperations is no "service\/operation"/],
    [{ queuedOperations: ['ship'] }, /"ship" in its queuedOperations is no "service\/operation"/],
    [{ absorbFailures: ['ship'] }, /"ship" in its absorbFailures is no "service\/operation"/],
    [
      { queuedOperations: [], allowedCallbacks: [{ origin: 'https://a.example.com/x' }] },
      /write "https:\/\/a.example.com"/,
    ],
    [{ allowedCallbacks: [{ origin: 'http://a.example.com' }] }, /not encrypted; take https, or add allowInsecure/],
  ])('for %o', (endpoint, message) => {
    expect(() => deploy(endpoint)).toThrow(message);
  });

  it('not for a callback whose origin is known when it is deployed', () => {
    const stack = createStack();
    const origin = `https://${new CfnParameter(stack, 'Host').valueAsString}:7243`;
    const gateway = new NexusGateway(stack, 'Nexus');
    gateway.addEndpoint('orders', { ...QUEUED, allowedCallbacks: [{ origin }], handler: createHandler(stack) });
    expect(JSON.stringify(entryOf(Template.fromStack(stack)).Properties.allowedCallbacks)).toContain(':7243');
  });
});
