import { describe, expect, it } from 'vitest';
import type { WakeUp } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';
import type { UnseenCrash } from '../../src/operations/unseen-crash.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Arrival, DeliveryResult, Gate } from '../../src/router/gate.ts';
import { createIntake } from '../../src/router/intake.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { newRecord } from '../contract/operation-records.ts';
import { SHOP } from './shop.ts';

const NOW = 1_000_000;
const MESSAGE = { token: 't', attempt: 3, endpoint: 'shop', principal: 'basic:shop', leaseMs: 900_000 };
const OPEN: Gate = {
  admit: async () => ({ kind: 'refused', reason: 'circuit', retryAfterMs: 60_000, message: '' }),
};
const RUNNING = new AbortController().signal;
const FAILED: AttemptResult = { kind: 'failed', retryable: true, message: 'no disk', failure: { message: 'no disk' } };

interface Options {
  readonly gate?: Gate;
  readonly endpoint?: Endpoint | null;
  readonly random?: number;
}

function setUp({ gate, endpoint = SHOP, random = 0.5 }: Options = {}) {
  const deferred: { message: WakeUp; until: number }[] = [];
  const arrivals: Arrival[] = [];
  const ended: DeliveryResult[] = [];
  const crashes: UnseenCrash[] = [];
  const events: FlowEvent[] = [];
  const letting: Gate = {
    async admit(arrival) {
      arrivals.push(arrival);
      const crashed = async (crash: UnseenCrash) => void crashes.push(crash);
      return { kind: 'admitted', crashed, ended: async (result) => void ended.push(result) };
    },
  };
  const intake = createIntake({
    endpointOf: async () => endpoint ?? undefined,
    gate: gate ?? letting,
    operations: { defer: async (message, until) => void deferred.push({ message, until }) },
    clock: { now: () => NOW },
    random: () => random,
    emit: (event) => void events.push(event),
  });
  return { intake, deferred, arrivals, crashes, ended, events };
}

