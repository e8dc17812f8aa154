import type { JsonPayload, ProtoFailure } from '../nexus/proto-failure.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** A link as JSON. */
export interface StoredLink {
  readonly url: string;
  readonly type: string;
}

/** The start as it was accepted: all that a handler and a completion are made of. */
export interface StoredStart {
  readonly service: string;
  readonly operation: string;
  /** Lower-case names, less credentials and the caller's `Request-Timeout`, which was for the answer only. */
  readonly headers: Readonly<Record<string, string>>;
  /** Query of the request, still escaped: the callback is in it. */
  readonly query: string;
  /** Base64; empty for no body. */
  readonly body: string;
}

/** Where a completion goes. */
export interface StoredCallback {
  readonly url: string;
  /** What came as `Nexus-Callback-*`, without the prefix: sent back as it is. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How an operation ended. */
export type Outcome = { readonly at: number } & (
  | { readonly state: 'succeeded'; readonly payload: JsonPayload; readonly links: readonly StoredLink[] }
  | { readonly state: 'failed' | 'canceled'; readonly failure: ProtoFailure; readonly links: readonly StoredLink[] }
);

/** One try of the handler that has begun and is not known to have ended. */
export interface Claim {
  readonly attempt: number;
  /** Until then only this try may say how it ended. Milliseconds since the epoch. */
  readonly leaseUntil: number;
  /** When it began, where nobody would see it end with its environment: then the next attempt tells the circuit. */
  readonly since?: number;
  /** Of the invocation, to find its log by. */
  readonly invocation: string;
  readonly logStream?: string;
}

/** What went wrong last, for people and for the failure that ends an operation without attempts. */
export interface AttemptFailure {
  readonly at: number;
  readonly attempt: number;
  readonly message: string;
  /** Where a try that ended with its environment logged; absent where the handler answered. */
  readonly crash?: Pick<Claim, 'invocation' | 'logStream' | 'since'>;
}

/** How far the outcome is on its way to the caller. */
export interface CompletionState {
  readonly state: 'pending' | 'delivered' | 'refused' | 'dead-lettered';
  /** Of those that were made. */
  readonly attempts: number;
  readonly nextAttemptAt: number;
  readonly lastFailure?: string;
}

/**
 * The states of an operation that is delivered durably. `queued` waits for its next attempt; `claimed` runs; `handed-over`
 * goes on elsewhere, under a token of the handler's own; `dead-lettered` crashed too often and waits for a person; `ended`
 * has its outcome.
 */
export type OperationState = 'queued' | 'claimed' | 'handed-over' | 'dead-lettered' | 'ended';

/** Where the messages of an operation go. */
export interface QueueUrls {
  readonly task: string;
  readonly deadLetter: string;
  readonly completion: string;
}

/** The stored state of one operation: the truth of which every message is only a wake-up. Times are epoch milliseconds. */
export interface OperationRecord {
  /** Ours, random: what the caller got with its 201. */
  readonly token: string;
  /** Principal, endpoint, service, operation and request id in one; a repeated start finds its record by it. */
  readonly key: string;
  /** One more with each write: a write of what was read before another's write fails. */
  readonly version: number;

  readonly principal: string;
  readonly endpoint: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly requestId: string;
  readonly start: StoredStart;
  /** None where the caller polls. */
  readonly callback?: StoredCallback;
  readonly acceptedAt: number;
  /** When its caller was given the token because the handler, which was running, took longer than the caller waits. */
  readonly promotedAt?: number;
  /**
   * When the handler of a direct start had its outcome, so shortly before its caller would have been given a token that the
   * outcome is kept: it is the answer, and no completion is due. Nobody has this record's token.
   */
  readonly answeredAt?: number;
  /** When the caller gives up on it (`Operation-Timeout`). */
  readonly expiresAt?: number;
  /** When it may be forgotten. */
  readonly retainUntil: number;
  /** The endpoint's, as it was when the operation was accepted. */
  readonly policy: RetryPolicy;
  /** URLs of the queues that its messages go to, where these are of SQS. */
  readonly queues?: QueueUrls;

  readonly state: OperationState;
  /** Of the next or the running attempt, counted from 1: a message of another attempt wakes nobody. */
  readonly attempt: number;
  readonly nextAttemptAt: number;
  readonly claim?: Claim;
  /** Attempts that never ended, since it was accepted or taken up again by a person. */
  readonly crashes: number;
  readonly lastFailure?: AttemptFailure;
  /** Whether one that is dead-lettered still has to be put where people look for what cannot run. */
  readonly deadLetter?: 'pending' | 'done';
  readonly cancelRequestedAt?: number;
  /** The handler's own token, once handed over. */
  readonly innerToken?: string;
  /** Whether a cancel still has to be passed on to where it was handed over. */
  readonly cancelForward?: 'pending' | 'done';
  readonly outcome?: Outcome;
  readonly completion?: CompletionState;
  /** How often the reconciler looked after it in this state: each time it waits longer until it does again. */
  readonly wakeUps: number;
  /** When the reconciler has to look at it; absent where nothing is left to do but to forget it. */
  readonly dueAt?: number;
}

/** What is to be done once a record is written. Each is done again by the reconciler where it is lost. */
export type Effect =
  /** Send a message that wakes this attempt. */
  | { readonly kind: 'wake'; readonly attempt: number; readonly delayMs: number }
  /** Send a message to the completion queue. */
  | { readonly kind: 'complete'; readonly delayMs: number }
  /** Cancel what it was handed over to. */
  | { readonly kind: 'forward-cancel'; readonly innerToken: string }
  /** Put it where people look for what cannot run. */
  | { readonly kind: 'dead-letter'; readonly reason: string };

/** A change of a record: what to write, and what to do after that. */
export interface Transition {
  readonly record: OperationRecord;
  readonly effects: readonly Effect[];
}
