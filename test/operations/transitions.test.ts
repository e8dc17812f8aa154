import { describe, expect, it } from 'vitest';
import {
  cancelForwarded,
  cancelRequested,
  completionRedriven,
  retriedByHand,
} from '../../src/operations/asked-transitions.ts';
import { completionAttempted } from '../../src/operations/completion-transitions.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { DEFAULT_RETRY_POLICY } from '../../src/operations/retry-policy.ts';
import {
  type AttemptResult,
  attemptEnded,
  deadLetterSent,
  interrupted,
  leaseExpired,
  received,
  reconciled,
} from '../../src/operations/transitions.ts';
import { CLAIM, claimedRecord, NOW, newRecord } from '../contract/operation-records.ts';
import { SUCCESS } from './delivery-arbitraries.ts';

const CALLBACK = { callback: { url: 'http://127.0.0.1/callback', headers: {} } };
const FAILED: AttemptResult = {
  kind: 'failed',
  retryable: true,
  message: 'no stock',
  failure: { message: 'no stock' },
};
const HANDED_OVER: AttemptResult = { kind: 'handed-over', token: 'inner', links: [] };
const MINUTE = 60_000;

/** What the end of the attempt that runs does, at a time. */
function ended(record: OperationRecord, result: AttemptResult, now = NOW) {
  return attemptEnded(record, { attempt: record.attempt, result, now, random: 0 });
}

/** The record after an attempt that ended like this. */
function attempted(record: OperationRecord, result: AttemptResult): OperationRecord {
  return ended(claimedRecord(record), result, record.nextAttemptAt)!.record;
}

function crashedTimes(times: number, members: Parameters<typeof newRecord>[0] = {}): OperationRecord {
  let record = newRecord(members);
  for (let crash = 0; crash < times; crash++) record = attempted(record, { kind: 'crashed' });
  return record;
}

/** What a wake-up of this attempt does, at a time. */
function woken(record: OperationRecord, attempt = record.attempt, now = NOW) {
  return received(record, { attempt, claim: CLAIM, now, random: 0 });
}

const handedOver = () => attempted(newRecord(CALLBACK), HANDED_OVER);
const waiting = () => attempted(newRecord(), FAILED);
const deadLettered = (members = {}) => deadLetterSent(crashedTimes(5, members), { now: NOW })!.record;
const finished = (members: Parameters<typeof newRecord>[0] = CALLBACK) => attempted(newRecord(members), SUCCESS(NOW));

