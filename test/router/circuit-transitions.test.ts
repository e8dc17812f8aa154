import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AT_REST,
  admission,
  isProbeLost,
  type OpenCircuit,
  type StoredCircuit,
  statusOf,
} from '../../src/router/circuit.ts';
import {
  failureSeen,
  type OwnResults,
  probeEnded,
  probeTaken,
  resetByHand,
  successSeen,
  trippedByHand,
} from '../../src/router/circuit-transitions.ts';

const NOW = Date.UTC(2026, 0, 1);
const OPEN_MS = 60_000;
const SETTINGS = { threshold: 5, openMs: OPEN_MS };
const BY = { by: 'basic:ops', reason: 'the bank moves' };

/** An environment that saw failures at these times, of which the last ones are not in the stored streak yet. */
function own(
  times: readonly number[],
  { unshared = times.length, succeededAt = Number.NEGATIVE_INFINITY, successMs = 0 } = {},
): OwnResults {
  const failures = times.map((at, index) => ({ at, shared: index < times.length - unshared }));
  return { failures, succeededAt, successMs };
}

/** What a failure at this time makes of a circuit, in an environment that saw no other. */
function failed(
  circuit: StoredCircuit,
  at: number,
  { beganAt = at, ...members }: { beganAt?: number; succeededAt?: number; successMs?: number } = {},
) {
  const failure = { at, beganAt, message: 'down' };
  return failureSeen(circuit, failure, { own: own([at], members), ...SETTINGS });
}

const streakOf = (streak: number, since = NOW): StoredCircuit => ({ ...AT_REST, version: 7, streak, since });

const OPEN: OpenCircuit = {
  ...{ status: 'open', version: 3, streak: 5, openedAt: NOW, nextProbeAt: NOW + OPEN_MS },
  lastFailure: { at: NOW, message: 'down' },
};
const DUE = NOW + OPEN_MS;
const probing = (leaseMs = 1_000) => probeTaken(OPEN, { id: 'p', now: DUE, leaseMs });

