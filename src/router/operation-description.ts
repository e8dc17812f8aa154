import { HEADER } from '../nexus/headers.ts';
import { parseLinks } from '../nexus/links.ts';
import type { JsonPayload, ProtoFailure } from '../nexus/proto-failure.ts';
import type {
  AttemptFailure,
  Claim,
  CompletionState,
  OperationRecord,
  OperationState,
  StoredLink,
} from '../operations/record.ts';
import type { RetryPolicy } from '../operations/retry-policy.ts';
import { fromStoredPayload } from '../operations/stored-payload.ts';
import { blockedReason } from './closed-endpoint.ts';
import type { Endpoint } from './ports.ts';

// What the management API shows of operations, as JSON. Times are ISO 8601 in UTC. Nothing of the input is in it, nor of
// the callback's headers and path: these are what lets somebody complete the caller's operation.

/** An operation in a list. */
export interface OperationSummary {
  readonly token: string;
  readonly endpoint: string;
  readonly service: string;
  readonly operation: string;
  readonly state: OperationState;
  readonly acceptedAt: string;
  /** Of the next, the running or the last attempt, counted from 1. */
  readonly attempt: number;
  /** Of one that is queued. */
  readonly nextAttemptAt?: string;
  readonly lastFailure?: DescribedFailure;
  readonly outcome?: {
    readonly state: 'succeeded' | 'failed' | 'canceled';
    readonly at: string;
    readonly message?: string;
  };
  /** Absent where the caller polls, and before the end. */
  readonly completion?: DescribedCompletion;
}

/** What went wrong last. `crash` is where an environment logged that ended without an answer. */
export type DescribedFailure = Omit<AttemptFailure, 'at' | 'crash'> & {
  readonly at: string;
  readonly crash?: Pick<Claim, 'invocation' | 'logStream'>;
};

export type DescribedCompletion = Omit<CompletionState, 'nextAttemptAt'> & {
  /** Of one that is pending. */
  readonly nextAttemptAt?: string;
};

/** All that is shown of one operation. */
export interface OperationDescription extends OperationSummary {
  /** Of one that is queued, while its endpoint is paused or its circuit open: what keeps the next attempt from beginning. */
  readonly blockedReason?: string;
  readonly principal: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly requestId: string;
  /** Of the handler, whose log group the crashes are in; absent in the dev server. */
  readonly functionArn?: string;
  readonly input: { readonly bytes: number; readonly contentType?: string };
  /** Those of the caller, such as the event of its workflow, and those of the outcome. */
  readonly links: readonly StoredLink[];
  /** When its caller was given the token: the handler, which ran already, took longer than the caller waits. */
  readonly promotedAt?: string;
  /** When the handler of a direct start had the outcome, of which nobody else is to be told: it was the answer. */
  readonly answeredAt?: string;
  /** When the caller gives up on it. */
  readonly expiresAt?: string;
  readonly forgottenAt: string;
  readonly policy: RetryPolicy;
  /** Attempts that never ended, since it was accepted or redriven. */
  readonly crashes: number;
  /** The attempt that runs. */
  readonly claim?: {
    readonly attempt: number;
    readonly leaseUntil: string;
    readonly invocation: string;
    readonly logStream?: string;
  };
  readonly cancel?: { readonly requestedAt: string; readonly forward?: 'pending' | 'done' };
  /** Of the handler's own, once it was handed over. */
  readonly innerToken?: string;
  /** Absent where the caller polls. */
  readonly callback?: { readonly origin: string };
}

/** How an operation ended, with all that it came to; or how far it is. */
export type OperationResult = { readonly token: string } & (
  | { readonly state: Exclude<OperationState, 'ended'>; readonly innerToken?: string }
  | { readonly state: 'succeeded'; readonly at: string; readonly result: DescribedPayload }
  | { readonly state: 'failed' | 'canceled'; readonly at: string; readonly failure: ProtoFailure }
);

/** `value` of JSON, `base64` of anything else; neither for nothing. */
export interface DescribedPayload {
  /** As Temporal names it: `json/plain`, `binary/null`, and so on. */
  readonly encoding: string;
  readonly value?: unknown;
  readonly base64?: string;
}

/** Characters of a message in a list. */
const EXCERPT_LENGTH = 300;

export function summarizeOperation(record: OperationRecord): OperationSummary {
  const { lastFailure, outcome, completion, ...summary } = summaryOf(record);
  return {
    ...summary,
    ...(lastFailure && { lastFailure: { ...lastFailure, message: excerpt(lastFailure.message) } }),
    ...(outcome && {
      outcome: { ...outcome, ...(outcome.message !== undefined && { message: excerpt(outcome.message) }) },
    }),
    ...(completion && {
      completion: {
        ...completion,
        ...(completion.lastFailure !== undefined && { lastFailure: excerpt(completion.lastFailure) }),
      },
    }),
  };
}

