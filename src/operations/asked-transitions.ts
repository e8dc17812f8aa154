import { canceledOutcome, change, completeAt, end, type Moment, wake } from './next-version.ts';
import type { OperationRecord, Transition } from './record.ts';

/* What becomes of an operation that its caller, or a person who looks after it, asks something of. */

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
