import type { Claim, OperationRecord, OperationState } from './record.ts';

/** What a list of operations can be narrowed to. */
export interface OperationFilter {
  readonly endpoint?: string;
  readonly state?: OperationState;
  /** Of the completion of those that ended. */
  readonly completion?: 'pending' | 'delivered' | 'refused' | 'dead-lettered';
  /** Accepted at this time or later, and before that one; epoch milliseconds. */
  readonly acceptedFrom?: number;
  readonly acceptedBefore?: number;
}

/** What a count can be narrowed to. */
export type CountFilter = Pick<OperationFilter, 'endpoint' | 'acceptedFrom' | 'acceptedBefore'>;

/** How many there are, by state; with `next`, the newest of them only. */
export interface OperationCount {
  readonly counts: Readonly<Record<OperationState, number>>;
  /** To be handed in to count the others; absent where all were counted. */
  readonly next?: string;
}

/** One page of a list, the newest first. */
export interface OperationPage {
  readonly records: readonly OperationRecord[];
  /** To be handed in for the next page; absent on the last one. */
  readonly next?: string;
}

/** Keeps the records of operations. What a call acknowledged survives every crash. */
export interface OperationStore {
  /**
   * Writes a new record. Where one of its `key` is there that may not be forgotten yet, that one is returned and nothing
   * is written. Where that one has its `token`, too, this is a repetition of what made it: `undefined`, as at first.
   *
   * Fails with `RecordTooLargeError` where the store has no room for such a record; so does `update`.
   */
  create(record: OperationRecord, now: number): Promise<OperationRecord | undefined>;
  /** May return one that may be forgotten, as `list` may: whoever shows it to a caller compares `retainUntil`. */
  get(token: string): Promise<OperationRecord | undefined>;
  /**
   * Claims an attempt in one step, where nothing is in its way: the record is queued at this attempt, its time has come, it
   * was not canceled and its own time is not over. Returns it as the transition `received` would write it, or
   * `undefined`, and then nothing is written: read it and let `received` say why.
   */
  claim(token: string, claim: Claim, now: number): Promise<OperationRecord | undefined>;
  /**
   * Writes `next` where `read` is still what is stored, by its version. False where somebody wrote meanwhile, or the record
   * is gone. Only members that differ are sent.
   */
  update(read: OperationRecord, next: OperationRecord): Promise<boolean>;
  /** Tokens of records whose `dueAt` has come, the longest overdue first; somebody may have seen to one of them since. */
  due(now: number, limit: number): Promise<readonly string[]>;
  /** A page may hold fewer than `limit`, though others follow. Fails with a TypeError where `from` is no `next`. */
  list(filter: OperationFilter, page: { readonly limit: number; readonly from?: string }): Promise<OperationPage>;
  /**
   * How many there are, by state. A store that has to read what it counts counts so many at a time. Fails with a TypeError
   * where `from` is no `next`.
   */
  count(filter: CountFilter, from?: string): Promise<OperationCount>;
}

/** A message of a task queue: wakes one attempt, and says nothing that the record does not. */
export interface WakeUp {
  readonly token: string;
  readonly attempt: number;
  /** Why it was dead-lettered, on a message that somebody moved back from where those are: it is to be tried again. */
  readonly reason?: string;
}

/** Sends wake-ups of operations to the queue of their target. */
export interface TaskQueue {
  /**
   * @param record whose target's handler is woken; its caller is whom a queue is shared out fairly by
   * @param delayMs 900,000 at most
   */
  send(record: OperationRecord, wakeUp: WakeUp, delayMs: number): Promise<void>;
  /** Whether this wake-up may be among the messages that wait in the queue: it is not lost only because nobody took it yet. */
  mayHold(record: OperationRecord, wakeUp: WakeUp): Promise<boolean>;
  /** Puts what cannot run where people look for it, with the reason. */
  deadLetter(record: OperationRecord, wakeUp: WakeUp, reason: string): Promise<void>;
}

/** Sends operations that ended to whoever delivers their completions. */
export interface CompletionQueue {
  /**
   * The message may carry the record, to save the receiver a read; it is what is stored unless somebody wrote meanwhile.
   *
   * @param delayMs 900,000 at most
   */
  send(record: OperationRecord, delayMs: number): Promise<void>;
}
