import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Alias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import {
  type EndpointProps,
  NexusCaller,
  NexusEndpoint,
  NexusGateway,
  type NexusGatewayProps,
} from '../../cdk/index.ts';
import { createHandler, createStack, statementsOf } from './stacks.ts';

type Statement = { Action: string | string[]; Resource: unknown; Principal?: unknown };

function deployGateway(props: NexusGatewayProps = {}, endpoint: Partial<EndpointProps> = {}) {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', props);
  const handler = createHandler(stack);
  gateway.addEndpoint('orders', { taskQueue: 'orders', handler, ...endpoint });
  return { stack, gateway, handler, template: Template.fromStack(stack) };
}

const withSecret = () => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', { basicAuthSecret: new Secret(stack, 'Basic') });
  return { stack, gateway };
};

const entryOf = (template: Template, name = 'orders') =>
  Object.values(template.findResources('Custom::NexusEndpoint')).find(({ Properties }) => Properties.endpoint === name)
    ?.Properties;

describe('a gateway', () => {
  it('has no route that anybody may call', () => {
    const { stack, gateway } = withSecret();
    gateway.addEndpoint('orders', { taskQueue: 'orders', handler: createHandler(stack) });
    gateway.addCollocatedEndpoint('stock', { taskQueue: 'stock', handler: createHandler(stack, 'Stock') });
    const routes = Object.values(Template.fromStack(stack).findResources('AWS::ApiGatewayV2::Route'));
    const authorizations = routes.map(({ Properties }) => [Properties.RouteKey, Properties.AuthorizationType]);
    expect(authorizations).toEqual([
      ['ANY /nexus/{proxy+}', 'AWS_IAM'],
      ['ANY /basic/nexus/{proxy+}', 'CUSTOM'],
      ['ANY /nexus/endpoints/stock/services/{proxy+}', 'AWS_IAM'],
      ['ANY /basic/nexus/endpoints/stock/services/{proxy+}', 'CUSTOM'],
    ]);
  });

  it('takes bearer tokens of an issuer on routes of their own', () => {
    const { template } = deployGateway({ jwt: { issuer: 'https://id.example.com', audience: ['nexus'] } });
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'JWT',
      JwtConfiguration: { Audience: ['nexus'], Issuer: 'https://id.example.com' },
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', {
      RouteKey: 'ANY /jwt/nexus/{proxy+}',
      AuthorizationType: 'JWT',
    });
  });

  it('keeps its table, with keys, time to live and backups, unless it is told otherwise', () => {
    const { template } = deployGateway();
    template.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: [Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })],
      },
    });
    const { template: passing } = deployGateway({ removalPolicy: RemovalPolicy.DESTROY });
    passing.hasResource('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Delete' });
  });

  it('leaves the throttle of its stage at the account’s default, and logs no header', () => {
    const { template } = deployGateway();
    const [{ Properties }] = Object.values(template.findResources('AWS::ApiGatewayV2::Stage')) as [
      Record<string, never>,
    ];
    expect(Properties).not.toHaveProperty('DefaultRouteSettings');
    expect(Properties).toHaveProperty('AccessLogSettings.Format', expect.stringContaining('$context.status'));
    expect(JSON.stringify(Properties)).not.toMatch(/header|authorization/i);
  });

  it('keeps logs of all its functions for a month', () => {
    const { template } = deployGateway();
    const groups = Object.values(template.findResources('AWS::Logs::LogGroup'));
    expect(groups.length).toBeGreaterThanOrEqual(5);
    expect(groups.map(({ Properties }) => Properties.RetentionInDays)).toEqual(groups.map(() => 30));
    const functions = Object.values(template.findResources('AWS::Lambda::Function'));
    expect(functions.filter(({ Properties }) => !Properties.LoggingConfig?.LogGroup)).toEqual([]);
  });

  it('alarms and draws a dashboard unless it is told not to', () => {
    const { template } = deployGateway();
    template.resourceCountIs('AWS::CloudWatch::Alarm', 4);
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
    const { template: quiet } = deployGateway({ alarms: false, dashboard: false });
    quiet.resourceCountIs('AWS::CloudWatch::Alarm', 0);
    quiet.resourceCountIs('AWS::CloudWatch::Dashboard', 0);
  });

  it('offers a Function URL to those who sign with IAM', () => {
    const { stack, gateway, template } = deployGateway({ functionUrl: true });
    template.hasResourceProperties('AWS::Lambda::Url', { AuthType: 'AWS_IAM' });
    // What CloudFormation knows of it ends with a slash; the host is between the second and the third.
    const [url] = Object.keys(template.findResources('AWS::Lambda::Url'));
    const split = { 'Fn::Split': ['/', { 'Fn::GetAtt': [url, 'FunctionUrl'] }] };
    expect(stack.resolve(gateway.functionUrl)).toEqual({
      'Fn::Join': ['', ['https://', { 'Fn::Select': [2, split] }]],
    });
    deployGateway().template.resourceCountIs('AWS::Lambda::Url', 0);
  });

  it('lets its authorizer read one secret, and its router query one table, count in it, and invoke one alias', () => {
    const { stack, gateway } = withSecret();
    gateway.addEndpoint('orders', { taskQueue: 'orders', handler: createHandler(stack) });
    const template = Template.fromStack(stack);
    const idOf = (type: string) => Object.keys(template.findResources(type))[0];
    const statements = statementsOf(template) as Map<string, Statement>;
    expect(statements.get('ReadPasswords')).toMatchObject({
      Action: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
      Resource: { Ref: idOf('AWS::SecretsManager::Secret') },
    });
    expect(statements.get('KeepCircuits')).toMatchObject({
      Action: 'dynamodb:UpdateItem',
      Condition: {
        'ForAllValues:StringEquals': {
          'dynamodb:Attributes': ['pk', 'sk', 'circuit', 'circuitVersion', 'circuitWriteId'],
        },
      },
    });
    expect(statements.get('ReadEndpoints')).toMatchObject({
      Action: 'dynamodb:Query',
      Resource: { 'Fn::GetAtt': [idOf('AWS::DynamoDB::GlobalTable'), 'Arn'] },
    });
    expect(statements.get('CountLimits')).toMatchObject({
      Action: 'dynamodb:UpdateItem',
      Resource: { 'Fn::GetAtt': [idOf('AWS::DynamoDB::GlobalTable'), 'Arn'] },
      Condition: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['limit#*'] } },
    });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Action: 'lambda:InvokeFunction',
      FunctionName: { Ref: idOf('AWS::Lambda::Alias') },
      Principal: { 'Fn::GetAtt': [Match.stringLikeRegexp('^NexusRouterRole'), 'Arn'] },
    });
  });

  it('grants whoever signs with IAM the path of one endpoint', () => {
    const { stack, gateway } = withSecret();
    gateway.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountRootPrincipal() }), 'orders');
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 'execute-api:Invoke',
            Effect: 'Allow',
            Resource: {
              'Fn::Join': [
                '',
                Match.arrayWith([Match.stringLikeRegexp('/\\*/\\*/nexus/endpoints/orders/services/\\*$')]),
              ],
            },
          },
        ],
      },
    });
  });
});

