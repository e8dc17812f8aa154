import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admission, type OpenCircuit } from '../../src/router/circuit.ts';
import { circuitSettings } from '../../src/router/circuit-settings.ts';
import { isPaused } from '../../src/router/effective-settings.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { AHEAD_MS, CLOSED_FIRST_MS, queueReading, WORTH_MS } from '../../src/router/queue-pause.ts';

const NOW = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'the database moves', at: NOW - HOUR };

function endpoint(name: string, parts: Pick<Endpoint, 'settings' | 'override' | 'circuit'> = {}): Endpoint {
  const target = { namespace: 'default', taskQueue: 'shop' };
  return { name, target, services: [], version: 1, createdAt: 0, lastModifiedAt: 0, ...parts };
}

const paused = (name: string, pause: { readonly at?: number; readonly expiresAt?: number } = {}) =>
  endpoint(name, { override: { settings: {}, paused: { ...mark, ...pause }, version: 1 } });

const opened = (
  name: string,
  circuit: Partial<OpenCircuit>,
  settings: Endpoint['settings'] = { circuitOpenMs: HOUR },
) => endpoint(name, { settings, circuit: { status: 'open', version: 7, streak: 5, openedAt: NOW - HOUR, ...circuit } });

const tripped = (name: string, at = NOW - HOUR) =>
  opened(name, { openedAt: NOW - 2 * HOUR, tripped: { by: mark.author, reason: 'the disk is full', at } });

const reading = (isRead: boolean, ...endpoints: readonly Endpoint[]) => queueReading(endpoints, isRead, NOW).read;
/** Of a queue that is read. */
const goesOn = (...endpoints: readonly Endpoint[]) => reading(true, ...endpoints);
/** Of one that is not. */
const comesBack = (...endpoints: readonly Endpoint[]) => reading(false, ...endpoints);

describe('a queue that is read', () => {
  it('is left alone where its endpoint is paused, tripped by hand, or open with its next probe far away', () => {
    expect(goesOn(paused('shop'))).toBe(false);
    expect(goesOn(tripped('shop'))).toBe(false);
    expect(goesOn(opened('shop', { nextProbeAt: NOW + 10 * MINUTE }))).toBe(false);
  });

  it('is left alone only where every one of its endpoints is closed so, each in its own way', () => {
    const closed = [paused('shop'), tripped('bank'), opened('depot', { nextProbeAt: NOW + HOUR })];
    expect(goesOn(...closed)).toBe(false);
    expect(goesOn(...closed, endpoint('sound'))).toBe(true);
    expect(goesOn(endpoint('sound'), ...closed)).toBe(true);
  });

  it('is read on for the first fifteen minutes of what closed the last of them', () => {
    const since = (ms: number) => NOW - ms;
    expect(goesOn(paused('shop'), paused('bank', { at: since(CLOSED_FIRST_MS - 1) }))).toBe(true);
    expect(goesOn(paused('shop'), paused('bank', { at: since(CLOSED_FIRST_MS) }))).toBe(false);
    expect(goesOn(tripped('shop', since(CLOSED_FIRST_MS - 1)))).toBe(true);
    expect(goesOn(tripped('shop', since(CLOSED_FIRST_MS)))).toBe(false);
    const open = (openedAt: number) => opened('shop', { openedAt, nextProbeAt: NOW + HOUR });
    expect(goesOn(open(since(CLOSED_FIRST_MS - 1)))).toBe(true);
    expect(goesOn(open(since(CLOSED_FIRST_MS)))).toBe(false);
  });

  it('is read on where one of them is to be served before it were worth it', () => {
    expect(goesOn(paused('shop', { expiresAt: NOW + WORTH_MS }))).toBe(true);
    expect(goesOn(paused('shop', { expiresAt: NOW + WORTH_MS + 1 }))).toBe(false);
    expect(goesOn(opened('shop', { nextProbeAt: NOW + WORTH_MS }))).toBe(true);
    expect(goesOn(opened('shop', { nextProbeAt: NOW + WORTH_MS + 1 }))).toBe(false);
  });

  it('is never left alone for a circuit of the default time: its probe comes from the queue', () => {
    for (const nextProbeAt of [NOW - 1, NOW, NOW + 1, NOW + MINUTE]) {
      expect(goesOn(opened('shop', { nextProbeAt }, {}))).toBe(true);
    }
  });

  it('is read on where a next probe is further away than any circuit stays open: the clock was wrong', () => {
    expect(goesOn(opened('shop', { nextProbeAt: NOW + 2 * HOUR }))).toBe(true);
  });

  it('is read on while a probe is on its way, and where it was lost', () => {
    for (const leaseUntil of [NOW + 14 * MINUTE, NOW - 1]) {
      const probe = { id: 'one', leaseUntil };
      expect(goesOn(opened('shop', { nextProbeAt: NOW - 1_000, probe }))).toBe(true);
    }
  });

  it('is read on where nobody knows of an endpoint', () => {
    expect(queueReading([], true, NOW)).toEqual({ read: true, why: 'no endpoint is known to use it' });
  });
});

