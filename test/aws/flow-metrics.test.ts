import { describe, expect, it } from 'vitest';
import { createFlowMetrics, type FlowMetricsDeps } from '../../src/aws/flow-metrics.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const OPENED: FlowEvent = {
  kind: 'circuit-changed',
  endpoint: 'shop',
  from: 'closed',
  to: 'open',
  why: 'the handler of endpoint "shop" gave no answer within 9 s',
};
const REFUSED: FlowEvent = { kind: 'refused', endpoint: 'shop', reason: 'circuit', principal: 'basic:shop' };

function setUp(deps: Partial<FlowMetricsDeps> = {}) {
  const { lines, logger } = recordingLogger();
  const clock = { time: 0, now: () => clock.time };
  const written: string[] = [];
  const flow = createFlowMetrics({
    ...{ gateway: 'endpoints-table', logger, clock, write: (line) => written.push(line) },
    ...deps,
  });
  return { ...flow, lines, clock, metrics: () => written.map((line) => JSON.parse(line)) };
}

describe('metrics of flow control', () => {
  it('are lines that CloudWatch reads, by gateway, endpoint and what happened', async () => {
    const { emit, settle, metrics } = setUp();
    emit(OPENED);
    await settle();
    expect(metrics()).toEqual([
      {
        _aws: {
          Timestamp: expect.any(Number),
          CloudWatchMetrics: [
            {
              Namespace: 'NexusLambda',
              Dimensions: [['Gateway', 'Endpoint', 'Status']],
              Metrics: [{ Name: 'CircuitTransitions', Unit: 'Count' }],
            },
          ],
        },
        Gateway: 'endpoints-table',
        Endpoint: 'shop',
        Status: 'open',
        CircuitTransitions: 1,
      },
    ]);
  });

  it.each<[FlowEvent, object]>([
    [REFUSED, { Reason: 'circuit', RequestsRefused: 1 }],
    [
      { ...REFUSED, kind: 'absorbed', reason: 'failure' },
      { Reason: 'failure', RequestsAbsorbed: 1 },
    ],
    [
      { ...REFUSED, kind: 'deferred', reason: 'paused' },
      { Reason: 'paused', AttemptsDeferred: 1 },
    ],
    [{ kind: 'promoted', endpoint: 'shop', principal: 'a' }, { OperationsPromoted: 1 }],
    [{ kind: 'headroom', endpoint: 'shop', of: 'rate', left: 25, limit: 200 }, { RateHeadroom: 12.5 }],
    [{ kind: 'headroom', endpoint: 'shop', of: 'concurrency', left: 9, limit: 3 }, { ConcurrencyHeadroom: 100 }],
    [{ kind: 'headroom', endpoint: 'shop', of: 'concurrency', left: 0, limit: 0 }, { ConcurrencyHeadroom: 0 }],
  ])('are there of $kind', async (event, members) => {
    const { emit, settle, metrics } = setUp();
    emit(event);
    await settle();
    const [{ _aws, ...metric }, ...others] = metrics();
    expect(others).toEqual([]);
    expect(metric).toEqual({ Gateway: 'endpoints-table', Endpoint: 'shop', ...members });
  });

  it('count what is alike in one line, and keep apart what is not', async () => {
    const { emit, settle, metrics } = setUp();
    for (const event of [
      REFUSED,
      { ...REFUSED, endpoint: 'stock' },
      REFUSED,
      { ...REFUSED, reason: 'rate' },
      REFUSED,
    ]) {
      emit(event as FlowEvent);
    }
    for (const left of [3, 1]) emit({ kind: 'headroom', endpoint: 'shop', of: 'rate', left, limit: 4 });
    await settle();
    expect(metrics().map(({ _aws, Gateway, ...metric }) => metric)).toEqual([
      { Endpoint: 'shop', Reason: 'circuit', RequestsRefused: 3 },
      { Endpoint: 'stock', Reason: 'circuit', RequestsRefused: 1 },
      { Endpoint: 'shop', Reason: 'rate', RequestsRefused: 1 },
      { Endpoint: 'shop', RateHeadroom: [75, 25] },
    ]);
  });

  it('are written once', async () => {
    const { emit, settle, metrics } = setUp();
    emit(REFUSED);
    await settle();
    await settle();
    expect(metrics()).toHaveLength(1);
  });

  it('load nothing where there are no events', async () => {
    const { settle, metrics } = setUp({ load: () => expect.unreachable() });
    await settle();
    expect(metrics()).toEqual([]);
  });

  it('keep an answer waiting no longer than they may, and come with the next one', async () => {
    const { promise, resolve } = Promise.withResolvers<{ formatFlowMetrics: () => string[] }>();
    const { emit, settle, metrics, lines } = setUp({ load: () => promise });
    emit(REFUSED);
    await settle(0);
    expect(metrics()).toEqual([]);
    resolve({ formatFlowMetrics: () => ['{"late":true}'] });
    await settle();
    expect(metrics()).toEqual([{ late: true }]);
    expect(lines).toMatchObject([{ message: 'a request was refused' }]);
  });

  it('say in the log where they cannot be loaded, and reject nothing', async () => {
    const { emit, settle, lines } = setUp({ load: () => Promise.reject(new Error('no such file')) });
    emit({ kind: 'promoted', endpoint: 'shop', principal: 'a' });
    await settle();
    expect(lines).toMatchObject([{}, { level: 'error', message: 'metrics of flow control could not be loaded' }]);
  });
});

describe('the log of flow control', () => {
  it('says of a circuit what changed, the failure that caused it, and who did it by hand', () => {
    const { emit, lines } = setUp();
    emit(OPENED);
    emit({ ...OPENED, from: 'open', to: 'probing', why: 'a minute is over' });
    emit({ ...OPENED, from: 'probing', to: 'closed', why: 'mended', by: 'iam:arn:aws:iam::1:role/ops' });
    const { why } = OPENED;
    expect(lines).toEqual([
      { level: 'warn', message: 'the circuit is open', meta: { endpoint: 'shop', from: 'closed', to: 'open', why } },
      {
        level: 'info',
        message: 'the circuit is probing',
        meta: { endpoint: 'shop', from: 'open', to: 'probing', why: 'a minute is over' },
      },
      {
        level: 'info',
        message: 'the circuit is closed',
        meta: { endpoint: 'shop', from: 'probing', to: 'closed', why: 'mended', by: 'iam:arn:aws:iam::1:role/ops' },
      },
    ]);
  });

  it('says of requests what became of the first, and later of how many more', () => {
    const { emit, lines, clock } = setUp();
    for (let n = 0; n < 10; n++) emit(REFUSED);
    clock.time += 1_000;
    emit(REFUSED);
    emit({ ...REFUSED, kind: 'absorbed' });
    const meta = { endpoint: 'shop', reason: 'circuit', principal: 'basic:shop' };
    expect(lines).toEqual([
      { level: 'warn', message: 'a request was refused', meta: { ...meta, unsaid: 0 } },
      { level: 'warn', message: 'a request was refused', meta: { ...meta, unsaid: 9 } },
      { level: 'warn', message: 'a request was queued instead of refused', meta: { ...meta, unsaid: 0 } },
    ]);
  });
});
