import { expect, it } from 'vitest';
import { formatCircuit, formatCircuits } from '../../src/cli/circuit-text.ts';
import type { CircuitDescription } from '../../src/router/circuit-description.ts';

const shown = { now: Date.UTC(2026, 0, 1, 0, 0, 18), offsetAt: () => 0 };
const settings = { circuitFailures: 5, circuitOpenMs: 60_000 };
const at = '2026-01-01T00:00:00.000Z';
const REST: CircuitDescription = { endpoint: 'bank', status: 'closed', streak: 0, settings };
const OPEN: CircuitDescription = {
  ...{ endpoint: 'shop', status: 'open', streak: 5, since: at, nextProbeAt: '2026-01-01T00:01:00.000Z', settings },
  lastFailure: { at, message: 'the bank\nis down' },
};
const { nextProbeAt: _, ...WITHOUT_PROBE } = OPEN;
const TRIPPED: CircuitDescription = { ...WITHOUT_PROBE, tripped: { by: 'iam:ops', reason: 'it moves', at } };
const PROBING: CircuitDescription = { ...WITHOUT_PROBE, status: 'probing', probeUntil: '2026-01-01T00:00:35.000Z' };

it('lists states, streaks, next probes, who opened by hand, and how old the last failure is', () => {
  const due = { ...OPEN, nextProbeAt: at };
  expect(formatCircuits([REST, OPEN, due, PROBING, TRIPPED], shown).split('\n')).toEqual([
    'ENDPOINT  STATE    STREAK  SINCE    NEXT PROBE        TRIPPED BY  LAST FAILURE',
    'bank      closed   0',
    'shop      open     5       18s ago  in 42s                        18s ago: the bank is down',
    'shop      open     5       18s ago  the next request              18s ago: the bank is down',
    'shop      probing  5       18s ago                                18s ago: the bank is down',
    'shop      open     5       18s ago                    iam:ops     18s ago: the bank is down',
  ]);
});

it('shows all of one, and what to type next', () => {
  expect(formatCircuit(OPEN, shown).split('\n')).toEqual([
    'endpoint      shop',
    'state         open, after 5 failures in a row',
    'since         2026-01-01T00:00:00+00:00 (18s ago)',
    'last failure  2026-01-01T00:00:00+00:00 (18s ago): the bank is down',
    'next probe    2026-01-01T00:01:00+00:00 (in 42s)',
    'opens         after 5 failures in a row, for 1m',
    '',
    'to close it now:',
    '  npx nexus-lambda circuit reset shop',
  ]);
});

it('shows who opened one by hand, and why', () => {
  const lines = formatCircuit(TRIPPED, shown).split('\n');
  expect(lines).toContain('state         open by hand, until somebody resets it');
  expect(lines).toContain('tripped by    iam:ops, 2026-01-01T00:00:00+00:00 (18s ago): it moves');
});

it('shows until when a probe has time', () => {
  const lines = formatCircuit(PROBING, shown).split('\n');
  expect(lines).toContain('state          probing: one request is let through');
  expect(lines).toContain('another probe  2026-01-01T00:00:35+00:00 (in 17s), if this one has not ended');
});

it('says of one that is closed how many failures in a row there are, and nothing to type', () => {
  expect(formatCircuit(REST, shown).split('\n')).toEqual([
    'endpoint  bank',
    'state     closed',
    'opens     after 5 failures in a row, for 1m',
  ]);
  const one = formatCircuit({ ...REST, streak: 1, settings: { circuitFailures: 2, circuitOpenMs: 1_500 } }, shown);
  expect(one).toContain('closed, with 1 failure in a row');
  expect(one).toContain('after 2 failures in a row, for 1500 ms');
});