describe('the administrators of a gateway', () => {
  const routerOf = (template: Template) =>
    Object.entries(template.findResources('AWS::Lambda::Function')).find(([id]) =>
      /^NexusRouter[0-9A-F]{8}$/.test(id),
    )?.[1].Properties;
  const queued = { queuedOperations: ['orders/ship'] };

  it('are none, and nothing is granted to the router for them', () => {
    const { template } = deployGateway({}, queued);
    expect(routerOf(template)?.Environment.Variables).not.toHaveProperty('NEXUS_ADMINISTRATORS');
    expect(statementsOf(template).has('ManageEndpoints')).toBe(false);
    expect(JSON.stringify(template.findResources('AWS::IAM::Policy'))).not.toContain('/index/list');
  });

  it('are told to the router, which may list operations and manage endpoints then', () => {
    const administrators = ['Ada', 'Bob'].map((name) => NexusCaller.iam(`arn:aws:iam::123456789012:role/${name}`));
    const { template } = deployGateway({ administrators }, queued);
    expect(routerOf(template)?.Environment.Variables.NEXUS_ADMINISTRATORS).toBe(
      'iam:arn:aws:iam::123456789012:role/Ada iam:arn:aws:iam::123456789012:role/Bob',
    );
    expect(statementsOf(template).get('ManageEndpoints')).toMatchObject({
      Action: [
        'dynamodb:Scan',
        'dynamodb:PutItem',
        'dynamodb:UpdateItem',
        'dynamodb:DeleteItem',
        'dynamodb:ConditionCheckItem',
      ],
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          {
            Action: 'dynamodb:Query',
            Effect: 'Allow',
            Resource: { 'Fn::Join': ['', [Match.anyValue(), '/index/list']] },
          },
        ]),
      },
      Roles: [{ Ref: Match.stringLikeRegexp('^NexusRouterRole') }],
    });
  });

  it('may be roles of the stack', () => {
    const stack = createStack();
    const operator = new Role(stack, 'Operator', { assumedBy: new AccountRootPrincipal() });
    const gateway = new NexusGateway(stack, 'Nexus', { administrators: [NexusCaller.role(operator)] });
    gateway.grantManage(operator);
    const template = Template.fromStack(stack);
    const [id] = Object.keys(template.findResources('AWS::IAM::Role')).filter((name) => name.startsWith('Operator'));
    expect(routerOf(template)?.Environment.Variables.NEXUS_ADMINISTRATORS).toEqual({
      'Fn::Join': ['', ['iam:', { 'Fn::GetAtt': [id, 'Arn'] }]],
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 'execute-api:Invoke',
            Effect: 'Allow',
            Resource: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('/\\*/\\*/nexus/manage/\\*$')])] },
          },
        ],
      },
      Roles: [{ Ref: id }],
    });
  });

  it.each([NexusCaller.basic('shop'), NexusCaller.jwt('ada')])('fails for $principal, which cannot sign', (caller) => {
    expect(() => deployGateway({ administrators: [NexusCaller.anyIam(), caller] })).toThrow(
      `"${caller.principal}" cannot be an administrator of a gateway: operations are managed with AWS signatures`,
    );
  });
});