describe('a wake-up', () => {
  it('claims the attempt that is due, and writes down who runs it', () => {
    const record = newRecord();
    expect(woken(record)).toEqual({
      kind: 'run',
      transition: {
        record: {
          ...record,
          version: 2,
          state: 'claimed',
          claim: { attempt: 1, ...CLAIM },
          dueAt: NOW + MINUTE + 5_000,
        },
        effects: [],
      },
    });
  });

  it.each([
    ['one before', 1],
    ['one after', 3],
  ])('of another attempt, the %s, claims nothing', (_, attempt) => {
    const record = waiting();
    expect(record.attempt).toBe(2);
    expect(woken(record, attempt, NOW + MINUTE)).toEqual({ kind: 'drop', why: 'attempt 2 is the next' });
  });

  it('that comes early is sent on with what is left of its delay, 900 s at most', () => {
    const record = { ...waiting(), nextAttemptAt: NOW + 1_000_000 };
    const sentOn = (delayMs: number) => ({ kind: 'send-on', effects: [{ kind: 'wake', attempt: 2, delayMs }] });
    expect(woken(record)).toEqual(sentOn(900_000));
    expect(woken(record, 2, NOW + 999_999)).toEqual(sentOn(1));
    expect(woken(record, 2, NOW + 1_000_000)).toMatchObject({ kind: 'run' });
  });

  it.each([
    ['runs', () => claimedRecord(newRecord()), 'claimed'],
    ['was handed over', handedOver, 'handed-over'],
    ['was dead-lettered', deadLettered, 'dead-lettered'],
    ['has ended', finished, 'ended'],
  ])('wakes nobody while the operation %s', (_, record, state) => {
    expect(woken(record())).toEqual({ kind: 'drop', why: `the operation is ${state}` });
  });

  it('that finds its attempt without an end, and its lease over, takes it for crashed', () => {
    const record = claimedRecord(newRecord());
    expect(woken(record, 1, CLAIM.leaseUntil - 1)).toMatchObject({ kind: 'drop' });
    expect(woken(record, 2, CLAIM.leaseUntil)).toMatchObject({ kind: 'drop' });
    expect(woken(record, 1, CLAIM.leaseUntil)).toMatchObject({
      kind: 'write',
      transition: {
        record: { state: 'queued', attempt: 2, crashes: 1 },
        effects: [{ kind: 'wake', attempt: 2, delayMs: 1_000 }],
      },
    });
  });

  it('ends an operation whose time is over instead, and says what went wrong last', () => {
    const record = attempted(newRecord({ expiresAt: NOW + MINUTE, ...CALLBACK }), FAILED);
    expect(woken(record, 2, NOW + MINUTE - 1)).toMatchObject({ kind: 'run' });
    expect(woken(record, 2, NOW + MINUTE)).toMatchObject({
      kind: 'write',
      transition: {
        record: {
          state: 'ended',
          outcome: {
            state: 'failed',
            at: NOW + MINUTE,
            failure: {
              message: 'the operation was not done when its time was over; the last attempt failed: no stock',
              timeoutFailureInfo: {},
            },
          },
        },
        effects: [{ kind: 'complete', delayMs: 0 }],
      },
    });
  });
});

