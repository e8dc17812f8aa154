import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';

/** Of metrics and alarms. */
export const PERIOD = Duration.minutes(1);

export interface AlarmOptions {
  /** What is the matter, and what to type. */
  readonly description: string;
  /** @default 1 */
  readonly threshold?: number;
  /** @default 1 */
  readonly evaluationPeriods?: number;
  /** @default - all of them */
  readonly datapointsToAlarm?: number;
}

/** An alarm that goes off where a metric reaches a threshold. Nothing measured is nothing wrong. */
export function addAlarm(scope: Construct, id: string, metric: IMetric, options: AlarmOptions): Alarm {
  const { description, threshold = 1, evaluationPeriods = 1, datapointsToAlarm } = options;
  return new Alarm(scope, id, {
    metric,
    alarmDescription: description,
    threshold,
    evaluationPeriods,
    ...(datapointsToAlarm !== undefined && { datapointsToAlarm }),
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
}
