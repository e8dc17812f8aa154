import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { expect, it } from 'vitest';
import { NexusEndpoint, NexusGateway } from '../../cdk/index.ts';
import { pauseWhereClosed } from '../../cdk/queue-pause.ts';
import { TaskQueue } from '../../cdk/task-queue.ts';
import { createHandler, createStack } from './stacks.ts';

const QUEUED = { taskQueue: 'orders', queuedOperations: ['orders/ship'] } as const;
const RIGHTS = ['lambda:GetEventSourceMapping', 'lambda:UpdateEventSourceMapping'];

interface Resource {
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
}

/** The rules of task queues, by their logical IDs. */
function rulesOf(template: Template): [id: string, rule: Resource][] {
  const rules = Object.entries(template.findResources('AWS::Events::Rule')) as [string, Resource][];
  return rules.filter(([id]) => /TaskQueue\w*Reconcile/.test(id));
}

const policiesOf = (template: Template) =>
  Object.entries(
    template.findResources('AWS::IAM::Policy', {
      Properties: { PolicyDocument: { Statement: [Match.objectLike({ Action: RIGHTS })] } },
    }),
  ) as [string, Resource][];

/** What a rule says to its one target, with `{Id}` for what is known of a resource when it is there only. */
function inputOf({ Properties }: Resource): unknown {
  const [target, ...others] = Properties.Targets as { readonly Input: { readonly 'Fn::Join': [string, unknown[]] } }[];
  expect(others).toEqual([]);
  const [separator, parts] = target?.Input['Fn::Join'] ?? expect.unreachable('it has no input');
  return JSON.parse(
    parts.map((part) => (typeof part === 'string' ? part : `{${(part as { Ref: string }).Ref}}`)).join(separator),
  );
}

it('the operations function is told of a task queue each minute, with all that queue operations in it', () => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus');
  const handler = createHandler(stack);
  gateway.addEndpoint('orders', { ...QUEUED, handler });
  gateway.addEndpoint('direct', { taskQueue: QUEUED.taskQueue, handler });
  gateway.addEndpoint('drained', { ...QUEUED, queuedOperations: [], handler });
  const template = Template.fromStack(stack);
  const [[, rule] = expect.unreachable('it has no rule'), ...others] = rulesOf(template);
  expect(others).toEqual([]);
  expect(rule.Properties).toMatchObject({ ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
  expect(rule.Properties.Targets).toMatchObject([
    { Arn: stack.resolve(gateway.durableOperations.function.functionArn) },
  ]);
  expect(inputOf(rule)).toEqual({
    taskQueue: {
      queue: expect.stringMatching(/^\{NexusTaskQueuedefaultordersQueue[0-9A-F]{8}\}$/),
      eventSourceMapping: expect.stringMatching(/^\{NexusTaskQueuedefaultordersDelivery[0-9A-F]{8}\}$/),
      endpoints: ['orders', 'drained'],
    },
  });
});

it('it may read and switch the mapping of that queue and nothing else, before it is told', () => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus');
  const handler = createHandler(stack);
  for (const taskQueue of ['orders', 'archive']) gateway.addEndpoint(taskQueue, { ...QUEUED, taskQueue, handler });
  const template = Template.fromStack(stack);
  const policies = policiesOf(template);
  expect(policies).toHaveLength(2);
  for (const [id, { Properties }] of policies) {
    const [queue] = /TaskQueuedefault(orders|archive)/.exec(id) ?? [];
    const statement = { Action: RIGHTS, Effect: 'Allow', Resource: expect.anything() };
    expect(Properties.PolicyDocument).toMatchObject({ Statement: [statement] });
    expect(JSON.stringify(Properties.PolicyDocument)).toMatch(
      new RegExp(`:event-source-mapping:",\\{"Ref":"Nexus${queue}Delivery[0-9A-F]{8}"\\}`),
    );
    expect(Properties.Roles).toEqual([stack.resolve(gateway.durableOperations.function.role?.roleName)]);
    const rule = rulesOf(template).find(([name]) => name.includes(`${queue}Reconcile`))?.[1];
    expect(rule?.DependsOn).toContain(id);
  }
});

