import { Duration, Stack } from 'aws-cdk-lib';
import type { HttpStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { Dashboard, GraphWidget, type IMetric, MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { FLOW_METRICS } from '../src/aws/contract.ts';
import { addAlarm, PERIOD } from './alarm.ts';
import type { TaskQueue } from './task-queue.ts';

export interface MonitoringProps {
  readonly alarms: boolean;
  readonly dashboard: boolean;
  readonly stage: HttpStage;
  readonly router: IFunction;
  /** Of the gateway, without a slash at its end. */
  readonly url: string;
  /** Of the gateway: name of its table of endpoints. */
  readonly tableName: string;
}

/** What delivers completions. */
export interface CompletionDelivery {
  readonly queue: IQueue;
  readonly deadLetterQueue: IQueue;
  readonly function: IFunction;
}

/**
 * A completion that waits is sent anew every fifteen minutes at the latest, the longest delay of SQS: one that is older
 * than this was not taken.
 */
const COMPLETION_NOT_TAKEN = Duration.minutes(20);

/** Alarms that mean that callers are failed, and a dashboard of what they see. */
export class Monitoring extends Construct {
  private readonly props: MonitoringProps;
  private readonly dashboard: Dashboard | undefined;
  private deadLetters: GraphWidget | undefined;

  constructor(scope: Construct, id: string, props: MonitoringProps) {
    super(scope, id);
    this.props = props;
    const { stage, router } = props;
    const errors = router.metricErrors({ period: PERIOD });
    const throttles = router.metricThrottles({ period: PERIOD });
    const serverErrors = stage.metricServerError({ period: PERIOD, statistic: 'Sum' });
    this.alarm('RouterErrors', errors, 'the Nexus router fails: its log says why');
    this.alarm('RouterThrottles', throttles, 'the Nexus router is throttled: the account has no concurrency left');
    this.alarm('ServerErrors', serverErrors, 'the Nexus gateway answers 5xx in each of five minutes', 5);
    if (!props.dashboard) return;
    const latency = (statistic: string) => stage.metricLatency({ period: PERIOD, statistic, label: statistic });
    this.dashboard = new Dashboard(this, 'Dashboard');
    this.dashboard.addWidgets(
      graph('Requests', [
        stage.metricCount({ period: PERIOD, statistic: 'Sum' }),
        stage.metricClientError({ period: PERIOD }),
        serverErrors,
      ]),
      graph('Latency', ['p50', 'p99', 'Maximum'].map(latency)),
      graph('Router', [router.metricInvocations({ period: PERIOD }), errors, throttles]),
      graph(
        'Router duration',
        ['p50', 'p99'].map((statistic) => router.metricDuration({ period: PERIOD, statistic, label: statistic })),
      ),
      ...this.flowWidgets(),
    );
  }

  /** Watches what brings results of queued operations to their callers. */
  watchCompletions({ queue, deadLetterQueue, function: operations }: CompletionDelivery): void {
    const { url } = this.props;
    const age = queue.metricApproximateAgeOfOldestMessage({ period: PERIOD, statistic: 'Maximum' });
    const undeliverable = visibleIn(deadLetterQueue);
    const errors = operations.metricErrors({ period: PERIOD });
    if (this.props.alarms) {
      addAlarm(this, 'CompletionsNotTaken', age, {
        threshold: COMPLETION_NOT_TAKEN.toSeconds(),
        evaluationPeriods: 5,
        description:
          `results of Nexus operations are not sent: the oldest has waited ${COMPLETION_NOT_TAKEN.toMinutes()} minutes for ` +
          `the function ${operations.functionName}, which is throttled or fails. Its log says why; ` +
          `nexus-lambda operation list --completion pending --url ${url} says whose they are`,
      });
      addAlarm(this, 'CompletionsUndeliverable', undeliverable, {
        description:
          'messages about results of Nexus operations were received 1,000 times in vain: the log of ' +
          `${operations.functionName} says why. nexus-lambda operation list --completion pending --url ${url} lists the ` +
          'results, which are sent by the reconciler all the same; then empty the queue, where nothing is lost: ' +
          `aws sqs purge-queue --queue-url ${deadLetterQueue.queueUrl}`,
      });
      addAlarm(this, 'OperationsErrors', errors, {
        evaluationPeriods: 5,
        description:
          `the function ${operations.functionName} fails in each of five minutes: Nexus operations that crashed are not ` +
          'taken up, their results may not be sent, or a task queue cannot be had read again. Its log says why',
      });
    }
    this.deadLetters = graph('Dead letters', [withLabel(undeliverable, 'completions')]);
    this.dashboard?.addWidgets(
      graph('Completions: seconds that the oldest waits', [age]),
      graph('Operations function', [operations.metricInvocations({ period: PERIOD }), errors]),
      this.deadLetters,
    );
  }

  /** Watches where the poison of a task queue ends. */
  watchTaskQueue(taskQueue: TaskQueue): void {
    const { url, alarms } = this.props;
    const { deadLetterQueue } = taskQueue;
    const poison = visibleIn(deadLetterQueue);
    if (alarms) {
      addAlarm(taskQueue, 'DeadLetters', poison, {
        description:
          `Nexus operations of ${taskQueue.node.id} crashed too often, and were taken out. See them: ` +
          `nexus-lambda operation list --state dead-lettered --url ${url}; why: operation describe TOKEN; once that is ` +
          'mended: operation redrive TOKEN. Then empty the queue, where nothing is lost: ' +
          `aws sqs purge-queue --queue-url ${deadLetterQueue.queueUrl}`,
      });
    }
    // The stack of a queue depends on the gateway's, which cannot depend on it as well.
    if (Stack.of(taskQueue) === Stack.of(this)) this.deadLetters?.addLeftMetric(withLabel(poison, taskQueue.node.id));
  }

  /** By a search, which finds endpoints of other stacks, and those that no deploy made. */
  private flowWidgets(): GraphWidget[] {
    const { names } = FLOW_METRICS;
    return [
      graph('Changes of circuits', [this.search('Status', [names.circuit], 'Sum')]),
      graph('Requests refused or queued instead', [this.search('Reason', [names.refused, names.absorbed], 'Sum')]),
      graph('Queued attempts that were not let through', [this.search('Reason', [names.deferred], 'Sum')]),
      graph('Requests answered at their deadline', [this.search(undefined, [names.promoted], 'Sum')]),
      graph('Percent of limits left', [
        this.search(undefined, [names.rateHeadroom, names.concurrencyHeadroom], 'Minimum'),
      ]),
    ];
  }

  private search(dimension: 'Status' | 'Reason' | undefined, metricNames: string[], statistic: string): IMetric {
    const { namespace, dimensions } = FLOW_METRICS;
    const schema = [namespace, dimensions.gateway, dimensions.endpoint, ...(dimension ? [dimension] : [])].join(',');
    const named = metricNames.map((name) => `MetricName="${name}"`).join(' OR ');
    const where = `${dimensions.gateway}="${this.props.tableName}" (${named})`;
    return new MathExpression({
      expression: `SEARCH('{${schema}} ${where}', '${statistic}', ${PERIOD.toSeconds()})`,
      label: '',
      period: PERIOD,
    });
  }

  private alarm(id: string, metric: IMetric, description: string, evaluationPeriods = 1): void {
    if (this.props.alarms) addAlarm(this, id, metric, { description, evaluationPeriods });
  }
}

function visibleIn(queue: IQueue) {
  return queue.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: 'Maximum' });
}

function withLabel(metric: ReturnType<typeof visibleIn>, label: string): IMetric {
  return metric.with({ label });
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, width: 12, left });
}
