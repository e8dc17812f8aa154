import type { OperationRecord } from './record.ts';

/** What a message takes from one that sends it to one that has claimed it, where nothing is in its way. */
const GRACE_MS = 60_000;

/** What goes on failing must not be tried every minute: the time between two looks doubles, up to this. */
const LONGEST_GRACE_MS = 3_600_000;

/**
 * The same for what waits in a queue, 17 hours. Once a message of it was sent, only what SQS forgets is lost; and each that
 * is sent while another one waits is one more to be taken when the service is back.
 */
const LONGEST_QUEUED_GRACE_MS = 2 ** 10 * GRACE_MS;

/** An environment that ends at its lease's end may still write how the attempt ended. */
const LEASE_GRACE_MS = 5_000;

/** When the reconciler has to look at a record; `undefined` where nothing is left to do for it. */
export function dueAt(record: OperationRecord, now: number): number | undefined {
  switch (record.state) {
    case 'queued':
      return earliest(Math.max(record.nextAttemptAt, now) + grace(record, LONGEST_QUEUED_GRACE_MS), record.expiresAt);
    case 'claimed':
      return (record.claim?.leaseUntil ?? now) + LEASE_GRACE_MS;
    case 'dead-lettered':
      return record.deadLetter === 'pending' ? earliest(now + grace(record), record.expiresAt) : record.expiresAt;
    case 'handed-over':
      return record.cancelForward === 'pending' ? now + grace(record) : undefined;
    case 'ended':
      if (record.completion?.state !== 'pending') return undefined;
      return Math.max(record.completion.nextAttemptAt, now) + grace(record);
  }
}

function grace({ wakeUps }: OperationRecord, longestMs = LONGEST_GRACE_MS): number {
  return Math.min(GRACE_MS * 2 ** wakeUps, longestMs);
}

function earliest(one: number, other: number | undefined): number {
  return other === undefined ? one : Math.min(one, other);
}