it('the rule of a queue in another stack is there, with its rights', () => {
  const app = new App();
  const platform = new Stack(app, 'Gateway');
  const gateway = new NexusGateway(platform, 'Nexus');
  const stacks = ['Orders', 'Sales'].map((id) => new Stack(app, id));
  for (const stack of stacks) {
    new NexusEndpoint(stack, 'Endpoint', { ...QUEUED, name: stack.node.id, gateway, handler: createHandler(stack) });
  }
  const names = stacks.map((stack) => {
    const template = Template.fromStack(stack);
    expect(rulesOf(template)).toHaveLength(1);
    const [[, policy] = expect.unreachable('it has no rights'), ...others] = policiesOf(template);
    expect(others).toEqual([]);
    return policy.Properties.PolicyName;
  });
  expect(rulesOf(Template.fromStack(platform))).toEqual([]);
  // A role has one policy of a name.
  expect(new Set(names).size).toBe(2);
});

it('a rule names as many endpoints as an input has room for', () => {
  const stack = createStack();
  const handler = createHandler(stack);
  const taskQueue = new TaskQueue(stack, 'TaskQueue', { handler, removalPolicy: RemovalPolicy.DESTROY });
  const names = Array.from({ length: 31 }, (_, n) => `e${'x'.repeat(190)}${n}`);
  for (const name of names) taskQueue.deliverTo(handler, name, undefined);
  pauseWhereClosed(taskQueue, handler, 1);
  const [[, rule] = expect.unreachable('it has no rule')] = rulesOf(Template.fromStack(stack));
  const input = inputOf(rule) as { taskQueue: { endpoints: string[] } };
  expect(input.taskQueue.endpoints).toEqual(names.slice(0, 30));
  expect(JSON.stringify(input).length).toBeLessThan(7_000);
});

it('a task queue may have a name of any length', () => {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', { alarms: false });
  gateway.addEndpoint('orders', { ...QUEUED, taskQueue: 'orders-'.repeat(100), handler: createHandler(stack) });
  const rules = Object.values(Template.fromStack(stack).findResources('AWS::Events::Rule'));
  const descriptions = rules.map(({ Properties }) => String(Properties.Description));
  expect(descriptions).toContainEqual(expect.stringMatching(/^Has TaskQueue-default-orders-/));
  // What EventBridge takes.
  for (const description of descriptions) expect(description.length).toBeLessThanOrEqual(512);
});

it('a gateway switches off ten queues; one more is read in any case, and says so', () => {
  const stack = createStack();
  const { durableOperations: durable } = new NexusGateway(stack, 'Nexus', { alarms: false });
  const handler = createHandler(stack);
  for (let n = 1; n <= 11; n++) {
    const taskQueue = new TaskQueue(stack, `TaskQueue${n}`, { handler, removalPolicy: RemovalPolicy.DESTROY });
    taskQueue.deliverTo(handler, 'orders', undefined);
    for (const _ of ['orders', 'sales']) durable.serve(taskQueue, handler);
  }
  const template = Template.fromStack(stack);
  expect([rulesOf(template), policiesOf(template)].map((each) => each.length)).toEqual([10, 10]);
  const mappings = Object.entries(template.findResources('AWS::Lambda::EventSourceMapping'));
  const enabled = mappings.filter(([, { Properties }]) => Properties.Enabled === true);
  expect(enabled.map(([id]) => id)).toEqual([expect.stringMatching(/^TaskQueue11Delivery/)]);
  const info = Match.stringLikeRegexp('is read also while all of its endpoints are paused.*switches off 10 at most');
  expect(Annotations.fromStack(stack).findInfo('*', info)).toMatchObject([{ id: '/Test/TaskQueue11' }]);
});