describe('the intake of a queue', () => {
  it('asks the gate with the time that the attempt may take, and returns what the attempt does', async () => {
    const { intake, arrivals } = setUp();
    expect(await intake.take(MESSAGE, async () => 'record')).toBe('record');
    expect(arrivals).toEqual([{ endpoint: SHOP, principal: 'basic:shop', kind: 'start', leaseMs: 900_000 }]);
  });

  it('has what is not let through wait until it may be, and somewhat longer, so that not all come at once', async () => {
    const { intake, deferred } = setUp({ gate: OPEN });
    let ran = false;
    const attempt = async () => {
      ran = true;
    };
    expect(await intake.take(MESSAGE, attempt)).toBeUndefined();
    expect(ran).toBe(false);
    expect(deferred).toEqual([{ message: MESSAGE, until: NOW + 60_000 + 10_000 }]);
  });

  it.each([
    ['a minute', 60_000, 20_000],
    ['ten minutes', 600_000, 20_000],
    ['an hour', 3_600_000, 120_000],
    ['a day', 86_400_000, 600_000],
  ])('spreads what waits for a probe over a thirtieth of the outage: after %s', async (_, outageMs, spreadMs) => {
    const gate: Gate = {
      admit: async () => ({
        ...{ kind: 'refused', reason: 'circuit', retryAfterMs: 60_000, message: '' },
        since: NOW - outageMs,
      }),
    };
    for (const random of [0, 0.5, 1]) {
      const { intake, deferred } = setUp({ gate, random });
      await intake.take(MESSAGE, async () => {});
      expect(deferred).toEqual([{ message: MESSAGE, until: NOW + 60_000 + spreadMs * random }]);
    }
  });

  it.each(['paused', 'circuit', 'rate'] as const)('tells of each that waits, and why: %s', async (reason) => {
    const gate: Gate = { admit: async () => ({ kind: 'refused', reason, retryAfterMs: 100, message: '' }) };
    const { intake, events } = setUp({ gate });
    for (let n = 0; n < 2; n++) await intake.take(MESSAGE, async () => {});
    expect(events).toEqual(Array(2).fill({ kind: 'deferred', endpoint: 'shop', reason, principal: 'basic:shop' }));
    const { intake: letting, events: none } = setUp();
    await letting.take(MESSAGE, async () => {});
    expect(none).toEqual([]);
  });

  it('spreads what is over a rate, since the next token is for one of all that wait', async () => {
    const gate: Gate = { admit: async () => ({ kind: 'refused', reason: 'rate', retryAfterMs: 100, message: '' }) };
    const { intake, deferred } = setUp({ gate });
    await intake.take(MESSAGE, async () => {});
    expect(deferred).toEqual([{ message: MESSAGE, until: NOW + 100 + 10_000 }]);
  });

  it('lets through whatever is of an endpoint that nobody knows any more: it was accepted', async () => {
    expect(await setUp({ gate: OPEN, endpoint: null }).intake.take(MESSAGE, async () => 'record')).toBe('record');
  });

  it('lets through what was moved back from the dead letters, which runs nothing yet', async () => {
    const { intake, deferred } = setUp({ gate: OPEN });
    expect(await intake.take({ ...MESSAGE, reason: 'poison' }, async () => 'taken up')).toBe('taken up');
    expect(deferred).toEqual([]);
  });

  it.each<[string, AttemptResult, DeliveryResult]>([
    ['a handler that fails for now', FAILED, { kind: 'failed', message: 'no disk' }],
    ['a handler that fails for good', { ...FAILED, retryable: false }, { kind: 'succeeded' }],
    ['a handler that starts a workflow', { kind: 'handed-over', token: 'w', links: [] }, { kind: 'succeeded' }],
    ['a crash', { kind: 'crashed' }, { kind: 'failed', message: expect.stringContaining('crashed') }],
  ])('tells the gate of %s', async (_, result, told) => {
    const { intake, ended } = setUp();
    await intake.take(MESSAGE, async ({ ended: end }) => end(result, RUNNING));
    expect(ended).toEqual([told]);
  });

  it.each([FAILED, { kind: 'crashed' }] as const)(
    'tells the gate nothing of an attempt that was told to stop, though it ended as $kind',
    async (result) => {
      const { intake, ended } = setUp();
      const canceled = new AbortController();
      await intake.take(MESSAGE, async ({ began, ended: end }) => {
        await began(newRecord());
        canceled.abort();
        end(result, canceled.signal);
      });
      expect(ended).toEqual([{ kind: 'unjudged' }]);
    },
  );

  it.each([
    ['that nobody saw', {}, [{ since: NOW - 9_000, message: 'attempt 2 never ended' }]],
    ['that somebody saw', { crash: { invocation: 'i' } }, []],
    ['that was no crash', { crash: undefined }, []],
    ['that was not the one before', { attempt: 1 }, []],
  ])('tells the gate as an attempt begins of one before it %s', async (_, lastFailure, told) => {
    const { intake, crashes } = setUp();
    const crash = { invocation: 'i', since: NOW - 9_000 };
    const failed = { at: NOW - 1_000, attempt: 2, message: 'attempt 2 never ended', crash };
    const record = { ...newRecord(), attempt: 3, crashes: 1, lastFailure: { ...failed, ...lastFailure } };
    await intake.take(MESSAGE, ({ began }) => began(record as OperationRecord));
    expect(crashes).toEqual(told);
    await intake.take(MESSAGE, ({ began }) => began({ ...(record as OperationRecord), crashes: 0 })); // taken up by hand
    expect(crashes).toEqual(told);
  });

  it('tells the gate nothing of a message that woke nobody, or whose record could not be written', async () => {
    const { intake, ended } = setUp();
    await intake.take(MESSAGE, async () => undefined);
    await intake.take(MESSAGE, () => Promise.reject(new Error('no store'))).catch(() => {});
    expect(ended).toEqual([{ kind: 'not-reached' }, { kind: 'not-reached' }]);
  });
});
