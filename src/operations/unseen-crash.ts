import type { OperationRecord } from './record.ts';

/** An attempt that ended with its environment, which nobody saw. */
export interface UnseenCrash {
  /** When the attempt began, milliseconds since the epoch. */
  readonly since: number;
  readonly message: string;
}

/**
 * That of the attempt before the one that begins now; `undefined` where that ended otherwise, somebody saw it, or a person
 * has taken the operation up since.
 */
export function unseenCrash({ attempt, crashes, lastFailure }: OperationRecord): UnseenCrash | undefined {
  const { crash, message = '', attempt: failed } = lastFailure ?? {};
  const isOfTheOneBefore = failed === attempt - 1 && crashes > 0;
  return isOfTheOneBefore && crash?.since !== undefined ? { since: crash.since, message } : undefined;
}
