import type { ProtoFailure } from '../nexus/proto-failure.ts';
import { dueAt } from './due.ts';
import type { AttemptFailure, Claim, Effect, OperationRecord, Outcome, StoredLink, Transition } from './record.ts';
import { DEFAULT_RETRY_POLICY, LONGEST_DELAY_MS, retryDelayMs } from './retry-policy.ts';

/** What every decision is made with besides the record. */
export interface Moment {
  readonly now: number;
  /** From 0 to 1. */
  readonly random: number;
}

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

type Changes = { readonly [K in keyof OperationRecord]?: OperationRecord[K] | undefined };

/** The one way to a new version of a record: `undefined` takes a member away. */
export function change(record: OperationRecord, changes: Changes, effects: readonly Effect[], now: number): Transition {
  const members = Object.entries({ ...record, ...changes, version: record.version + 1, dueAt: undefined });
  const next = Object.fromEntries(members.filter(([, value]) => value !== undefined)) as unknown as OperationRecord;
  const due = dueAt(next, now);
  return { record: due === undefined ? next : { ...next, dueAt: due }, effects };
}

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

/** What ends an operation that does not run: it was canceled, or its time is over. */
function overtaken(record: OperationRecord, now: number): Transition | undefined {
  if (record.cancelRequestedAt !== undefined) return end(record, canceledOutcome(now), now);
  if (record.expiresAt === undefined || record.expiresAt > now) return undefined;
  const last = record.lastFailure === undefined ? '' : `; the last attempt failed: ${record.lastFailure.message}`;
  const failure = { message: `the operation was not done when its time was over${last}`, timeoutFailureInfo: {} };
  return end(record, { state: 'failed', failure, links: [], at: now }, now);
}

/** A cancel is a wish: it is recorded, and what runs or was handed over is told. */
export function cancelRequested(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  if (record.cancelRequestedAt !== undefined) return undefined;
  const asked = { ...record, cancelRequestedAt: now };
  switch (record.state) {
    case 'ended':
      return undefined;
    case 'queued':
    case 'dead-lettered':
      return end(asked, canceledOutcome(now), now);
    case 'claimed':
      return change(asked, {}, [], now);
    case 'handed-over': {
      const { innerToken = '' } = record;
      return change(asked, { cancelForward: 'pending' }, [{ kind: 'forward-cancel', innerToken }], now);
    }
  }
}

/** The handler took the cancel, or there is nobody to take it. */
export function cancelForwarded(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  if (record.cancelForward !== 'pending') return undefined;
  return change(record, { cancelForward: 'done' }, [], now);
}

/** How a completion fared at the caller's callback. */
export type CompletionResult =
  | { readonly kind: 'delivered' }
  /** The caller does not want it, now or ever. */
  | { readonly kind: 'refused'; readonly message: string }
  /** Something has to be mended before it can be delivered. */
  | { readonly kind: 'dead-lettered'; readonly message: string }
  | {
      readonly kind: 'retry';
      readonly message: string;
      /** What the caller's side asks to be left alone for (`Retry-After`), in milliseconds. */
      readonly retryAfterMs?: number;
    };

export function completionAttempted(
  record: OperationRecord,
  { result, now, random }: Moment & { readonly result: CompletionResult },
): Transition | undefined {
  const { completion } = record;
  if (completion?.state !== 'pending') return undefined;
  const attempts = completion.attempts + 1;
  switch (result.kind) {
    case 'delivered':
      return change(record, { completion: { ...completion, state: 'delivered', attempts } }, [], now);
    case 'refused':
    case 'dead-lettered': {
      const { kind: state, message: lastFailure } = result;
      return change(record, { completion: { ...completion, state, attempts, lastFailure } }, [], now);
    }
    case 'retry': {
      // The endpoint's policy is for its handler; this is the caller's side.
      const delayMs = retryDelayMs(attempts, DEFAULT_RETRY_POLICY, random, result.retryAfterMs);
      const nextAttemptAt = now + delayMs;
      const { message: lastFailure } = result;
      const next = { ...completion, attempts, nextAttemptAt, lastFailure };
      return change(record, { completion: next, wakeUps: 0 }, [completeAt(nextAttemptAt, now)], now);
    }
  }
}

/** What the reconciler does for a record whose time has come; `undefined` where it has nothing to do. */
export function reconciled(record: OperationRecord, moment: Moment): Transition | undefined {
  const { now } = moment;
  if (record.dueAt === undefined || record.dueAt > now) return undefined;
  const wakeUps = record.wakeUps + 1;
  switch (record.state) {
    case 'claimed':
      return leaseExpired(record, moment);
    case 'queued':
      return overtaken(record, now) ?? change(record, { wakeUps }, [wake(record, now)], now);
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

/** A person takes up what was dead-lettered, or does not want to wait for the next attempt. */
export function retriedByHand(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  if (record.state !== 'queued' && record.state !== 'dead-lettered') return undefined;
  const attempt = record.state === 'queued' ? record.attempt : record.attempt + 1;
  const next = { ...record, state: 'queued', attempt, nextAttemptAt: now, crashes: 0, wakeUps: 0 } as const;
  return change(next, { deadLetter: undefined }, [wake(next, now)], now);
}

/** A person sends a completion again that the caller's side did not take. */
export function completionRedriven(record: OperationRecord, { now }: Pick<Moment, 'now'>): Transition | undefined {
  const { completion } = record;
  if (completion === undefined || completion.state === 'delivered') return undefined;
  const next = { ...completion, state: 'pending', nextAttemptAt: now } as const;
  return change(record, { completion: next, wakeUps: 0 }, [completeAt(now, now)], now);
}

function end(record: OperationRecord, outcome: Outcome, now: number): Transition {
  const completion = record.callback && ({ state: 'pending', attempts: 0, nextAttemptAt: now } as const);
  const gone = { claim: undefined, deadLetter: undefined };
  const changes = { state: 'ended', outcome, ...gone, completion, wakeUps: 0 } as const;
  return change(record, changes, completion ? [completeAt(now, now)] : [], now);
}

function canceledOutcome(at: number): Outcome {
  return {
    state: 'canceled',
    failure: { message: 'the operation was canceled', canceledFailureInfo: {} },
    links: [],
    at,
  };
}

function wake({ attempt, nextAttemptAt }: Pick<OperationRecord, 'attempt' | 'nextAttemptAt'>, now: number): Effect {
  return { kind: 'wake', attempt, delayMs: hop(nextAttemptAt - now) };
}

function deadLetter({ crashes, lastFailure }: Pick<OperationRecord, 'crashes' | 'lastFailure'>): Effect {
  const reason = `${crashes} attempts crashed; the log of invocation ${lastFailure?.crash?.invocation} says why`;
  return { kind: 'dead-letter', reason };
}

function completeAt(at: number, now: number): Effect {
  return { kind: 'complete', delayMs: hop(at - now) };
}

/** What a message can wait at once; who receives it early sends it on. */
export function hop(ms: number): number {
  return Math.max(0, Math.min(ms, LONGEST_DELAY_MS));
}
