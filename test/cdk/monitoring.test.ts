import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { type EndpointProps, NexusEndpoint, NexusGateway, type NexusGatewayProps } from '../../cdk/index.ts';
import { createHandler, createStack } from './stacks.ts';

const QUEUED = { queuedOperations: ['orders/ship'] } as const;

function deploy(endpoint: Partial<EndpointProps> = {}, props: NexusGatewayProps = {}) {
  const stack = createStack();
  const gateway = new NexusGateway(stack, 'Nexus', props);
  gateway.addEndpoint('orders', { taskQueue: 'orders', handler: createHandler(stack), ...endpoint });
  return { stack, gateway, template: Template.fromStack(stack) };
}

interface Alarm {
  readonly MetricName: string;
  readonly AlarmDescription: unknown;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly [name: string]: unknown;
}

const alarmsOf = (template: Template): Alarm[] =>
  Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);

/** The text of a description or a dashboard, with the logical IDs of what is known at deploy only. */
const textOf = (value: unknown): string => JSON.stringify(value);

const idOf = (template: Template, type: string, prefix: string) =>
  Object.keys(template.findResources(type)).find((id) => id.startsWith(prefix)) ?? expect.unreachable(prefix);

describe('alarms', () => {
  it('say what is the matter, each of them, and go off for what was measured only', () => {
    const alarms = alarmsOf(deploy(QUEUED).template);
    expect(alarms.map(({ MetricName, Namespace }) => `${Namespace} ${MetricName}`).sort()).toEqual([
      'AWS/ApiGateway 5xx',
      'AWS/Lambda Errors',
      'AWS/Lambda Errors',
      'AWS/Lambda Throttles',
      'AWS/SQS ApproximateAgeOfOldestMessage',
      'AWS/SQS ApproximateNumberOfMessagesVisible',
      'AWS/SQS ApproximateNumberOfMessagesVisible',
      'NexusLambda CircuitTransitions',
    ]);
    for (const { AlarmDescription, ...alarm } of alarms) {
      expect(alarm).toMatchObject({
        TreatMissingData: 'notBreaching',
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      });
      expect(textOf(AlarmDescription).length).toBeGreaterThan(40);
      // What CloudWatch takes, with room for the names that are known at deploy.
      expect(textOf(AlarmDescription).length).toBeLessThan(800);
    }
  });

  it('are left out where the gateway is to have none, those of endpoints and queues as well', () => {
    expect(alarmsOf(deploy(QUEUED, { alarms: false }).template)).toEqual([]);
  });

  it.each([
    [undefined, 3],
    [Duration.seconds(1), 3],
    [Duration.seconds(61), 4],
    [Duration.hours(1), 62],
  ])(
    'tell of a circuit that is open, and until it was not for longer than its time: %s',
    (circuitOpenTime, minutes) => {
      const { template } = deploy({ ...(circuitOpenTime && { circuitOpenTime }) });
      const circuit = alarmsOf(template).find(({ MetricName }) => MetricName === 'CircuitTransitions');
      expect(circuit).toMatchObject({
        Namespace: 'NexusLambda',
        Dimensions: [
          { Name: 'Endpoint', Value: 'orders' },
          { Name: 'Gateway', Value: { Ref: idOf(template, 'AWS::DynamoDB::GlobalTable', 'NexusEndpoints') } },
          { Name: 'Status', Value: 'open' },
        ],
        Statistic: 'Sum',
        Period: 60,
        Threshold: 1,
        EvaluationPeriods: minutes,
        DatapointsToAlarm: 1,
      });
      expect(textOf(circuit?.AlarmDescription)).toContain('nexus-lambda circuit list --url ');
    },
  );

  it('tell of each dead-letter queue that is not empty, what to type, and how to empty it', () => {
    const { template } = deploy(QUEUED);
    const alarmOn = (prefix: string) => {
      const queue = idOf(template, 'AWS::SQS::Queue', prefix);
      const alarms = alarmsOf(template).filter(
        ({ MetricName, Dimensions }) =>
          MetricName === 'ApproximateNumberOfMessagesVisible' && textOf(Dimensions).includes(`"${queue}"`),
      );
      expect(alarms).toHaveLength(1);
      expect(alarms[0]).toMatchObject({ Threshold: 1, EvaluationPeriods: 1, Statistic: 'Maximum' });
      const text = textOf(alarms[0]?.AlarmDescription);
      expect(text).toContain('aws sqs purge-queue --queue-url ');
      expect(text).toContain(`{"Ref":"${queue}"}`);
      return text;
    };
    const poison = alarmOn('NexusTaskQueuedefaultordersDeadLetterQueue');
    expect(poison).toContain('nexus-lambda operation list --state dead-lettered --url ');
    expect(poison).toContain('operation redrive TOKEN');
    expect(alarmOn('NexusOperationsUndeliverableCompletions')).toContain('operation list --completion pending --url ');
  });

  it('tell of results that nobody takes: longer than any of them waits on purpose', () => {
    const age = alarmsOf(deploy(QUEUED).template).find(
      ({ MetricName }) => MetricName === 'ApproximateAgeOfOldestMessage',
    );
    expect(age).toMatchObject({ Statistic: 'Maximum', Period: 60, EvaluationPeriods: 5 });
    // The longest delay that SQS takes.
    expect(age?.Threshold).toBeGreaterThan(900);
  });

  it('come once for a queue that two endpoints share', () => {
    const stack = createStack();
    const gateway = new NexusGateway(stack, 'Nexus');
    const handler = createHandler(stack);
    for (const name of ['orders', 'returns']) gateway.addEndpoint(name, { taskQueue: 'orders', handler, ...QUEUED });
    const names = alarmsOf(Template.fromStack(stack)).map(({ MetricName }) => MetricName);
    expect(names.filter((name) => name === 'ApproximateNumberOfMessagesVisible')).toHaveLength(2);
    expect(names.filter((name) => name === 'CircuitTransitions')).toHaveLength(2);
  });

  it('of an endpoint in another stack are in that stack', () => {
    const app = new App();
    const gateway = new NexusGateway(new Stack(app, 'Platform'), 'Nexus');
    const team = new Stack(app, 'Team');
    const handler = createHandler(team);
    new NexusEndpoint(team, 'Orders', { gateway, name: 'orders', taskQueue: 'orders', handler, ...QUEUED });
    expect(alarmsOf(Template.fromStack(team)).map(({ MetricName }) => MetricName)).toEqual([
      'CircuitTransitions',
      'ApproximateNumberOfMessagesVisible',
    ]);
  });

  it.each([
    [undefined, 1],
    [false, 0],
  ])('of an endpoint of a gateway that is only named are there unless it says alarms: %s', (alarms, count) => {
    const stack = createStack();
    const gateway = NexusGateway.fromGatewayAttributes(stack, 'Gateway', {
      url: 'https://a.example.com',
      apiId: 'a',
      tableName: 'endpoints',
      routerRoleArn: 'arn:aws:iam::111111111111:role/router',
      ...(alarms !== undefined && { alarms }),
    });
    new NexusEndpoint(stack, 'Orders', { gateway, name: 'orders', taskQueue: 'orders', handler: createHandler(stack) });
    const found = alarmsOf(Template.fromStack(stack));
    expect(found).toHaveLength(count);
    expect(found.flatMap(({ Dimensions }) => Dimensions.filter(({ Name }) => Name === 'Gateway'))).toEqual(
      found.map(() => ({ Name: 'Gateway', Value: 'endpoints' })),
    );
  });
});

describe('the dashboard', () => {
  const bodyOf = (template: Template) =>
    textOf(Object.values(template.findResources('AWS::CloudWatch::Dashboard')).map(({ Properties }) => Properties));

  it('shows what flow control does on all endpoints of the gateway, and the queues where there are some', () => {
    const body = bodyOf(deploy(QUEUED).template);
    for (const shown of [
      '{NexusLambda,Gateway,Endpoint,Status} Gateway=',
      '{NexusLambda,Gateway,Endpoint,Reason} Gateway=',
      'RequestsRefused',
      'RequestsAbsorbed',
      'AttemptsDeferred',
      'OperationsPromoted',
      'RateHeadroom',
      'ConcurrencyHeadroom',
      'Dead letters',
      'TaskQueue-default-orders',
      'ApproximateAgeOfOldestMessage',
    ]) {
      expect(body).toContain(shown);
    }
    expect(bodyOf(deploy().template)).not.toContain('Dead letters');
  });
});