describe('the end of an attempt', () => {
  it('is the end of the operation where the handler had a result, which is sent to the callback', () => {
    const { record, effects } = ended(claimedRecord(newRecord(CALLBACK)), SUCCESS(NOW))!;
    expect(record).toMatchObject({
      state: 'ended',
      outcome: { state: 'succeeded' },
      completion: { state: 'pending', attempts: 0, nextAttemptAt: NOW },
    });
    expect(record.claim).toBeUndefined();
    expect(effects).toEqual([{ kind: 'complete', delayMs: 0 }]);
  });

  it('sends nothing for a caller that polls', () => {
    const { record, effects } = ended(claimedRecord(newRecord()), SUCCESS(NOW))!;
    expect(record.completion).toBeUndefined();
    expect(record.dueAt).toBeUndefined();
    expect(effects).toEqual([]);
  });

  it('is followed by another attempt where it may be tried again', () => {
    const { record, effects } = ended(claimedRecord(newRecord(CALLBACK)), FAILED)!;
    expect(record).toMatchObject({
      state: 'queued',
      attempt: 2,
      nextAttemptAt: NOW + 1_000,
      crashes: 0,
      lastFailure: { at: NOW, attempt: 1, message: 'no stock' },
    });
    expect(record.claim).toBeUndefined();
    expect(record.lastFailure?.crash).toBeUndefined();
    expect(effects).toEqual([{ kind: 'wake', attempt: 2, delayMs: 1_000 }]);
  });

  it('ends the operation where the handler wants no other attempt', () => {
    const { record, effects } = ended(claimedRecord(newRecord(CALLBACK)), { ...FAILED, retryable: false })!;
    expect(record.outcome).toEqual({ state: 'failed', failure: { message: 'no stock' }, links: [], at: NOW });
    expect(effects).toEqual([{ kind: 'complete', delayMs: 0 }]);
  });

  it('ends the operation with the failure of the last of its attempts', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, attempts: 2 };
    const second = attempted(newRecord({ policy }), FAILED);
    expect(second).toMatchObject({ state: 'queued', attempt: 2 });
    expect(attempted(second, FAILED)).toMatchObject({
      state: 'ended',
      attempt: 2,
      outcome: { state: 'failed', failure: { message: 'no stock' } },
      lastFailure: { attempt: 2 },
    });
    expect(attempted(second, { kind: 'crashed' })).toMatchObject({ state: 'ended', outcome: { state: 'failed' } });
  });

  it.each([
    ['a result', SUCCESS(NOW)],
    ['a token of its own', HANDED_OVER],
    ['a failure', FAILED],
    ['a crash', { kind: 'crashed' } as const],
  ])('decides nothing with %s that comes once the claim was lost', (_, result) => {
    const lost = leaseExpired(claimedRecord(newRecord()), { now: CLAIM.leaseUntil, random: 0 }).record;
    const end = { attempt: 1, result, now: CLAIM.leaseUntil, random: 0 };
    expect(attemptEnded(lost, end)).toBeUndefined();
    expect(attemptEnded(claimedRecord(lost), end)).toBeUndefined();
  });

  it('counts after its lease, too, as long as nobody took the attempt for crashed', () => {
    const late = ended(claimedRecord(newRecord()), SUCCESS(NOW), CLAIM.leaseUntil + 1);
    expect(late?.record.outcome?.state).toBe('succeeded');
  });

  it('ends a canceled operation as canceled unless the handler had a result all the same', () => {
    const canceled = cancelRequested(claimedRecord(newRecord()), { now: NOW })!.record;
    expect(canceled).toMatchObject({ state: 'claimed', cancelRequestedAt: NOW });
    for (const result of [FAILED, { ...FAILED, retryable: false }, { kind: 'crashed' } as const]) {
      expect(ended(canceled, result)?.record.outcome).toMatchObject({
        state: 'canceled',
        failure: { canceledFailureInfo: {} },
      });
    }
    expect(ended(canceled, SUCCESS(NOW))?.record.outcome?.state).toBe('succeeded');
  });

  it('hands the operation over where the handler has a token of its own, and sends nothing', () => {
    const { record, effects } = ended(claimedRecord(newRecord(CALLBACK)), HANDED_OVER)!;
    expect(record).toMatchObject({ state: 'handed-over', innerToken: 'inner' });
    expect(record.outcome).toBeUndefined();
    expect(record.dueAt).toBeUndefined();
    expect(effects).toEqual([]);
  });

  it('forwards a cancel that came before the hand-over', () => {
    const canceled = cancelRequested(claimedRecord(newRecord()), { now: NOW })!.record;
    const { record, effects } = ended(canceled, HANDED_OVER)!;
    expect(record).toMatchObject({ state: 'handed-over', cancelForward: 'pending', dueAt: NOW + MINUTE });
    expect(effects).toEqual([{ kind: 'forward-cancel', innerToken: 'inner' }]);
  });
});

