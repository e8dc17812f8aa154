import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { NexusGateway } from '../../cdk/index.ts';
import { SampleStack } from '../../cdk/sample-stack.ts';
import { EverythingStack } from './everything-stack.ts';
import { createHandler } from './stacks.ts';

/** Resources with a wildcard that a role may use, and why no name can stand there. */
const WILDCARDS: readonly { readonly action: RegExp; readonly resource: RegExp; readonly reason: string }[] = [
  {
    action: /^ec2:(Assign|Unassign)PrivateIpAddresses$|^ec2:(Create|Delete|Describe)(NetworkInterfaces?|Subnets)$/,
    resource: /^\*$/,
    reason:
      'Lambda makes network interfaces under names not known before; AWSLambdaVPCAccessExecutionRole says the same',
  },
  {
    action: /^lambda:InvokeFunction$/,
    resource: /^\{\w+\.Arn\}:\*$/,
    reason: 'the versions of one function: a deploy asks each new one for its operations, and its number is not known',
  },
  {
    action: /^secretsmanager:(DescribeSecret|GetSecretValue)$/,
    resource: /^[^*?]+:secret:[^*?]+-\?{6}$/,
    reason: 'of a secret that is given by its name: AWS adds six characters of its own to the ARN',
  },
  {
    action: /^execute-api:Invoke$/,
    resource: /^[^*?]+:execute-api:[^*?]+\/\*\/\*\/nexus\/endpoints\/(\w+|\*)\/services\/\*$/,
    reason: 'any stage and method of the API, and all operations of what grantInvoke() was given: one endpoint, or all',
  },
  {
    action: /^execute-api:Invoke$/,
    resource: /^[^*?]+:execute-api:[^*?]+\/\*\/\*\/nexus\/manage\/\*$/,
    reason: 'any stage and method of the API, and all of the management API: what grantManage() is for',
  },
];

/** `:*`, its streams, is part of the ARN of a log group. */
const LOG_GROUP = /^\{\w+Log\w+\.Arn\}$/;

interface Allowed {
  readonly action: string;
  readonly resource: string;
}

/** A value of a template as text: `{Id}` for what is known of a resource when it is there only. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref: id, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as Record<string, never>;
  if (id !== undefined) return `{${id}}`;
  if (attribute !== undefined) return `{${(attribute as string[]).join('.')}}`;
  if (join !== undefined) return (join as [string, unknown[]])[1].map(textOf).join((join as [string, unknown[]])[0]);
  return JSON.stringify(value);
}

interface Statement {
  readonly Effect: string;
  readonly Action: unknown;
  readonly Resource: unknown;
}

/** The members that are looked at, of properties of any type. */
interface Properties {
  readonly PolicyDocument: { readonly Statement: readonly Statement[] };
  readonly Policies?: readonly Properties[];
  readonly ManagedPolicyArns?: readonly unknown[];
  readonly Action: string;
  readonly Principal: string;
  readonly FunctionName?: unknown;
  readonly SourceArn: unknown;
}

const propertiesOf = (template: Template, type: string): Properties[] =>
  Object.values(template.findResources(type)).map(({ Properties }) => Properties);

/** All that roles and users of a stack may do. */
function allowedIn(template: Template): Allowed[] {
  const policies = [
    ...propertiesOf(template, 'AWS::IAM::Policy'),
    ...propertiesOf(template, 'AWS::IAM::ManagedPolicy'),
    ...propertiesOf(template, 'AWS::IAM::Role').flatMap(({ Policies = [] }) => Policies),
  ];
  return policies.flatMap(({ PolicyDocument }) =>
    PolicyDocument.Statement.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action, Resource }) =>
      [Action]
        .flat()
        .flatMap((action) =>
          [Resource].flat().map((resource) => ({ action: textOf(action), resource: textOf(resource) })),
        ),
    ),
  );
}

/** Without bundling: what a function's code is does not matter here. */
const createApp = () => new App({ context: { 'aws:cdk:bundling-stacks': [] } });

