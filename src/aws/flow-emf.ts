import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { FlowEvent } from '../router/flow-event.ts';
import { FLOW_METRICS } from './contract.ts';

const { namespace, dimensions: DIMENSION, names: NAME } = FLOW_METRICS;

interface Measured {
  readonly name: string;
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly value: number;
  /** Besides the gateway and the endpoint. */
  readonly dimension?: readonly [name: string, value: string];
}

/**
 * The events as lines of CloudWatch's embedded metric format, one for each set of dimensions; those of the same kind are
 * counted together.
 */
export function formatFlowMetrics(gateway: string, events: readonly FlowEvent[]): string[] {
  const metrics = new Metrics({ namespace });
  // "service" of Powertools would be one more name for the same gateway.
  metrics.clearDefaultDimensions();
  return [...Map.groupBy(events, dimensionsKey).values()].map((alike) => {
    const [{ endpoint, dimension }] = alike.map(placed) as [Placed];
    metrics.addDimension(DIMENSION.gateway, gateway).addDimension(DIMENSION.endpoint, endpoint);
    if (dimension !== undefined) metrics.addDimension(...dimension);
    const counts = new Map<string, number>();
    for (const { name, unit, value } of alike.map(measured)) {
      if (unit === MetricUnit.Count) counts.set(name, (counts.get(name) ?? 0) + value);
      else metrics.addMetric(name, unit, value);
    }
    for (const [name, count] of counts) metrics.addMetric(name, MetricUnit.Count, count);
    const line = JSON.stringify(metrics.serializeMetrics());
    metrics.clearMetrics();
    metrics.clearDimensions();
    return line;
  });
}

interface Placed {
  readonly endpoint: string;
  readonly dimension: Measured['dimension'];
}

function placed(event: FlowEvent): Placed {
  return { endpoint: event.endpoint, dimension: measured(event).dimension };
}

function dimensionsKey(event: FlowEvent): string {
  return JSON.stringify(placed(event));
}

function measured(event: FlowEvent): Measured {
  const one = { unit: MetricUnit.Count, value: 1 };
  switch (event.kind) {
    case 'circuit-changed':
      return { name: NAME.circuit, ...one, dimension: [DIMENSION.status, event.to] };
    case 'refused':
      return { name: NAME.refused, ...one, dimension: [DIMENSION.reason, event.reason] };
    case 'absorbed':
      return { name: NAME.absorbed, ...one, dimension: [DIMENSION.reason, event.reason] };
    case 'deferred':
      return { name: NAME.deferred, ...one, dimension: [DIMENSION.reason, event.reason] };
    case 'promoted':
      return { name: NAME.promoted, ...one };
    case 'headroom': {
      const name = event.of === 'rate' ? NAME.rateHeadroom : NAME.concurrencyHeadroom;
      return { name, unit: MetricUnit.Percent, value: percent(event.left, event.limit) };
    }
    default:
      return event satisfies never;
  }
}

/** Of a limit of nothing nothing is left; of one that was lowered meanwhile no more than all. */
function percent(left: number, limit: number): number {
  return limit > 0 ? Math.round(Math.min(1, Math.max(0, left / limit)) * 1_000) / 10 : 0;
}
