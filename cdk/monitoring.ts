import { Duration } from 'aws-cdk-lib';
import type { HttpStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { ComparisonOperator, Dashboard, GraphWidget, type Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

export interface MonitoringProps {
  readonly alarms: boolean;
  readonly dashboard: boolean;
  readonly stage: HttpStage;
  readonly router: IFunction;
}

const PERIOD = Duration.minutes(1);

/** Alarms that mean that callers are failed, and a dashboard of what they see. */
export class Monitoring extends Construct {
  constructor(scope: Construct, id: string, { alarms, dashboard, stage, router }: MonitoringProps) {
    super(scope, id);
    const errors = router.metricErrors({ period: PERIOD });
    const throttles = router.metricThrottles({ period: PERIOD });
    const serverErrors = stage.metricServerError({ period: PERIOD, statistic: 'Sum' });
    if (alarms) {
      this.alarm('RouterErrors', errors, 'the Nexus router fails: its log says why');
      this.alarm('RouterThrottles', throttles, 'the Nexus router is throttled: the account has no concurrency left');
      this.alarm('ServerErrors', serverErrors, 'the Nexus gateway answers 5xx in each of five minutes', 5);
    }
    if (dashboard) {
      const latency = (statistic: string) => stage.metricLatency({ period: PERIOD, statistic, label: statistic });
      new Dashboard(this, 'Dashboard').addWidgets(
        new GraphWidget({
          title: 'Requests',
          width: 12,
          left: [
            stage.metricCount({ period: PERIOD, statistic: 'Sum' }),
            stage.metricClientError({ period: PERIOD }),
            serverErrors,
          ],
        }),
        new GraphWidget({ title: 'Latency', width: 12, left: ['p50', 'p99', 'Maximum'].map(latency) }),
        new GraphWidget({
          title: 'Router',
          width: 12,
          left: [router.metricInvocations({ period: PERIOD }), errors, throttles],
        }),
        new GraphWidget({
          title: 'Router duration',
          width: 12,
          left: ['p50', 'p99'].map((statistic) =>
            router.metricDuration({ period: PERIOD, statistic, label: statistic }),
          ),
        }),
      );
    }
  }

  private alarm(id: string, metric: Metric, alarmDescription: string, evaluationPeriods = 1): void {
    metric.createAlarm(this, id, {
      alarmDescription,
      threshold: 1,
      evaluationPeriods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}
