import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { formatAttemptLine, formatCompletionLine } from '../../src/local/operation-line.ts';
import type { CompletionState, OperationRecord } from '../../src/operations/record.ts';
import { NOW, newRecord } from '../contract/operation-records.ts';

const FILE = new Writable();
const TERMINAL = Object.assign(new Writable(), { isTTY: true, getColorDepth: () => 8 });
const TIME = { ms: 12, now: NOW };
const SUCCEEDED = { state: 'succeeded', payload: {}, links: [], at: NOW } as const;
const FAILED = { at: NOW, attempt: 2, message: 'no stock' };

const attempt = (members: Partial<OperationRecord>) => formatAttemptLine({ ...newRecord(), ...members }, TIME, FILE);
const completion = (state: Partial<CompletionState>, outcome: OperationRecord['outcome'] = SUCCEEDED) =>
  formatCompletionLine(
    { ...newRecord(), outcome, completion: { state: 'delivered', attempts: 1, nextAttemptAt: NOW, ...state } },
    TIME,
    FILE,
  );

it('says what came of an attempt', () => {
  expect(attempt({ state: 'ended', attempt: 3, outcome: SUCCEEDED })).toBe(
    'shop  orders/place  attempt 3 succeeded  12 ms',
  );
  expect(attempt({ state: 'handed-over' })).toBe('shop  orders/place  attempt 1 handed over  12 ms');
});

it.each(['failed', 'canceled'] as const)('says that an operation has %s, and why', (state) => {
  const failure = { message: 'Handler error: BAD_REQUEST', cause: { message: 'no such item' } };
  const outcome = { state, failure, links: [], at: NOW };
  expect(attempt({ state: 'ended', outcome })).toBe(`shop  orders/place  attempt 1 ${state}  12 ms  no such item`);
});

it.each([
  [800, '0.8 s'],
  [4_000, '4.0 s'],
  [9_960, '10 s'],
  [64_400, '64 s'],
  [3_600_000, '60 min'],
  [-5, '0.0 s'],
])('says when an attempt that failed is made again: in %d ms', (ms, said) => {
  expect(attempt({ state: 'queued', attempt: 3, nextAttemptAt: NOW + ms, lastFailure: FAILED })).toBe(
    `shop  orders/place  attempt 2 failed, again in ${said}  12 ms  no stock`,
  );
});

it('says that an attempt crashed, and that it is not made again', () => {
  const lastFailure = { ...FAILED, crash: { invocation: 'i' } };
  expect(attempt({ state: 'queued', attempt: 3, nextAttemptAt: NOW + 4_000, lastFailure })).toBe(
    'shop  orders/place  attempt 2 crashed, again in 4.0 s  12 ms',
  );
  expect(attempt({ state: 'dead-lettered', attempt: 2, lastFailure })).toBe(
    'shop  orders/place  attempt 2 crashed, dead-lettered  12 ms',
  );
});

it('says what came of a completion', () => {
  expect(completion({})).toBe('shop  orders/place  completion (succeeded) delivered  12 ms');
  expect(completion({ state: 'pending', nextAttemptAt: NOW + 2_000, lastFailure: 'answered 503' })).toBe(
    'shop  orders/place  completion (succeeded) failed, again in 2.0 s  12 ms  answered 503',
  );
  const canceled = { state: 'canceled', failure: {}, links: [], at: NOW } as const;
  expect(completion({ state: 'refused', lastFailure: 'answered 404' }, canceled)).toBe(
    'shop  orders/place  completion (canceled) refused  12 ms  answered 404',
  );
  expect(completion({ state: 'dead-lettered', lastFailure: 'answered 400' })).toBe(
    'shop  orders/place  completion (succeeded) dead-lettered  12 ms  answered 400',
  );
});

it('colours what is well, and what is not, and keeps to one line', () => {
  const record = { ...newRecord(), start: { ...newRecord().start, operation: 'a\u001b[2J\nb' } };
  const lines = [
    formatAttemptLine({ ...record, state: 'ended', outcome: SUCCEEDED }, TIME, TERMINAL),
    formatAttemptLine({ ...record, lastFailure: FAILED }, TIME, TERMINAL),
  ];
  expect(lines[0]).toContain('orders/a [2J b  \u001b[32mattempt 1 succeeded\u001b[39m');
  expect(lines[1]).toContain('\u001b[31mattempt 2 failed, again in 0.0 s\u001b[39m');
});