describe('attempts that never end', () => {
  it('dead-letter the operation when there were as many as its policy says, and not before', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, poisonAttempts: 3 };
    expect(crashedTimes(2, { policy })).toMatchObject({ state: 'queued', attempt: 3, crashes: 2 });
    const { record, effects } = leaseExpired(claimedRecord(crashedTimes(2, { policy })), { now: NOW, random: 0 });
    expect(record).toMatchObject({
      state: 'dead-lettered',
      attempt: 3,
      crashes: 3,
      lastFailure: { at: NOW, attempt: 3, crash: { invocation: CLAIM.invocation, logStream: CLAIM.logStream } },
    });
    expect(record.claim).toBeUndefined();
    expect(record.outcome).toBeUndefined();
    expect(effects).toEqual([
      { kind: 'dead-letter', reason: `3 attempts crashed; the log of invocation ${CLAIM.invocation} says why` },
    ]);
  });

  it('are counted over those that failed in between', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, poisonAttempts: 2 };
    const between = attempted(crashedTimes(1, { policy }), FAILED);
    expect(between.crashes).toBe(1);
    expect(attempted(between, { kind: 'crashed' }).state).toBe('dead-lettered');
  });

  it('are counted anew once a person has taken the operation up again', () => {
    const { record, effects } = retriedByHand(deadLettered(), { now: NOW + 1 })!;
    expect(record).toMatchObject({ state: 'queued', attempt: 6, crashes: 0, nextAttemptAt: NOW + 1 });
    expect(effects).toEqual([{ kind: 'wake', attempt: 6, delayMs: 0 }]);
  });

  it('say nothing of the handler where its process was ended from outside: the same one is made again at once', () => {
    const policy = { ...DEFAULT_RETRY_POLICY, attempts: 2 };
    const { record, effects } = interrupted(claimedRecord(newRecord({ policy })), { now: NOW + 7 })!;
    expect(record).toMatchObject({ state: 'queued', attempt: 1, crashes: 0, nextAttemptAt: NOW + 7 });
    expect(record.claim).toBeUndefined();
    expect(effects).toEqual([{ kind: 'wake', attempt: 1, delayMs: 0 }]);
    // Neither its delays nor its last attempt come sooner for that.
    expect(attempted(record, FAILED)).toMatchObject({ state: 'queued', attempt: 2, nextAttemptAt: NOW + 1_007 });
    for (const other of [waiting(), handedOver(), finished(), deadLettered()]) {
      expect(interrupted(other, { now: NOW })).toBeUndefined();
    }
  });

  it('end an operation that was canceled meanwhile', () => {
    const canceled = cancelRequested(claimedRecord(newRecord(CALLBACK)), { now: NOW })!.record;
    expect(interrupted(canceled, { now: NOW })?.record.outcome?.state).toBe('canceled');
    expect(leaseExpired(canceled, { now: NOW, random: 0 }).record).toMatchObject({
      outcome: { state: 'canceled' },
      crashes: 0,
    });
  });
});

describe('a person', () => {
  it('makes the next attempt now, and the wake-up that waits for the same one claims it as well', () => {
    const { record, effects } = retriedByHand(waiting(), { now: NOW + 10 })!;
    expect(record).toMatchObject({ state: 'queued', attempt: 2, nextAttemptAt: NOW + 10 });
    expect(effects).toEqual([{ kind: 'wake', attempt: 2, delayMs: 0 }]);
    expect(woken(record, 2, NOW + 10)).toMatchObject({ kind: 'run' });
  });

  it('cannot retry what runs, was handed over, or has ended', () => {
    for (const record of [claimedRecord(newRecord()), handedOver(), finished()]) {
      expect(retriedByHand(record, { now: NOW })).toBeUndefined();
    }
  });

  it('sends a completion again that was not delivered, and no other', () => {
    const attempt = { now: NOW, random: 0 };
    const refused = completionAttempted(finished(), {
      ...attempt,
      result: { kind: 'refused', message: '404' },
    })!.record;
    const { record, effects } = completionRedriven(refused, { now: NOW + 5 })!;
    expect(record).toMatchObject({ completion: { state: 'pending', attempts: 1, nextAttemptAt: NOW + 5 } });
    expect(effects).toEqual([{ kind: 'complete', delayMs: 0 }]);
    const delivered = completionAttempted(record, { ...attempt, result: { kind: 'delivered' } })!.record;
    expect(completionRedriven(delivered, { now: NOW })).toBeUndefined();
    expect(completionRedriven(finished({}), { now: NOW })).toBeUndefined();
  });
});

