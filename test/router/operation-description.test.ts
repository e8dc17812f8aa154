import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/nexus/base64.ts';
import type { JsonPayload, ProtoFailure } from '../../src/nexus/proto-failure.ts';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import { promoted } from '../../src/operations/promotion.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { attemptEnded, leaseExpired, received } from '../../src/operations/transitions.ts';
import { describeOperation, resultOf, summarizeOperation } from '../../src/router/operation-description.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { endedRecord, NOW, newRecord } from '../contract/operation-records.ts';
import { SHOP } from './shop.ts';

const MOMENT = { now: NOW, random: 0 };
const AT = '2026-01-01T00:00:00.000Z';

const START = {
  service: 'orders',
  operation: 'place',
  headers: {
    'content-type': 'application/json',
    'nexus-callback-token': 'SECRET-HEADER',
    'x-api-key': 'SECRET-KEY',
    'nexus-link': '<temporal:///namespaces/n/workflows/w/r/history>; type="temporal.link"',
  },
  query: 'callback=https%3A%2F%2Fcaller.example%2Fnexus%2FSECRET-PATH%3Ftoken%3DSECRET-QUERY',
  body: base64('"SECRET-INPUT"'),
};
const CALLBACK = {
  url: 'https://caller.example/nexus/SECRET-PATH?token=SECRET-QUERY',
  headers: { token: 'SECRET-HEADER' },
};

function base64(text: string): string {
  return encodeBase64(new TextEncoder().encode(text));
}

const QUEUED = newRecord({ start: START, callback: CALLBACK, principal: 'basic:shop', expiresAt: NOW + 60_000 });
const CLAIMED = claimed(QUEUED);
const CRASHED = leaseExpired(CLAIMED, { ...MOMENT, now: NOW + 1_000 }).record;
const DEAD_LETTERED = leaseExpired({ ...CLAIMED, crashes: 100 }, MOMENT).record;
const HANDED_OVER = ended({ kind: 'handed-over', token: 'workflow', links: [] });
const CANCELING = cancelRequested(HANDED_OVER, MOMENT)!.record;
const PENDING = { ...endedRecord(QUEUED, { kind: 'retry', message: 'https://caller.example answered 503' }) };

function claimed(record: OperationRecord): OperationRecord {
  const claim = { leaseUntil: NOW + 900_000, since: NOW, invocation: 'invocation', logStream: 'stream' };
  const arrived = received(record, { ...MOMENT, attempt: 1, claim });
  if (arrived.kind !== 'run') throw new Error(arrived.kind);
  return arrived.transition.record;
}

function ended(result: Parameters<typeof attemptEnded>[1]['result']): OperationRecord {
  return attemptEnded(CLAIMED, { ...MOMENT, attempt: 1, result })!.record;
}

function succeeded(payload: JsonPayload): OperationRecord {
  return ended({ kind: 'ended', outcome: { state: 'succeeded', payload, links: [], at: NOW } });
}

function failed(failure: ProtoFailure): OperationRecord {
  return ended({ kind: 'ended', outcome: { state: 'failed', failure, links: [], at: NOW } });
}

describe('an operation that its endpoint keeps waiting', () => {
  const mark = { author: 'iam:ops', reason: 'the database moves', at: NOW - 60_000 };
  const paused: Endpoint = {
    ...SHOP,
    override: { settings: {}, paused: { ...mark, expiresAt: NOW + 60_000 }, version: 1 },
  };
  const open = { status: 'open', version: 3, streak: 5, openedAt: NOW - 1_000, nextProbeAt: NOW + 59_000 } as const;
  const blocked = (endpoint: Endpoint | undefined, { record = QUEUED, now = NOW } = {}) =>
    describeOperation(record, { endpoint, now }).blockedReason;

  it('is described with what keeps it', () => {
    expect(blocked(paused)).toBe('endpoint "shop" is paused until 2026-01-01T00:01:00.000Z: the database moves');
    expect(blocked({ ...SHOP, circuit: open })).toBe(
      'the circuit of endpoint "shop" is open since 2025-12-31T23:59:59.000Z, after 5 failures in a row; ' +
        'the next request is let through at 2026-01-01T00:00:59.000Z',
    );
  });

  it('is not once nothing does, nor one that does not wait for it', () => {
    expect(blocked(SHOP)).toBeUndefined();
    expect(blocked(undefined)).toBeUndefined();
    expect(blocked({ ...SHOP, circuit: { status: 'closed', version: 4, streak: 0 } })).toBeUndefined();
    expect(blocked(paused, { now: NOW + 60_000 })).toBeUndefined();
    for (const record of [CLAIMED, HANDED_OVER, DEAD_LETTERED]) expect(blocked(paused, { record })).toBeUndefined();
  });
});