describe('a failure', () => {
  it('begins a streak, and is kept as the last one', () => {
    expect(failed(AT_REST, NOW)).toEqual({
      ...{ status: 'closed', version: 1, streak: 1, since: NOW },
      lastFailure: { at: NOW, message: 'down' },
    });
  });

  it('opens the circuit where one environment saw five in a row, however fast', () => {
    const times = [0, 1, 2, 3, 4].map((ms) => NOW + ms);
    const fifth = { at: NOW + 4, beganAt: NOW + 4, message: 'down' };
    expect(failureSeen(AT_REST, fifth, { own: own(times), ...SETTINGS })).toEqual({
      ...{ status: 'open', version: 1, streak: 5, openedAt: NOW + 4, nextProbeAt: NOW + 4 + OPEN_MS },
      lastFailure: { at: NOW + 4, message: 'down' },
    });
    expect(failureSeen(AT_REST, fifth, { own: own(times.slice(1)), ...SETTINGS })).toMatchObject({ status: 'closed' });
  });

  it('adds those of its environment that are not in the streak yet', () => {
    const results = own([NOW + 1, NOW + 2, NOW + 3], { unshared: 2 });
    const third = { at: NOW + 3, beganAt: NOW, message: 'down' };
    expect(failureSeen(streakOf(10), third, { own: results, ...SETTINGS })).toMatchObject({ streak: 12, version: 8 });
  });

  it('of a streak of many environments opens it where its delivery began a second after the streak', () => {
    expect(failed(streakOf(4), NOW + 1_100, { beganAt: NOW + 999 })).toMatchObject({ status: 'closed', streak: 5 });
    expect(failed(streakOf(4), NOW + 1_100, { beganAt: NOW + 1_000 })).toMatchObject({ status: 'open', streak: 5 });
    expect(failed(streakOf(3), NOW + 9_000)).toMatchObject({ status: 'closed', streak: 4 });
  });

  it.each([
    ['in its environment', { successMs: 3_000 }, {}],
    ['where one last ended a streak', {}, { successMs: 3_000 }],
  ])('opens it later where a success takes longer %s', (_where, members, stored) => {
    const circuit = { ...streakOf(4), ...stored };
    expect(failed(circuit, NOW + 2_999, members)).toMatchObject({ status: 'closed' });
    expect(failed(circuit, NOW + 3_000, members)).toMatchObject({ status: 'open' });
  });

  it('waits for slow successes no longer than half a minute', () => {
    expect(failed(streakOf(4), NOW + 30_000, { successMs: 900_000 })).toMatchObject({ status: 'open' });
  });

  it('begins a new streak where its environment saw a success since the stored one began', () => {
    const next = failed(streakOf(40), NOW + 5_000, { succeededAt: NOW });
    expect(next).toMatchObject({ status: 'closed', streak: 1, since: NOW + 5_000 });
    expect(failed(streakOf(40), NOW + 5_000, { succeededAt: NOW - 1 })).toMatchObject({ status: 'open', streak: 41 });
  });

  it('forgets those before a success that somebody else saw', () => {
    const times = [1, 2, 3, 4, 5].map((ms) => NOW + ms);
    const fifth = { at: NOW + 5, beganAt: NOW + 5, message: 'down' };
    const cleared: StoredCircuit = { ...AT_REST, version: 7, clearedAt: NOW + 3 };
    const next = failureSeen(cleared, fifth, { own: own(times), ...SETTINGS });
    expect(next).toMatchObject({ status: 'closed', streak: 2, since: NOW + 4, clearedAt: NOW + 3 });
  });

  it('counts for nothing where the success came after it by another machine’s clock', () => {
    expect(failed({ ...AT_REST, version: 7, clearedAt: NOW + 3 }, NOW)).toBeUndefined();
  });

  it('counts for nothing where it is of a delivery from before the success, and opens nothing by others since', () => {
    const cleared = { ...AT_REST, version: 7, streak: 4, since: NOW + 10, clearedAt: NOW + 5 };
    const environment = {
      ...own([NOW + 20]),
      failures: [
        { at: NOW + 20, shared: true },
        { at: NOW + 9_000, since: NOW, shared: false },
      ],
    };
    const crash = { at: NOW + 9_000, beganAt: NOW + 9_000, message: 'attempt 1 never ended' };
    expect(failureSeen(cleared, crash, { own: environment, threshold: 4, openMs: OPEN_MS })).toBeUndefined();
  });

  it('changes nothing of a circuit that is open', () => {
    expect(failed(OPEN, NOW)).toBeUndefined();
  });

  it('is kept with 500 characters of its message', () => {
    const failure = { at: NOW, beganAt: NOW, message: 'x'.repeat(10_000) };
    const next = failureSeen(AT_REST, failure, { own: own([NOW]), ...SETTINGS });
    expect(next?.lastFailure?.message).toBe(`${'x'.repeat(499)}…`);
  });

  it('opens it by itself where one is enough', () => {
    const failure = { at: NOW, beganAt: NOW, message: 'down' };
    expect(failureSeen(AT_REST, failure, { own: own([NOW]), threshold: 1, openMs: 5 })).toMatchObject({
      status: 'open',
      streak: 1,
      nextProbeAt: NOW + 5,
    });
  });
});

describe('a success', () => {
  it('ends a streak, and leaves what failed last to be seen', () => {
    const circuit = failed(streakOf(3), NOW + 1)!;
    expect(successSeen(circuit, { at: NOW + 9, successMs: 4 })).toEqual({
      ...{ status: 'closed', version: 9, streak: 0, clearedAt: NOW + 9, successMs: 4 },
      lastFailure: { at: NOW + 1, message: 'down' },
    });
  });

  it('changes nothing where there is no streak, where that began later, or the circuit is open', () => {
    const success = { at: NOW, successMs: 1 };
    for (const circuit of [AT_REST, streakOf(3, NOW + 1), OPEN]) expect(successSeen(circuit, success)).toBeUndefined();
  });
});