describe('a cancel', () => {
  it.each([
    ['waits', waiting],
    ['was dead-lettered', deadLettered],
  ])('ends an operation that %s', (_, record) => {
    const { record: canceled } = cancelRequested(record(), { now: NOW + 1 })!;
    expect(canceled).toMatchObject({
      state: 'ended',
      cancelRequestedAt: NOW + 1,
      outcome: { state: 'canceled', failure: { message: 'the operation was canceled', canceledFailureInfo: {} } },
    });
  });

  it('tells the caller that the operation was canceled', () => {
    expect(cancelRequested(newRecord(CALLBACK), { now: NOW })?.effects).toEqual([{ kind: 'complete', delayMs: 0 }]);
  });

  it('is written down while an attempt runs, which goes on', () => {
    const { record, effects } = cancelRequested(claimedRecord(newRecord()), { now: NOW })!;
    expect(record).toMatchObject({ state: 'claimed', cancelRequestedAt: NOW, claim: { attempt: 1 } });
    expect(effects).toEqual([]);
  });

  it('is forwarded to what the operation was handed over to, until that was told', () => {
    const { record, effects } = cancelRequested(handedOver(), { now: NOW })!;
    expect(record).toMatchObject({ state: 'handed-over', cancelForward: 'pending', dueAt: NOW + MINUTE });
    expect(effects).toEqual([{ kind: 'forward-cancel', innerToken: 'inner' }]);
    expect(reconciled(record, { now: NOW + MINUTE, random: 0 })?.effects).toEqual(effects);
    const done = cancelForwarded(record, { now: NOW })!;
    expect(done.record).toMatchObject({ state: 'handed-over', cancelForward: 'done' });
    expect(done.record.dueAt).toBeUndefined();
    expect(done.effects).toEqual([]);
    expect(cancelForwarded(done.record, { now: NOW })).toBeUndefined();
    expect(cancelForwarded(handedOver(), { now: NOW })).toBeUndefined();
  });

  it('changes nothing the second time, and where the operation has ended', () => {
    expect(cancelRequested(finished(), { now: NOW })).toBeUndefined();
    const once = cancelRequested(claimedRecord(newRecord()), { now: NOW })!.record;
    expect(cancelRequested(once, { now: NOW + 1 })).toBeUndefined();
  });
});

describe('a completion', () => {
  const post = (record: OperationRecord, result: Parameters<typeof completionAttempted>[1]['result'], now = NOW) =>
    completionAttempted(record, { result, now, random: 0 });

  it('that was delivered is never sent again', () => {
    const { record, effects } = post(finished(), { kind: 'delivered' })!;
    expect(record.completion).toEqual({ state: 'delivered', attempts: 1, nextAttemptAt: NOW });
    expect(record.dueAt).toBeUndefined();
    expect(effects).toEqual([]);
    expect(post(record, { kind: 'refused', message: '404' })).toBeUndefined();
  });

  it.each(['refused', 'dead-lettered'] as const)('that was %s is not sent again by itself', (kind) => {
    const { record, effects } = post(finished(), { kind, message: 'why' })!;
    expect(record).toMatchObject({ completion: { state: kind, attempts: 1, lastFailure: 'why' } });
    expect(record.dueAt).toBeUndefined();
    expect(effects).toEqual([]);
  });

  it('is tried again after 1 s, twice as long each time, an hour at most, whatever the endpoint says of its handler', () => {
    const policy = { initialMs: 100, maxMs: 86_400_000, poisonAttempts: 5, attempts: 1 };
    let record = attempted(newRecord({ ...CALLBACK, policy }), SUCCESS(NOW));
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 14; attempt++) {
      const next = post(record, { kind: 'retry', message: '503' })!;
      record = next.record;
      delays.push((record.completion?.nextAttemptAt ?? 0) - NOW);
      expect(next.effects).toEqual([{ kind: 'complete', delayMs: Math.min(delays.at(-1)!, 900_000) }]);
      expect(record.completion).toMatchObject({ state: 'pending', attempts: attempt, lastFailure: '503' });
    }
    expect(delays.slice(0, 3)).toEqual([1_000, 2_000, 4_000]);
    expect(delays.slice(11)).toEqual([2_048_000, 3_600_000, 3_600_000]);
  });

  it.each([
    [500, 1_000],
    [120_000, 120_000],
    [86_400_000, 3_600_000],
  ])('is tried again %i ms after a failure that asked for that, where it is no more than an hour', (asked, delayMs) => {
    const { record, effects } = post(finished(), { kind: 'retry', message: '429', retryAfterMs: asked })!;
    expect(record.completion?.nextAttemptAt).toBe(NOW + delayMs);
    expect(effects).toEqual([{ kind: 'complete', delayMs: Math.min(delayMs, 900_000) }]);
  });
});

