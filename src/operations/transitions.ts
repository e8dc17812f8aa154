import type { ProtoFailure } from '../nexus/proto-failure.ts';
import { retriedByHand } from './asked-transitions.ts';
import { canceledOutcome, change, completeAt, deadLetter, end, type Moment, overtaken, wake } from './next-version.ts';
import type { AttemptFailure, Claim, Effect, OperationRecord, Outcome, StoredLink, Transition } from './record.ts';
import { retryDelayMs } from './retry-policy.ts';

/** What a handler's answer means for its operation. */
export type AttemptResult =
  | { readonly kind: 'ended'; readonly outcome: Outcome }
  | { readonly kind: 'handed-over'; readonly token: string; readonly links: readonly StoredLink[] }
  | { readonly kind: 'failed'; readonly message: string; readonly retryable: boolean; readonly failure: ProtoFailure }
  /** The environment ended while it ran, and somebody saw it. */
  | { readonly kind: 'crashed' };

/** What becomes of a message that arrived. */
export type Received =
  | { readonly kind: 'run'; readonly transition: Transition }
  | { readonly kind: 'write'; readonly transition: Transition }
  /** Too early: sent on with what is left of its delay. */
  | { readonly kind: 'send-on'; readonly effects: readonly Effect[] }
  | { readonly kind: 'drop'; readonly why: string };

/** A record as it is first written, with the attempt that its delivery begins with: the first one, at once. */
export function accepted(
  record: Omit<OperationRecord, 'version' | 'state' | 'attempt' | 'nextAttemptAt' | 'crashes' | 'wakeUps' | 'dueAt'>,
  first: Pick<OperationRecord, 'attempt' | 'nextAttemptAt' | 'lastFailure'> = {
    attempt: 1,
    nextAttemptAt: record.acceptedAt,
  },
): Transition {
  const fresh = { ...record, ...first, version: 0, state: 'queued', crashes: 0, wakeUps: 0 } as const;
  return change(fresh, {}, [wake(fresh, record.acceptedAt)], record.acceptedAt);
}

/** What a wake-up of this attempt does. `claim` is who asks to run it. */
export function received(
  record: OperationRecord,
  {
    attempt,
    reason,
    claim,
    now,
    random,
  }: Moment & {
    readonly attempt: number;
    /** Of a message that was moved back from where dead-lettered ones are. */
    readonly reason?: string | undefined;
    readonly claim: Omit<Claim, 'attempt'>;
  },
): Received {
  if (record.state === 'claimed' && record.claim?.attempt === attempt && record.claim.leaseUntil <= now) {
    return { kind: 'write', transition: leaseExpired(record, { now, random }) };
  }
  if (record.state === 'dead-lettered' && record.attempt === attempt && reason !== undefined) {
    const redriven = retriedByHand(record, { now });
    if (redriven !== undefined) return { kind: 'write', transition: redriven };
  }
  if (record.state !== 'queued') return { kind: 'drop', why: `the operation is ${record.state}` };
  if (record.attempt !== attempt) return { kind: 'drop', why: `attempt ${record.attempt} is the next` };
  const over = overtaken(record, now);
  if (over !== undefined) return { kind: 'write', transition: over };
  if (record.nextAttemptAt > now) return { kind: 'send-on', effects: [wake(record, now)] };
  const changes = { state: 'claimed', claim: { attempt, ...claim }, wakeUps: 0 } as const;
  return { kind: 'run', transition: change(record, changes, [], now) };
}

/** What the end of an attempt does; `undefined` where it is not this attempt's to say any more. */
export function attemptEnded(
  record: OperationRecord,
  { attempt, result, ...moment }: Moment & { readonly attempt: number; readonly result: AttemptResult },
): Transition | undefined {
  if (record.state !== 'claimed' || record.claim?.attempt !== attempt) return undefined;
  const { now } = moment;
  switch (result.kind) {
    case 'ended':
      return end(record, result.outcome, now);
    case 'handed-over': {
      const { token: innerToken } = result;
      const canceled = record.cancelRequestedAt !== undefined;
      const changes = {
        state: 'handed-over',
        claim: undefined,
        innerToken,
        cancelForward: canceled ? 'pending' : undefined,
        wakeUps: 0,
      } as const;
      return change(record, changes, canceled ? [{ kind: 'forward-cancel', innerToken }] : [], now);
    }
    case 'crashed':
      return leaseExpired(record, moment);
    case 'failed': {
      const { message, retryable, failure } = result;
      if (record.cancelRequestedAt !== undefined) return end(record, canceledOutcome(now), now);
      if (!retryable) return end(record, { state: 'failed', failure, links: [], at: now }, now);
      return again(record, { message, failure }, moment);
    }
  }
}