describe('an endpoint', () => {
  it('has an entry that names its target, its handler’s alias and version, and its callers', () => {
    const { template } = deployGateway({}, { description: 'takes orders', namespace: 'shop' });
    const [alias] = Object.keys(template.findResources('AWS::Lambda::Alias'));
    const [version] = Object.keys(template.findResources('AWS::Lambda::Version'));
    expect(entryOf(template)).toMatchObject({
      kind: 'entry',
      endpoint: 'orders',
      description: 'takes orders',
      namespace: 'shop',
      taskQueue: 'orders',
      callers: ['basic:orders', 'iam:*'],
      settings: '{}',
      functionArn: { Ref: alias },
      versionArn: { Ref: version },
      allowBreakingChange: 'false',
      ServiceTimeout: '180',
    });
  });

  it('takes settings in their own units, and the callers that it is given', () => {
    const { template } = deployGateway(
      {},
      {
        requestsPerSecond: 50,
        burst: 10,
        requestsPerSecondPerCaller: 5,
        burstPerCaller: 2,
        concurrency: 20,
        circuitFailures: 3,
        circuitOpenTime: Duration.seconds(90),
        retryInitialDelay: Duration.seconds(2),
        retryMaxDelay: Duration.minutes(5),
        retryAttempts: 7,
        poisonAttempts: 2,
        callers: [NexusCaller.basic('temporal'), NexusCaller.iam('arn:aws:iam::1:role/r'), NexusCaller.jwt('me')],
        allowBreakingChange: true,
      },
    );
    const { settings, callers, allowBreakingChange } = entryOf(template) ?? {};
    expect(JSON.parse(settings)).toEqual({
      requestsPerSecond: 50,
      burst: 10,
      requestsPerSecondPerCaller: 5,
      burstPerCaller: 2,
      concurrency: 20,
      circuitFailures: 3,
      circuitOpenMs: 90_000,
      retryInitialMs: 2_000,
      retryMaxMs: 300_000,
      retryAttempts: 7,
      poisonAttempts: 2,
    });
    expect(callers).toEqual(['basic:temporal', 'iam:arn:aws:iam::1:role/r', 'jwt:me']);
    expect(allowBreakingChange).toBe('true');
  });

  it('checks the contract of the new version before the alias moves, and is written last', () => {
    const { template } = deployGateway();
    const [gateId, gate] = Object.entries(template.findResources('Custom::NexusContractGate'))[0] ?? [];
    const [version] = Object.keys(template.findResources('AWS::Lambda::Version'));
    expect(gate?.Properties).toMatchObject({ kind: 'gate', endpoint: 'orders', versionArn: { Ref: version } });
    const [aliasId, alias] = Object.entries(template.findResources('AWS::Lambda::Alias'))[0] ?? [];
    expect(alias?.DependsOn).toContain(gateId);
    // By reference: CloudFormation writes the entry after the alias.
    expect(entryOf(template)?.functionArn).toEqual({ Ref: aliasId });
  });

  it('has a queue of six function timeouts, encrypted, with a dead-letter queue, that outlives the stack', () => {
    const { template } = deployGateway({}, {});
    template.hasResource('AWS::SQS::Queue', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: {
        VisibilityTimeout: 360,
        SqsManagedSseEnabled: true,
        MessageRetentionPeriod: 14 * 24 * 3600,
        // A receive of a function that is throttled is no attempt.
        RedrivePolicy: Match.objectLike({ maxReceiveCount: 1_000 }),
      },
    });
    template.resourceCountIs('AWS::SQS::Queue', 2);
  });

  it('shares the queue of its task queue with another endpoint of the same handler', () => {
    const { stack, gateway } = withSecret();
    const handler = createHandler(stack);
    gateway.addEndpoint('orders', { taskQueue: 'shop', handler });
    gateway.addEndpoint('returns', { taskQueue: 'shop', handler });
    gateway.addEndpoint('other-namespace', { taskQueue: 'shop', namespace: 'b', handler });
    Template.fromStack(stack).resourceCountIs('AWS::SQS::Queue', 4);
  });

  it('that shares its handler with another needs no second right to ask it', () => {
    const { stack, gateway } = withSecret();
    const handler = createHandler(stack);
    gateway.addEndpoint('orders', { taskQueue: 'shop', handler });
    gateway.addEndpoint('returns', { taskQueue: 'shop', handler });
    gateway.addEndpoint('billing', { taskQueue: 'billing', handler: createHandler(stack, 'Billing') });
    const statements = [...statementsOf(Template.fromStack(stack)).keys()];
    expect(statements.filter((sid) => sid?.startsWith('Ask'))).toEqual(['AskHandler1', 'AskHandler2']);
  });

  it('fails when its task queue has another handler already', () => {
    const { stack, gateway } = withSecret();
    gateway.addEndpoint('orders', { taskQueue: 'shop', handler: createHandler(stack) });
    expect(() => gateway.addEndpoint('returns', { taskQueue: 'shop', handler: createHandler(stack, 'Other') })).toThrow(
      'endpoint "returns": task queue "shop" in namespace "default" is served by another handler already',
    );
  });

  it.each<[string, Partial<EndpointProps> & { name?: string }, RegExp]>([
    ['its name has an underscore', { name: 'my_orders' }, /its name takes two to 200 letters, digits and hyphens/],
    ['its task queue is empty', { taskQueue: '' }, /its taskQueue is empty/],
    ['its callers are an empty list', { callers: [] }, /nobody could call it/],
    ['a limit is out of range', { concurrency: 0 }, /concurrency is 0; it takes a whole number from 1 to 100000/],
    ['a burst has no rate', { burst: 5 }, /burst is set without requestsPerSecond/],
    ['a caller’s burst has no rate', { burstPerCaller: 5, requestsPerSecond: 5 }, /burstPerCaller is set without/],
    [
      'delays contradict',
      { retryMaxDelay: Duration.millis(1_000), retryInitialDelay: Duration.minutes(2) },
      /lower it/,
    ],
  ])('fails when %s', (_what, { name = 'orders', ...props }, message) => {
    const { stack, gateway } = withSecret();
    expect(() => gateway.addEndpoint(name, { taskQueue: 'q', handler: createHandler(stack), ...props })).toThrow(
      message,
    );
  });

  it.each(['basic:*', 'iam:me', 'somebody', 'jwt:'])('fails when a caller is %s', (principal) => {
    const [kind = '', rest = ''] = principal.split(':');
    expect(() =>
      kind === 'basic' ? NexusCaller.basic(rest) : kind === 'jwt' ? NexusCaller.jwt(rest) : NexusCaller.iam(rest),
    ).toThrow(/is no caller of an endpoint; it takes/);
  });

  it('is added to the gateway of another stack of the app', () => {
    const app = new App();
    const platform = new Stack(app, 'Platform');
    const gateway = new NexusGateway(platform, 'Nexus');
    const team = new Stack(app, 'Team');
    new NexusEndpoint(team, 'Orders', { gateway, name: 'orders', taskQueue: 'q', handler: createHandler(team) });
    const template = Template.fromStack(team);
    template.resourceCountIs('Custom::NexusEndpoint', 1);
    template.resourceCountIs('AWS::SQS::Queue', 2);
    // The team's stack gives the platform's router its right, so the platform waits for no team.
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: { 'Fn::ImportValue': Match.stringLikeRegexp('NexusRouterRole') },
    });
    expect(platform.dependencies).toEqual([]);
  });

  it('is added to a gateway that is known by its attributes only', () => {
    const stack = createStack({ env: { account: '111111111111', region: 'eu-west-1' } });
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Gateway', {
      url: 'https://abc.execute-api.eu-west-1.amazonaws.com/',
      apiId: 'abc',
      tableName: 'endpoints',
      routerRoleArn: 'arn:aws:iam::111111111111:role/router',
    });
    const endpoint = new NexusEndpoint(stack, 'Orders', {
      gateway,
      name: 'orders',
      taskQueue: 'q',
      handler: createHandler(stack),
    });
    expect(endpoint.basicUrl).toBe(
      'https://abc.execute-api.eu-west-1.amazonaws.com/basic/nexus/endpoints/orders/services',
    );
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Action: 'lambda:InvokeFunction',
      Principal: 'arn:aws:iam::111111111111:role/router',
    });
    expect(entryOf(template)?.tableName).toBe('endpoints');
  });

  it('whose handler lives in another account says what to grant there', () => {
    const stack = createStack({ env: { account: '111111111111', region: 'eu-west-1' } });
    const gateway = new NexusGateway(stack, 'Nexus');
    const handler = LambdaFunction.fromFunctionArn(
      stack,
      'Foreign',
      'arn:aws:lambda:eu-west-1:222222222222:function:orders:live',
    );
    gateway.addEndpoint('orders', { taskQueue: 'q', handler });
    const template = Template.fromStack(stack);
    // Across accounts both sides have to allow it; ours can be written here.
    expect((statementsOf(template) as Map<string, Statement>).get('InvokeHandler')).toMatchObject({
      Resource: 'arn:aws:lambda:eu-west-1:222222222222:function:orders:live',
    });
    const outputs = Object.values(template.findOutputs('*'));
    const grants = outputs.filter(({ Value }) => JSON.stringify(Value).includes('aws lambda add-permission'));
    // The router, which calls it, and the deploy, which asks for its contract.
    expect(grants.map(({ Description }) => Description)).toEqual([
      expect.stringMatching(/^To be run in account 222222222222: lets the router invoke/),
      expect.stringMatching(/^To be run in account 222222222222: lets the deploy ask/),
    ]);
  });

  it('takes an alias that somebody else made, and does not gate it', () => {
    const { stack, gateway } = withSecret();
    const { currentVersion } = createHandler(stack);
    gateway.addEndpoint('orders', {
      taskQueue: 'q',
      handler: new Alias(stack, 'Mine', { aliasName: 'mine', version: currentVersion }),
    });
    Template.fromStack(stack).resourceCountIs('Custom::NexusContractGate', 0);
  });
});

