import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { FLOW_METRICS } from '../src/aws/contract.ts';
import { SETTINGS } from '../src/router/settings.ts';
import { addAlarm, PERIOD } from './alarm.ts';

export interface CircuitAlarmProps {
  readonly endpoint: string;
  readonly gateway: { readonly tableName: string; readonly url: string };
  /** @default - that of the settings */
  readonly circuitOpenTime?: Duration | undefined;
}

/** While somebody calls, an open circuit is probed, and opens anew, this much later than its time at most. */
const PROBE_GRACE_MINUTES = 2;

/** An alarm that goes off when the circuit of an endpoint opens, and stays while it does so again after each probe. */
export function addCircuitAlarm(scope: Construct, { endpoint, gateway, circuitOpenTime }: CircuitAlarmProps): void {
  const { namespace, dimensions, names } = FLOW_METRICS;
  const openTime = circuitOpenTime ?? Duration.millis(SETTINGS.circuitOpenMs.default ?? 0);
  const opened = new Metric({
    namespace,
    metricName: names.circuit,
    dimensionsMap: {
      [dimensions.gateway]: gateway.tableName,
      [dimensions.endpoint]: endpoint,
      [dimensions.status]: 'open',
    },
    statistic: 'Sum',
    period: PERIOD,
  });
  addAlarm(scope, 'CircuitOpen', opened, {
    evaluationPeriods: Math.ceil(openTime.toSeconds({ integral: false }) / PERIOD.toSeconds()) + PROBE_GRACE_MINUTES,
    datapointsToAlarm: 1,
    description:
      `the circuit of Nexus endpoint ${endpoint} is open: its handler failed time after time, or somebody tripped it. ` +
      'Requests wait in its queue, or are refused. The last failure, and when it is tried next: ' +
      `nexus-lambda circuit list --url ${gateway.url}`,
  });
}