/** An attempt that never said how it ended: its environment is gone. */
export function leaseExpired(record: OperationRecord, moment: Moment): Transition {
  const { now } = moment;
  const { claim, policy } = record;
  if (record.cancelRequestedAt !== undefined) return end(record, canceledOutcome(now), now);
  const crashes = record.crashes + 1;
  const crash = {
    invocation: claim?.invocation ?? '',
    ...(claim?.logStream !== undefined && { logStream: claim.logStream }),
    ...(claim?.since !== undefined && { since: claim.since }),
  };
  const message = `attempt ${record.attempt} never ended: its environment crashed, ran out of memory or was timed out`;
  if (crashes < policy.poisonAttempts) {
    return again({ ...record, crashes }, { message, failure: { message }, crash }, moment);
  }
  const lastFailure = { at: now, attempt: record.attempt, message, crash };
  const next = { ...record, state: 'dead-lettered', crashes, lastFailure, deadLetter: 'pending', wakeUps: 0 } as const;
  return change(next, { claim: undefined }, [deadLetter(next)], now);
}

/** It is where people look for it. */
export function deadLetterSent(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  if (record.deadLetter !== 'pending') return undefined;
  return change(record, { deadLetter: 'done' }, [], now);
}

/**
 * The process that ran it was ended from outside, which says nothing about the handler: the same attempt is made again at
 * once. Nobody is left who could say how it ended.
 */
export function interrupted(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  if (record.state !== 'claimed') return undefined;
  if (record.cancelRequestedAt !== undefined) return end(record, canceledOutcome(now), now);
  const next = { ...record, state: 'queued', nextAttemptAt: now, wakeUps: 0 } as const;
  return change(next, { claim: undefined }, [wake(next, now)], now);
}

interface Failed {
  readonly message: string;
  readonly failure: ProtoFailure;
  readonly crash?: AttemptFailure['crash'];
}

/** The next attempt, or the end where there is none. */
function again(record: OperationRecord, { message, failure, crash }: Failed, { now, random }: Moment): Transition {
  const { policy } = record;
  const lastFailure = { at: now, attempt: record.attempt, message, ...(crash && { crash }) };
  const failed = { ...record, lastFailure };
  if (policy.attempts !== undefined && record.attempt >= policy.attempts) {
    return end(failed, { state: 'failed', failure, links: [], at: now }, now);
  }
  const nextAttemptAt = now + retryDelayMs(record.attempt, policy, random);
  const next = { ...failed, state: 'queued', attempt: record.attempt + 1, nextAttemptAt, wakeUps: 0 } as const;
  return change(next, { claim: undefined }, [wake(next, now)], now);
}

/**
 * So many times a queue that holds messages is taken to hold the operation's. The next look, a quarter of an hour after its
 * time came, sends one whatever the queue holds: a service that is never idle must not hide for good that one was lost.
 */
const PATIENT_LOOKS = 3;

/** Whether it matters, for what the reconciler does, what the queue of a record holds. */
export function isPatient({ state, wakeUps, dueAt = Number.POSITIVE_INFINITY }: OperationRecord, now: number): boolean {
  return state === 'queued' && dueAt <= now && wakeUps < PATIENT_LOOKS;
}

/**
 * What the reconciler does for a record whose time has come; `undefined` where it has nothing to do.
 *
 * @param mayBeHeld whether the message of one that {@link isPatient} may be in its queue: nobody took it yet
 */
export function reconciled(
  record: OperationRecord,
  { mayBeHeld = false, ...moment }: Moment & { readonly mayBeHeld?: boolean },
): Transition | undefined {
  const { now } = moment;
  if (record.dueAt === undefined || record.dueAt > now) return undefined;
  const wakeUps = record.wakeUps + 1;
  switch (record.state) {
    case 'claimed':
      return leaseExpired(record, moment);
    case 'queued':
      return (
        overtaken(record, now) ??
        change(record, { wakeUps }, mayBeHeld && isPatient(record, now) ? [] : [wake(record, now)], now)
      );
    case 'dead-lettered':
      return overtaken(record, now) ?? deadLetteredAgain(record, now);
    case 'handed-over': {
      const { innerToken = '' } = record;
      return change(record, { wakeUps }, [{ kind: 'forward-cancel', innerToken }], now);
    }
    case 'ended':
      return change(record, { wakeUps }, [completeAt(record.completion?.nextAttemptAt ?? now, now)], now);
  }
}

/** The next attempt is not let through before `until`: it waits, and counts as none. */
export function deferred(
  record: OperationRecord,
  { attempt, until, now }: Pick<Moment, 'now'> & { readonly attempt: number; readonly until: number },
): Transition | undefined {
  if (record.state !== 'queued' || record.attempt !== attempt || record.nextAttemptAt > until) return undefined;
  const next = { ...record, nextAttemptAt: until, wakeUps: 0 };
  return overtaken(record, now) ?? change(next, {}, [wake(next, now)], now);
}

/** Where the first message was lost, or nobody knows that it was sent. */
function deadLetteredAgain(record: OperationRecord, now: number): Transition | undefined {
  if (record.deadLetter !== 'pending') return undefined;
  return change(record, { wakeUps: record.wakeUps + 1 }, [deadLetter(record)], now);
}