function createStackOfImports(): Stack {
  const stack = new Stack(createApp(), 'Imports', { env: { account: '111111111111', region: 'eu-west-1' } });
  const secretOf = (name: string) => Secret.fromSecretNameV2(stack, name, name);
  const gateway = new NexusGateway(stack, 'Nexus', { basicAuthSecret: secretOf('passwords') });
  const foreign = 'arn:aws:lambda:eu-west-1:222222222222:function:orders:live';
  gateway.addEndpoint('orders', { taskQueue: 'a', handler: LambdaFunction.fromFunctionArn(stack, 'Foreign', foreign) });
  const temporal = { address: 'temporal.internal:7233', taskQueue: 'b', secret: secretOf('key') };
  gateway.addEndpoint('billing', { taskQueue: 'b', handler: createHandler(stack, 'Billing', { temporal }) });
  return stack;
}

const TEMPLATES = Object.entries({
  'the sample app': new SampleStack(createApp(), 'Sample', { temporalAddress: 'temporal.internal:7233' }),
  'a stack with everything on': new EverythingStack(createApp(), 'Everything'),
  'a stack of what is elsewhere': createStackOfImports(),
}).map(([what, stack]) => ({ what, template: Template.fromStack(stack) }));

describe.each(TEMPLATES)('$what', ({ template }) => {
  it('allows actions by their names', () => {
    const actions = allowedIn(template).map(({ action }) => action);
    expect(actions.length).toBeGreaterThan(10);
    expect(actions.filter((action) => !/^[a-z0-9-]+:[A-Za-z]+$/.test(action))).toEqual([]);
  });

  it('names resources, but where the list says why it cannot', () => {
    const unlisted = allowedIn(template).filter(
      ({ action, resource }) =>
        /[*?]/.test(resource) && !WILDCARDS.some((each) => each.action.test(action) && each.resource.test(resource)),
    );
    expect(unlisted).toEqual([]);
  });

  it('lets functions write to log groups of their own', () => {
    const logs = allowedIn(template).filter(({ action }) => action.startsWith('logs:'));
    expect(new Set(logs.map(({ action }) => action))).toEqual(new Set(['logs:CreateLogStream', 'logs:PutLogEvents']));
    expect(logs.filter(({ resource }) => !LOG_GROUP.test(resource))).toEqual([]);
  });

  it('has no managed policy but the one by which CodeDeploy moves an alias', () => {
    const managed = propertiesOf(template, 'AWS::IAM::Role').flatMap(({ ManagedPolicyArns = [] }) => ManagedPolicyArns);
    expect(
      managed.map(textOf).filter((arn) => !arn.endsWith(':policy/service-role/AWSCodeDeployRoleForLambdaLimited')),
    ).toEqual([]);
  });

  it('lets nobody invoke a function by its own policy but the API and the schedules, and our roles an alias', () => {
    const permissions = propertiesOf(template, 'AWS::Lambda::Permission');
    const [api] = Object.keys(template.findResources('AWS::ApiGatewayV2::Api'));
    expect(permissions.length).toBeGreaterThan(0);
    for (const { Action, Principal, SourceArn, FunctionName } of permissions) {
      expect(Action).toBe('lambda:InvokeFunction');
      if (Principal === 'apigateway.amazonaws.com') {
        expect(textOf(SourceArn)).toContain(`:{${api}}/`);
      } else if (Principal === 'events.amazonaws.com') {
        expect(textOf(SourceArn)).toMatch(/^\{Nexus(?:Operations|TaskQueue\w+)Reconcile\w+\.Arn\}$/);
        expect(textOf(FunctionName)).toMatch(/^\{NexusOperationsFunction\w+\.Arn\}$/);
      } else {
        expect(textOf(Principal)).toMatch(/^\{Nexus(?:Router|Operations)Role\w+\.Arn\}$|:role\/router$/);
        expect(textOf(FunctionName)).toMatch(/Alias|:live$/);
      }
    }
  });
});

it('lists no wildcard that nothing has', () => {
  const wild = TEMPLATES.flatMap(({ template }) => allowedIn(template));
  const unused = WILDCARDS.filter(
    ({ action, resource }) => !wild.some((each) => action.test(each.action) && resource.test(each.resource)),
  );
  expect(unused).toEqual([]);
});