describe('an open circuit', () => {
  it('refuses until its time has come, and then lets one through', () => {
    expect(admission(OPEN, NOW + 1, OPEN_MS)).toEqual({ kind: 'refused', retryAfterMs: OPEN_MS - 1 });
    expect(admission(OPEN, DUE, OPEN_MS)).toEqual({ kind: 'probe' });
    expect(admission(probing(), DUE, OPEN_MS)).toEqual({ kind: 'refused', retryAfterMs: 1_000 });
  });

  it('has others wait no longer for a probe than for the next one', () => {
    expect(admission(probing(900_000), DUE, OPEN_MS)).toEqual({ kind: 'refused', retryAfterMs: OPEN_MS });
  });

  it('lets another one through where the probe did not end in its lease', () => {
    expect(statusOf(probing(), DUE + 999)).toBe('probing');
    expect(isProbeLost(probing(), DUE + 999)).toBe(false);
    expect(statusOf(probing(), DUE + 1_000)).toBe('open');
    expect(isProbeLost(probing(), DUE + 1_000)).toBe(true);
    expect(admission(probing(), DUE + 1_000, OPEN_MS)).toEqual({ kind: 'probe' });
  });

  it('does not wait for a time that a wrong clock wrote, or a setting that was lowered since', () => {
    const tomorrow = { ...OPEN, nextProbeAt: NOW + 86_400_000 };
    expect(admission(tomorrow, NOW, OPEN_MS)).toEqual({ kind: 'probe' });
    expect(admission(OPEN, NOW, 1_000)).toEqual({ kind: 'probe' });
    const leased = { ...OPEN, nextProbeAt: NOW, probe: { id: 'p', leaseUntil: NOW + 86_400_000 } };
    expect(admission(leased, NOW, OPEN_MS)).toEqual({ kind: 'probe' });
  });

  it('waits where the clock of another machine is a little ahead', () => {
    expect(admission(OPEN, NOW - 20, OPEN_MS)).toEqual({ kind: 'refused', retryAfterMs: OPEN_MS + 20 });
  });
});

describe('the end of a probe', () => {
  const end = { id: 'p', beganAt: DUE, now: DUE + 50, openMs: OPEN_MS };
  const FAILED = { kind: 'failed', message: 'still down' } as const;

  it('closes the circuit where it succeeded', () => {
    expect(probeEnded(probing(), { ...end, result: { kind: 'succeeded' } })).toEqual({
      ...{ status: 'closed', version: 5, streak: 0, clearedAt: DUE + 50, successMs: 50 },
      lastFailure: OPEN.lastFailure,
    });
  });

  it('lets the circuit be open for as long again where it failed', () => {
    expect(probeEnded(probing(), { ...end, result: FAILED })).toEqual({
      ...OPEN,
      version: 5,
      nextProbeAt: DUE + 50 + OPEN_MS,
      lastFailure: { at: DUE + 50, message: 'still down' },
    });
  });

  it('lets another one be made in a second where it says nothing', () => {
    const next = probeEnded(probing(), { ...end, result: { kind: 'unjudged' } });
    expect(next).toEqual({ ...OPEN, version: 5, nextProbeAt: DUE + 1_050 });
  });

  it('closes the circuit after its lease, too, unless another one has failed since it began', () => {
    const late = { ...end, now: DUE + 5_000, result: { kind: 'succeeded' } } as const;
    expect(probeEnded(probing(), late)).toMatchObject({ status: 'closed' });
    const another = probeTaken(probing(), { id: 'q', now: DUE + 1_000, leaseMs: 60_000 });
    expect(probeEnded(another, late)).toMatchObject({ status: 'closed', version: another.version + 1 });
    const failed = probeEnded(another, { ...end, id: 'q', now: DUE + 2_000, result: FAILED })!;
    expect(probeEnded(failed, late)).toBeUndefined();
    expect(probeEnded({ ...another, openedAt: DUE + 1 }, late)).toBeUndefined();
  });

  it.each([FAILED, { kind: 'unjudged' }, { kind: 'not-reached' }] as const)(
    'changes nothing once another one was made, unless it succeeded: $kind',
    (result) => {
      const another = probeTaken(probing(), { id: 'q', now: DUE + 1_000, leaseMs: 60_000 });
      expect(probeEnded(another, { ...end, now: DUE + 5_000, result })).toBeUndefined();
    },
  );

  it('counts for nothing where somebody opened or closed it by hand meanwhile', () => {
    const result = { kind: 'succeeded' } as const;
    expect(probeEnded(resetByHand(probing(), DUE)!, { ...end, result: FAILED })).toBeUndefined();
    expect(probeEnded(trippedByHand(probing(), { ...BY, at: DUE })!, { ...end, result })).toBeUndefined();
  });
});

