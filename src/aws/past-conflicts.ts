import { setTimeout as wait } from 'node:timers/promises';
import { TransactionCanceledException, TransactionConflictException } from '@aws-sdk/client-dynamodb';

/** With the waits between them, these outlast any transaction, which takes milliseconds. */
const MAX_ATTEMPTS = 5;
const WAIT_MS = 20;

/**
 * Sends a write, again where a transaction of somebody else had one of its items just then: DynamoDB refuses it whole, and
 * its SDK does not repeat it.
 */
export async function pastConflicts<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isConflict(error)) throw error;
      await wait(WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
    }
  }
}

function isConflict(error: unknown): boolean {
  if (error instanceof TransactionConflictException) return true;
  if (!(error instanceof TransactionCanceledException)) return false;
  const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code).filter((code) => code !== 'None');
  return codes.length > 0 && codes.every((code) => code === 'TransactionConflict');
}
