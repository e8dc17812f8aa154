import type { Change } from './change.ts';
import { RecordTooLargeError } from './errors.ts';
import type { Moment } from './next-version.ts';
import type { OperationRecord } from './record.ts';
import { type AttemptResult, attemptEnded } from './transitions.ts';

/** Writes how an attempt ended; `undefined` where it is not this attempt's to say any more. */
export type SettleAttempt = (
  record: OperationRecord,
  attempt: number,
  result: AttemptResult,
) => Promise<OperationRecord | undefined>;

/** Makes it. A result that the store has no room for would have none the next time either: the operation fails with that. */
export function settleAttempt(change: Change['change'], moment: () => Moment): SettleAttempt {
  return async (record, attempt, result) => {
    const { token } = record;
    const ended = (how: AttemptResult) => (read: OperationRecord) =>
      attemptEnded(read, { ...moment(), attempt, result: how });
    try {
      return await change(token, ended(result), record);
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error;
      const message = `the result cannot be kept: ${error.message}`;
      return change(token, ended({ kind: 'failed', retryable: false, message, failure: { message } }));
    }
  };
}