describe('a queue that is not read', () => {
  it('is left alone until two minutes before the first of its endpoints is to be served', () => {
    const [left, back] = [NOW + AHEAD_MS + 1, NOW + AHEAD_MS];
    expect(comesBack(paused('shop'), paused('bank', { expiresAt: left }))).toBe(false);
    expect(comesBack(paused('shop'), paused('bank', { expiresAt: back }))).toBe(true);
    expect(comesBack(opened('shop', { nextProbeAt: left }))).toBe(false);
    expect(comesBack(opened('shop', { nextProbeAt: back }))).toBe(true);
  });

  it('is read again as soon as one of them is resumed, reset, or made', () => {
    expect(comesBack(paused('shop'), endpoint('bank'))).toBe(true);
    expect(comesBack(endpoint('shop', { circuit: { status: 'closed', version: 8, streak: 0 } }))).toBe(true);
    expect(comesBack()).toBe(true);
  });

  it('is left alone where somebody pauses an endpoint anew, with another end', () => {
    const extended = paused('shop', { at: NOW - 1, expiresAt: NOW + HOUR });
    expect(goesOn(extended)).toBe(true);
    expect(comesBack(extended)).toBe(false);
  });

  it('is read again before a setting of run time ends with which a circuit is open', () => {
    const circuitOpenMs = { value: HOUR, ...mark, expiresAt: NOW + MINUTE };
    const { circuit } = opened('shop', { nextProbeAt: NOW + HOUR / 2 });
    const shop = endpoint('shop', { circuit: circuit!, override: { settings: { circuitOpenMs }, version: 1 } });
    expect(comesBack(shop)).toBe(true);
  });
});

it('says why: of a queue that is left alone for each endpoint, of one that is read for the first that needs it', () => {
  const why = (...endpoints: readonly Endpoint[]) => queueReading(endpoints, true, NOW).why;
  const reason = '"shop" is paused: the database moves';
  expect(why(paused('shop'), tripped('bank'), opened('depot', { nextProbeAt: NOW + HOUR }))).toBe(
    `${reason}; the circuit of "bank" is open by hand: the disk is full; the circuit of "depot" is open`,
  );
  expect(why(paused('shop'), endpoint('sound'), endpoint('other'))).toBe('"sound" is served');
  expect(why(paused('shop', { at: NOW }))).toBe(`${reason}; not for long`);
});

describe('whatever its endpoints are', () => {
  const TIME = fc.oneof(
    fc.integer({ min: NOW - HOUR, max: NOW + HOUR }),
    fc.integer({ min: NOW, max: NOW + WORTH_MS + AHEAD_MS }),
  );
  const OPEN_MS = fc.integer({ min: 1_000, max: HOUR });
  const OVERRIDE = fc
    .record({
      paused: fc.option(fc.record({ at: TIME, expiresAt: TIME }, { requiredKeys: ['at'] })),
      openMs: fc.option(fc.record({ value: OPEN_MS, at: TIME, expiresAt: TIME })),
    })
    .map(({ paused: pause, openMs }) => ({
      settings: openMs === null ? {} : { circuitOpenMs: { ...mark, ...openMs } },
      ...(pause && { paused: { ...mark, ...pause } }),
      version: 1,
    }));
  const OPEN = fc
    .record({ openedAt: TIME, nextProbeAt: TIME, lease: fc.option(TIME), tripped: fc.option(TIME) })
    .map(({ openedAt, nextProbeAt, lease, tripped: at }) => ({
      ...{ status: 'open' as const, version: 7, streak: 5, openedAt },
      ...(at === null ? { nextProbeAt } : { tripped: { by: 'me', reason: 'mine', at } }),
      ...(lease !== null && at === null && { probe: { id: 'one', leaseUntil: lease } }),
    }));
  const ENDPOINT = fc
    .record({ openMs: OPEN_MS, override: OVERRIDE, circuit: fc.option(OPEN) })
    .map(({ openMs, override, circuit }) =>
      endpoint('shop', { settings: { circuitOpenMs: openMs }, override, ...(circuit && { circuit }) }),
    );
  const ENDPOINTS = fc.array(ENDPOINT, { minLength: 1, maxLength: 3 });
  const RUNS = { numRuns: 2_000 };

  /** As the gates of an attempt decide. */
  const isServed = (one: Endpoint, at: number) =>
    !isPaused(one, at) &&
    (one.circuit === undefined || admission(one.circuit, at, circuitSettings(one, at).openMs).kind !== 'refused');

  it('no attempt is let through for two minutes where it is not read', () => {
    fc.assert(
      fc.property(ENDPOINTS, fc.boolean(), fc.integer({ min: 0, max: AHEAD_MS }), (endpoints, isRead, afterMs) => {
        if (queueReading(endpoints, isRead, NOW).read) return;
        expect(endpoints.filter((one) => isServed(one, NOW + afterMs))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('what is left alone is so for some rounds, and what is read again is read on, while nothing changes', () => {
    fc.assert(
      fc.property(ENDPOINTS, fc.integer({ min: 0, max: WORTH_MS - AHEAD_MS }), (endpoints, afterMs) => {
        if (!queueReading(endpoints, true, NOW).read) {
          expect(queueReading(endpoints, false, NOW + afterMs).read).toBe(false);
        }
        if (queueReading(endpoints, false, NOW).read) expect(queueReading(endpoints, true, NOW).read).toBe(true);
      }),
      RUNS,
    );
  });
});