describe('by hand', () => {
  it.each([
    ['at rest', AT_REST, NOW + 9],
    ['that is open', OPEN, NOW],
    ['that is probing', probing(), NOW],
  ])('a circuit %s is opened, and stays open whatever time passes', (_what, circuit, openedAt) => {
    const tripped = trippedByHand(circuit, { ...BY, at: NOW + 9 })!;
    expect(tripped).toMatchObject({ status: 'open', openedAt, tripped: { ...BY, at: NOW + 9 } });
    expect(tripped.version).toBe(circuit.version + 1);
    expect(tripped.lastFailure).toEqual(circuit.lastFailure);
    for (const ms of [0, DUE, 1e15]) {
      expect(admission(tripped, NOW + ms, OPEN_MS)).toEqual({ kind: 'refused', retryAfterMs: OPEN_MS });
    }
    expect(trippedByHand(tripped, { by: 'basic:other', reason: '', at: NOW })).toBeUndefined();
  });

  it('a circuit is closed, and its streak forgotten', () => {
    for (const circuit of [streakOf(3), OPEN, probing(), trippedByHand(OPEN, { ...BY, at: NOW })!]) {
      expect(resetByHand(circuit, DUE)).toEqual({
        ...{ status: 'closed', version: circuit.version + 1, streak: 0, clearedAt: DUE },
        ...(circuit.lastFailure && { lastFailure: circuit.lastFailure }),
      });
    }
    expect(resetByHand(AT_REST, DUE)).toBeUndefined();
  });
});

it('whatever happens, every version is one more, and at most one probe holds the lease', () => {
  const kind = fc.constantFrom('failure', 'success', 'take', 'ended well', 'ended badly', 'ended', 'trip', 'reset');
  const step = fc.record({ kind, ms: fc.integer({ min: 0, max: 40_000 }), id: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let circuit: StoredCircuit = AT_REST;
      let now = NOW;
      for (const { kind: what, ms, id } of steps) {
        now += ms;
        const end = { id, beganAt: now - 10, now, openMs: OPEN_MS };
        const next: StoredCircuit | undefined = ((): StoredCircuit | undefined => {
          switch (what) {
            case 'failure':
              return failed(circuit, now, { beganAt: now - ms });
            case 'success':
              return successSeen(circuit, { at: now, successMs: 1 });
            case 'take':
              if (circuit.status === 'closed' || admission(circuit, now, OPEN_MS).kind !== 'probe') return undefined;
              expect(statusOf(circuit, now)).toBe('open');
              expect(circuit.tripped).toBeUndefined();
              return probeTaken(circuit, { id, now, leaseMs: 35_000 });
            case 'ended well':
              return probeEnded(circuit, { ...end, result: { kind: 'succeeded' } });
            case 'ended badly':
              return probeEnded(circuit, { ...end, result: { kind: 'failed', message: 'down' } });
            case 'ended':
              return probeEnded(circuit, { ...end, result: { kind: 'unjudged' } });
            case 'trip':
              return trippedByHand(circuit, { ...BY, at: now });
            case 'reset':
              return resetByHand(circuit, now);
          }
        })();
        if (next === undefined) continue;
        expect(next.version).toBe(circuit.version + 1);
        expect(JSON.parse(JSON.stringify(next))).toEqual(next);
        if (next.status === 'closed') expect(next.streak === 0).toBe(next.since === undefined);
        else if (next.tripped === undefined) expect(admission(next, now + 960_000, OPEN_MS).kind).toBe('probe');
        circuit = next;
      }
    }),
  );
});