describe('a collocated endpoint', () => {
  const variablesOf = (template: Template) =>
    Object.values(template.findResources('AWS::Lambda::Function')).flatMap(
      ({ Properties }) => Properties.Environment?.Variables?.NEXUS_COLLOCATED_ENDPOINTS ?? [],
    );

  it('has a route to the alias of its handler, which is told who may call', () => {
    const { stack, gateway } = withSecret();
    const handler = createHandler(stack);
    gateway.addCollocatedEndpoint('orders', { taskQueue: 'q', handler });
    gateway.addCollocatedEndpoint('returns', { taskQueue: 'q', handler, callers: [NexusCaller.basic('x')] });
    const template = Template.fromStack(stack);
    expect(variablesOf(template)).toEqual(['{"orders":["basic:orders","iam:*"],"returns":["basic:x"]}']);
    const [alias] = Object.keys(template.findResources('AWS::Lambda::Alias'));
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', { IntegrationUri: { Ref: alias } });
    template.resourceCountIs('AWS::SQS::Queue', 0);
    template.resourceCountIs('Custom::NexusContractGate', 2);
  });

  it('fails when its handler is no NexusFunction', () => {
    const { stack, gateway } = withSecret();
    const handler = createHandler(stack).alias;
    expect(() => gateway.addCollocatedEndpoint('orders', { taskQueue: 'q', handler })).toThrow('use addEndpoint()');
  });
});