describe('the reconciler', () => {
  const look = (record: OperationRecord, now: number) => reconciled(record, { now, random: 0 });

  it('leaves alone what has its time before it, and what is done', () => {
    const record = newRecord();
    expect(look(record, record.dueAt! - 1)).toBeUndefined();
    for (const done of [handedOver(), finished({}), deadLettered()]) {
      expect(done.dueAt).toBeUndefined();
      expect(look(done, NOW + 1e12)).toBeUndefined();
    }
  });

  it('wakes again what nobody claimed: after a minute, then twice as late each time, 17 hours at most', () => {
    let record = newRecord();
    const waits: number[] = [];
    for (let time = 0; time < 12; time++) {
      const { dueAt = 0 } = record;
      const next = look(record, dueAt)!;
      expect(next.effects).toEqual([{ kind: 'wake', attempt: 1, delayMs: 0 }]);
      expect(next.record.attempt).toBe(1);
      record = next.record;
      waits.push((record.dueAt ?? 0) - dueAt);
    }
    expect(record.wakeUps).toBe(12);
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024].map((minutes) => minutes * MINUTE));
    expect(claimedRecord(record).wakeUps).toBe(0);
  });

  it('takes an attempt for crashed some seconds after its lease: it may still write how it ended', () => {
    const record = claimedRecord(newRecord());
    expect(look(record, CLAIM.leaseUntil + 4_999)).toBeUndefined();
    expect(look(record, CLAIM.leaseUntil + 5_000)?.record).toMatchObject({ state: 'queued', attempt: 2, crashes: 1 });
  });

  it('ends at its time what still waits, and what was dead-lettered', () => {
    const expiring = { expiresAt: NOW + 30_000 };
    for (const record of [newRecord(expiring), deadLettered(expiring)]) {
      expect(record.dueAt).toBe(expiring.expiresAt);
      expect(look(record, expiring.expiresAt)?.record.outcome).toMatchObject({
        state: 'failed',
        failure: { timeoutFailureInfo: {} },
      });
    }
  });

  it('puts what was dead-lettered where people look for it, until it knows that it is there', () => {
    const lost = crashedTimes(5);
    const dueAt = lost.dueAt!;
    expect(lost).toMatchObject({ deadLetter: 'pending', dueAt: lost.lastFailure!.at + MINUTE });
    const { record, effects } = look(lost, dueAt)!;
    const reason = `5 attempts crashed; the log of invocation ${CLAIM.invocation} says why`;
    expect(effects).toEqual([{ kind: 'dead-letter', reason }]);
    expect(record).toMatchObject({
      state: 'dead-lettered',
      attempt: 5,
      deadLetter: 'pending',
      dueAt: dueAt + 2 * MINUTE,
    });
    const { record: there } = deadLetterSent(record, { now: dueAt })!;
    expect(there).toMatchObject({ state: 'dead-lettered', deadLetter: 'done' });
    expect(there.dueAt).toBeUndefined();
    expect(deadLetterSent(there, { now: NOW })).toBeUndefined();
    // Whoever goes on with it goes on without.
    expect(retriedByHand(record, { now: NOW })!.record).not.toHaveProperty('deadLetter');
    expect(cancelRequested(record, { now: NOW })!.record).not.toHaveProperty('deadLetter');
  });

  it('sends a completion again whose message was lost', () => {
    const { record, effects } = look(finished(), NOW + MINUTE)!;
    expect(effects).toEqual([{ kind: 'complete', delayMs: 0 }]);
    expect(record).toMatchObject({ wakeUps: 1, completion: { state: 'pending', attempts: 0 } });
  });
});