/** What is known besides an operation's record. */
export interface Surroundings {
  /** Absent where it is gone, or nobody can say. */
  readonly endpoint?: Endpoint | undefined;
  readonly now: number;
}

export function describeOperation(record: OperationRecord, { endpoint, now }: Surroundings): OperationDescription {
  const functionArn = endpoint?.functionArn;
  const blocked = endpoint !== undefined && record.state === 'queued' ? blockedReason(endpoint, now) : undefined;
  const { principal, namespace, taskQueue, requestId, start, callback, expiresAt, retainUntil } = record;
  const { policy, crashes, claim, cancelRequestedAt, cancelForward, innerToken, promotedAt, answeredAt } = record;
  const contentType = start.headers[HEADER.contentType];
  return {
    ...summaryOf(record),
    ...(blocked !== undefined && { blockedReason: blocked }),
    principal,
    namespace,
    taskQueue,
    requestId,
    ...(functionArn !== undefined && { functionArn }),
    input: { bytes: Buffer.byteLength(start.body, 'base64'), ...(contentType !== undefined && { contentType }) },
    links: linksOf(record),
    ...(promotedAt !== undefined && { promotedAt: iso(promotedAt) }),
    ...(answeredAt !== undefined && { answeredAt: iso(answeredAt) }),
    ...(expiresAt !== undefined && { expiresAt: iso(expiresAt) }),
    forgottenAt: iso(retainUntil),
    policy,
    crashes,
    ...(claim && { claim: withoutSince({ ...claim, leaseUntil: iso(claim.leaseUntil) }) }),
    ...(cancelRequestedAt !== undefined && {
      cancel: { requestedAt: iso(cancelRequestedAt), ...(cancelForward && { forward: cancelForward }) },
    }),
    ...(innerToken !== undefined && { innerToken }),
    ...(callback && { callback: { origin: new URL(callback.url).origin } }),
  };
}

export function resultOf(record: OperationRecord): OperationResult {
  const { token, state, outcome, innerToken } = record;
  if (outcome === undefined) {
    const unfinished = state as Exclude<OperationState, 'ended'>;
    return { token, state: unfinished, ...(innerToken !== undefined && { innerToken }) };
  }
  const at = iso(outcome.at);
  return outcome.state === 'succeeded'
    ? { token, state: outcome.state, at, result: describePayload(outcome.payload) }
    : { token, state: outcome.state, at, failure: outcome.failure };
}

function summaryOf(record: OperationRecord): OperationSummary {
  const { token, endpoint, start, state, acceptedAt, attempt, nextAttemptAt, lastFailure, outcome, completion } =
    record;
  const { service, operation } = start;
  return {
    token,
    endpoint,
    service,
    operation,
    state,
    acceptedAt: iso(acceptedAt),
    attempt,
    ...(state === 'queued' && { nextAttemptAt: iso(nextAttemptAt) }),
    ...(lastFailure && { lastFailure: describeFailure(lastFailure) }),
    ...(outcome && {
      outcome: {
        state: outcome.state,
        at: iso(outcome.at),
        ...(outcome.state !== 'succeeded' && { message: messageOf(outcome.failure) }),
      },
    }),
    ...(completion && { completion: describeCompletion(completion) }),
  };
}

function describeFailure({ at, crash, ...failure }: AttemptFailure): DescribedFailure {
  return { ...failure, at: iso(at), ...(crash && { crash: withoutSince(crash) }) };
}

/** What is for the circuit only. */
function withoutSince<T extends { readonly since?: number }>({ since: _, ...shown }: T): Omit<T, 'since'> {
  return shown;
}

function describeCompletion({ nextAttemptAt, ...completion }: CompletionState): DescribedCompletion {
  return { ...completion, ...(completion.state === 'pending' && { nextAttemptAt: iso(nextAttemptAt) }) };
}

function linksOf({ start, outcome }: OperationRecord): readonly StoredLink[] {
  const caller = parseLinks(start.headers[HEADER.link] ?? '').map(({ url, type }) => ({ url: url.href, type }));
  return [...caller, ...(outcome?.links ?? [])];
}

/** A failure that only wraps another says less than the one inside. */
function messageOf({ message, cause, encodedAttributes }: ProtoFailure): string {
  if (encodedAttributes !== undefined) return 'the message is encrypted';
  return message || (cause === undefined ? 'no message' : messageOf(cause));
}

function describePayload(stored: JsonPayload): DescribedPayload {
  const { metadata, data } = fromStoredPayload(stored);
  const text = new TextDecoder();
  const encoding = metadata.encoding === undefined ? 'unknown' : text.decode(metadata.encoding);
  if (encoding === 'binary/null') return { encoding };
  if (encoding === 'json/plain' || encoding === 'json/protobuf') {
    try {
      return { encoding, value: JSON.parse(text.decode(data)) };
    } catch {
      // The handler's own converter says that it is JSON, and it is not: shown as it is.
    }
  }
  return { encoding, base64: stored.data ?? '' };
}

function excerpt(text: string): string {
  return text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH)}…` : text;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
