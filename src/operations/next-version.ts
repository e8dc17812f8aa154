import { dueAt } from './due.ts';
import type { Effect, OperationRecord, Outcome, Transition } from './record.ts';
import { LONGEST_DELAY_MS } from './retry-policy.ts';

/* What transitions are made of: a record's next version, and what follows from it. */

/** What every decision is made with besides the record. */
export interface Moment {
  readonly now: number;
  /** From 0 to 1. */
  readonly random: number;
}

type Changes = { readonly [K in keyof OperationRecord]?: OperationRecord[K] | undefined };

/** The one way to a new version of a record: `undefined` takes a member away. */
export function change(record: OperationRecord, changes: Changes, effects: readonly Effect[], now: number): Transition {
  const members = Object.entries({ ...record, ...changes, version: record.version + 1, dueAt: undefined });
  const next = Object.fromEntries(members.filter(([, value]) => value !== undefined)) as unknown as OperationRecord;
  const due = dueAt(next, now);
  return { record: due === undefined ? next : { ...next, dueAt: due }, effects };
}

/** What ends an operation that does not run: it was canceled, or its time is over. */
export function overtaken(record: OperationRecord, now: number): Transition | undefined {
  if (record.cancelRequestedAt !== undefined) return end(record, canceledOutcome(now), now);
  if (record.expiresAt === undefined || record.expiresAt > now) return undefined;
  const last = record.lastFailure === undefined ? '' : `; the last attempt failed: ${record.lastFailure.message}`;
  const failure = { message: `the operation was not done when its time was over${last}`, timeoutFailureInfo: {} };
  return end(record, { state: 'failed', failure, links: [], at: now }, now);
}

/** Where somebody waits for it, a completion follows. */
export function end(record: OperationRecord, outcome: Outcome, now: number): Transition {
  const completion = record.callback && ({ state: 'pending', attempts: 0, nextAttemptAt: now } as const);
  const gone = { claim: undefined, deadLetter: undefined };
  const changes = { state: 'ended', outcome, ...gone, completion, wakeUps: 0 } as const;
  return change(record, changes, completion ? [completeAt(now, now)] : [], now);
}

/** Of one that was canceled before it ran, or instead of its next attempt. */
export function canceledOutcome(at: number): Outcome {
  return {
    state: 'canceled',
    failure: { message: 'the operation was canceled', canceledFailureInfo: {} },
    links: [],
    at,
  };
}

export function wake(
  { attempt, nextAttemptAt }: Pick<OperationRecord, 'attempt' | 'nextAttemptAt'>,
  now: number,
): Effect {
  return { kind: 'wake', attempt, delayMs: hop(nextAttemptAt - now) };
}

export function deadLetter({ crashes, lastFailure }: Pick<OperationRecord, 'crashes' | 'lastFailure'>): Effect {
  const reason = `${crashes} attempts crashed; the log of invocation ${lastFailure?.crash?.invocation} says why`;
  return { kind: 'dead-letter', reason };
}

export function completeAt(at: number, now: number): Effect {
  return { kind: 'complete', delayMs: hop(at - now) };
}

/** What a message can wait at once; who receives it early sends it on. */
export function hop(ms: number): number {
  return Math.max(0, Math.min(ms, LONGEST_DELAY_MS));
}
