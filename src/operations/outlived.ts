import { type ChangeDeps, createChange } from './change.ts';
import { RecordTooLargeError } from './errors.ts';
import type { OperationStore } from './ports.ts';
import { answered, claimTaken, FIRST_ATTEMPT, type Told, toldOf } from './promotion.ts';
import type { Claim, OperationRecord } from './record.ts';
import { settleAttempt } from './settle-attempt.ts';
import type { AttemptResult } from './transitions.ts';

export interface OutlivedDeps extends ChangeDeps {
  readonly store: Pick<OperationStore, 'create' | 'get' | 'update'>;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** What came of writing how a run ended. */
export interface Settled {
  /** What the caller is to be told; absent where the handler's own answer is it. */
  readonly told?: Told;
  /** The record as the end of the first attempt left it, where its caller had been given the token. */
  readonly record?: OperationRecord;
}

/** What is done for direct starts whose handlers end later than their cut-off, where the handler is. */
export interface Outlived {
  /**
   * Writes what came of it: as the outcome of a direct start where nobody was given a token yet, as the end of the first
   * attempt where somebody was. Rejects where the store does: then nobody knows.
   *
   * @param accepted the record that the router writes, with its token, where it gives one
   * @param seen the promoted one, where a look has found it: saves a write that would only find it again
   */
  settle(accepted: OperationRecord, result: AttemptResult, seen?: OperationRecord): Promise<Settled>;
  /**
   * The record of one that was promoted; a cancel that its caller asked for is in it. A claim that the router wrote gets to
   * know where the operation runs, and until when.
   */
  look(accepted: OperationRecord, claim: Omit<Claim, 'attempt'>): Promise<OperationRecord | undefined>;
}

export function createOutlived(deps: OutlivedDeps): Outlived {
  const { store, clock, random } = deps;
  const { change } = createChange(deps);
  const settle = settleAttempt(change, () => ({ now: clock.now(), random: random() }));

  /** The record that is in the way of this one; `undefined` where it was written, or where there is nothing to write. */
  async function recordBefore(
    kept: OperationRecord | undefined,
    accepted: OperationRecord,
  ): Promise<OperationRecord | undefined> {
    if (kept === undefined) return store.get(accepted.token);
    try {
      return await store.create(kept, clock.now());
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error;
      return store.get(accepted.token);
    }
  }

  return {
    async settle(accepted, result, seen) {
      const before = seen ?? (await recordBefore(answered(accepted, result, clock.now()), accepted));
      if (before === undefined) return {};
      if (before.token !== accepted.token) return { told: toldOf(before) };
      const record = await settle(before, FIRST_ATTEMPT, result);
      return { told: toldOf(before), ...(record && { record }) };
    },

    async look({ token }, claim) {
      const record = await store.get(token);
      if (record === undefined) return undefined;
      return (await change(token, (read) => claimTaken(read, claim, clock.now()), record)) ?? record;
    },
  };
}