it('describes an operation that waits: when it goes on, what went wrong, and where the log of that is', () => {
  expect(
    describeOperation(CRASHED, {
      endpoint: { ...SHOP, functionArn: 'arn:aws:lambda:eu-west-1:1:function:orders' },
      now: NOW,
    }),
  ).toEqual({
    token: CRASHED.token,
    endpoint: 'shop',
    service: 'orders',
    operation: 'place',
    state: 'queued',
    acceptedAt: AT,
    attempt: 2,
    nextAttemptAt: '2026-01-01T00:00:02.000Z',
    lastFailure: {
      at: '2026-01-01T00:00:01.000Z',
      attempt: 1,
      message: expect.stringContaining('attempt 1 never ended'),
      crash: { invocation: 'invocation', logStream: 'stream' },
    },
    principal: 'basic:shop',
    namespace: 'default',
    taskQueue: 'shop',
    requestId: 'request',
    functionArn: 'arn:aws:lambda:eu-west-1:1:function:orders',
    input: { bytes: 14, contentType: 'application/json' },
    links: [{ url: 'temporal:///namespaces/n/workflows/w/r/history', type: 'temporal.link' }],
    expiresAt: '2026-01-01T00:01:00.000Z',
    forgottenAt: '2026-03-03T00:00:00.000Z',
    policy: { initialMs: 1_000, maxMs: 3_600_000, poisonAttempts: 5 },
    crashes: 1,
    callback: { origin: 'https://caller.example' },
  });
});

it('describes the attempt that runs, the hand-over, and the completion that is under way', () => {
  const { state, claim } = describeOperation(CLAIMED, MOMENT);
  expect(state).toBe('claimed');
  expect(claim).toEqual({
    ...{ attempt: 1, leaseUntil: '2026-01-01T00:15:00.000Z', invocation: 'invocation', logStream: 'stream' },
  });
  expect(describeOperation(CANCELING, MOMENT)).toMatchObject({
    state: 'handed-over',
    innerToken: 'workflow',
    cancel: { requestedAt: AT, forward: 'pending' },
  });
  expect(describeOperation(PENDING, MOMENT)).toMatchObject({
    state: 'ended',
    outcome: { state: 'canceled', at: AT, message: 'the operation was canceled' },
    completion: {
      state: 'pending',
      attempts: 1,
      nextAttemptAt: '2026-01-01T00:00:01.000Z',
      lastFailure: 'https://caller.example answered 503',
    },
  });
});

it('leaves the time of the next attempt away where there is none', () => {
  expect(summarizeOperation(CLAIMED)).not.toHaveProperty('nextAttemptAt');
  expect(summarizeOperation(endedRecord(QUEUED)).completion).toEqual({ state: 'delivered', attempts: 1 });
});

it('shows neither the input nor what lets somebody complete the operation', () => {
  for (const record of [QUEUED, CLAIMED, CRASHED, DEAD_LETTERED, HANDED_OVER, CANCELING, PENDING]) {
    for (const shown of [describeOperation(record, MOMENT), summarizeOperation(record), resultOf(record)]) {
      expect(JSON.stringify(shown)).not.toContain('SECRET');
      expect(JSON.stringify(shown)).not.toContain(START.body);
    }
  }
});

it('cuts messages in a list, and none in a description', () => {
  const message = 'x'.repeat(10_000);
  const record = failed({ message });
  expect(summarizeOperation(record).outcome?.message).toBe(`${'x'.repeat(300)}…`);
  expect(describeOperation(record, MOMENT).outcome?.message).toBe(message);
});

it.each([
  ['of its own', { message: 'no tea', cause: { message: 'closed' } }, 'no tea'],
  ['of its cause, where it has none', { cause: { message: 'closed' } }, 'closed'],
  ['that is encrypted', { encodedAttributes: { data: '' } }, 'the message is encrypted'],
  ['of nobody', {}, 'no message'],
])('takes for a failure the message %s', (_whose, failure, message) => {
  expect(summarizeOperation(failed(failure)).outcome?.message).toBe(message);
});

describe('the result', () => {
  it.each([
    ['JSON', 'json/plain', '{"id":1}', { encoding: 'json/plain', value: { id: 1 } }],
    ['nothing', 'binary/null', '', { encoding: 'binary/null' }],
    ['bytes', 'binary/plain', 'a', { encoding: 'binary/plain', base64: 'YQ==' }],
    ['encrypted', 'binary/encrypted', 'a', { encoding: 'binary/encrypted', base64: 'YQ==' }],
    ['JSON that is none', 'json/plain', '{', { encoding: 'json/plain', base64: 'ew==' }],
  ])('of an operation is %s', (_what, encoding, text, result) => {
    const record = succeeded({ metadata: { encoding: base64(encoding) }, data: base64(text) });
    expect(resultOf(record)).toEqual({ token: record.token, state: 'succeeded', at: AT, result });
  });

  it('is the whole failure of one that failed', () => {
    const failure = { message: 'no tea', applicationFailureInfo: { type: 'Shop' } };
    expect(resultOf(failed(failure))).toMatchObject({ state: 'failed', failure });
  });

  it.each([
    ['queued', QUEUED, {}],
    ['claimed', CLAIMED, {}],
    ['dead-lettered', DEAD_LETTERED, {}],
    ['handed-over', HANDED_OVER, { innerToken: 'workflow' }],
  ])('is the state of one that is %s', (state, record, more) => {
    expect(resultOf(record)).toEqual({ token: record.token, state, ...more });
  });
});

it('says when an operation was promoted', () => {
  const { record } = promoted(QUEUED, { leaseUntil: NOW + 900_000, now: NOW });
  expect(describeOperation(record, MOMENT)).toMatchObject({ state: 'claimed', promotedAt: AT });
});
