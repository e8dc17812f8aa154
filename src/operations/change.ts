import type { Logger } from '../handler/logger.ts';
import { cancelForwarded } from './asked-transitions.ts';
import type { CompletionQueue, OperationStore, TaskQueue } from './ports.ts';
import type { Effect, OperationRecord, Transition } from './record.ts';
import { deadLetterSent } from './transitions.ts';

/** What a change of an operation is written to, and carried out with. */
export interface ChangeDeps {
  readonly store: Pick<OperationStore, 'get' | 'update'>;
  readonly taskQueue: Pick<TaskQueue, 'send' | 'deadLetter'>;
  readonly completionQueue: CompletionQueue;
  readonly clock: { now(): number };
  /** Cancels what an operation was handed over to. Rejects where it should be tried again. */
  readonly cancelInner: (record: OperationRecord, innerToken: string) => Promise<void>;
  readonly logger: Logger;
}

/** The way from a decision to what follows from it. */
export interface Change {
  /**
   * Reads, decides and writes until nobody was in between. Returns what was written, if anything was to be.
   *
   * @param known what is stored, as far as the caller knows: saves a read
   */
  change(
    token: string,
    decide: (record: OperationRecord) => Transition | undefined,
    known?: OperationRecord,
  ): Promise<OperationRecord | undefined>;
  /** Does what follows from what was written. What fails here is done again by the reconciler, so it fails nobody. */
  carryOut(transition: Transition): Promise<void>;
}

/** Others may write between a read and a write; each of them changes what is to be decided. */
const MOST_ATTEMPTS = 10;

export function createChange(deps: ChangeDeps): Change {
  const { store, taskQueue, completionQueue, clock, cancelInner, logger } = deps;

  async function change(
    token: string,
    decide: (record: OperationRecord) => Transition | undefined,
    known?: OperationRecord,
  ): Promise<OperationRecord | undefined> {
    let read = known;
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      read ??= await store.get(token);
      const transition = read && decide(read);
      if (read === undefined || transition === undefined) return undefined;
      if (await store.update(read, transition.record)) {
        await carryOut(transition);
        return transition.record;
      }
      read = undefined;
    }
    throw new Error(`operation ${token} is written by others all the time; its message is to come again`);
  }

  async function carryOut({ record, effects }: Transition): Promise<void> {
    for (const effect of effects) {
      try {
        await carryOutOne(record, effect);
      } catch (error) {
        const { token, endpoint, state } = record;
        logger.warn(`${effect.kind} of an operation is left to the reconciler`, { token, endpoint, state, error });
      }
    }
  }

  async function carryOutOne(record: OperationRecord, effect: Effect): Promise<void> {
    const { token } = record;
    switch (effect.kind) {
      case 'wake':
        return taskQueue.send(record, { token, attempt: effect.attempt }, effect.delayMs);
      case 'complete':
        return completionQueue.send(record, effect.delayMs);
      case 'dead-letter':
        await taskQueue.deadLetter(record, { token, attempt: record.attempt }, effect.reason);
        await change(token, (read) => deadLetterSent(read, { now: clock.now() }), record);
        return;
      case 'forward-cancel':
        await cancelInner(record, effect.innerToken);
        await change(token, (read) => cancelForwarded(read, { now: clock.now() }), record);
        return;
    }
  }

  return { change, carryOut };
}
