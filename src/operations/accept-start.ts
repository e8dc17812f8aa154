import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { NexusInvocation } from '../handler/invocation.ts';
import { formatDuration } from '../nexus/duration.ts';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest } from '../nexus/message.ts';
import type { StartRequest } from '../nexus/request.ts';
import { createToken } from './operation-token.ts';
import type { AttemptFailure, OperationRecord, QueueUrls, StoredCallback, StoredStart, Transition } from './record.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { accepted } from './transitions.ts';

/** A start that is to be delivered durably. */
export interface StartToAccept {
  readonly principal: string;
  readonly endpoint: string;
  readonly namespace: string;
  readonly taskQueue: string;
  /** As it came, less the credentials. */
  readonly request: Pick<NexusHttpRequest, 'headers' | 'query' | 'body'>;
  /** What the request says. */
  readonly start: StartRequest;
  /** Where the completion goes; absent where the caller polls. */
  readonly callback?: StoredCallback | undefined;
  readonly policy: RetryPolicy;
  readonly queues?: QueueUrls | undefined;
  /** Default: the first, at once. */
  readonly first?: FirstAttempt;
}

/** The attempt that an operation's delivery begins with. */
export interface FirstAttempt {
  /** More than 1 where others were made before it was accepted. */
  readonly attempt: number;
  readonly nextAttemptAt: number;
  readonly lastFailure?: AttemptFailure;
}

const DAY_MS = 86_400_000;

/** The `Operation-Timeout` of an operation that has none: its caller is to hear of it before it is forgotten. */
const DEFAULT_TIMEOUT_MS = 60 * DAY_MS;

/** The first version of a start's record. A start that is repeated has the same key, and another token. */
export function acceptStart(given: StartToAccept, now: number): Transition {
  const { principal, endpoint, namespace, taskQueue, request, start, callback, policy, queues, first } = given;
  const { service, operation, operationTimeoutMs = DEFAULT_TIMEOUT_MS, requestId = randomUUID() } = start;
  const key = JSON.stringify([principal, endpoint, service, operation, requestId]);
  const { [HEADER.requestTimeout]: _, ...headers } = request.headers;
  // Of Go's durations, as Temporal up to 1.30 sends them, parts of a millisecond are left; a store takes whole ones.
  const expiresAt = now + Math.ceil(operationTimeoutMs);
  const record = {
    token: createToken(createHash('sha256').update(key).digest(), randomBytes(16)),
    key,
    principal,
    endpoint,
    namespace,
    taskQueue,
    requestId,
    start: { service, operation, headers, query: request.query, body: Buffer.from(request.body).toString('base64') },
    ...(callback && { callback }),
    policy,
    ...(queues && { queues }),
    acceptedAt: now,
    expiresAt,
    retainUntil: expiresAt + DAY_MS,
  };
  return accepted(record, first);
}

/** The time of an invocation. */
export interface InvocationTime {
  readonly now: number;
  /** What the handler gets. */
  readonly timeoutMs: number;
}

/** What a handler is invoked with for an attempt: the start as it was accepted, with the time that there is now. */
export function attemptInvocation(record: OperationRecord, { now, timeoutMs }: InvocationTime): NexusInvocation {
  const { expiresAt, requestId, start } = record;
  const { headers, query, body } = start;
  return invocation(record, timeoutMs, {
    path: pathOf(start),
    query,
    headers: {
      ...headers,
      ...(headers[HEADER.operationTimeout] !== undefined &&
        expiresAt !== undefined && { [HEADER.operationTimeout]: formatDuration(Math.max(0, expiresAt - now)) }),
      // A start that came without one is the same operation on each attempt all the same.
      [HEADER.requestId]: requestId,
      // Whoever reads the answer is no Temporal server of any version: the form that says most.
      [HEADER.failureSupport]: 'true',
    },
    body,
  });
}

/** The invocation that cancels what an operation was handed over to: with the headers of its start, as Temporal does. */
export function cancelInvocation(record: OperationRecord, innerToken: string, timeoutMs: number): NexusInvocation {
  const { start } = record;
  const headers = Object.entries(start.headers).filter(([name]) => !OF_A_START.has(name));
  return invocation(record, timeoutMs, {
    path: `${pathOf(start)}/cancel`,
    query: '',
    headers: { ...Object.fromEntries(headers), [HEADER.operationToken]: innerToken },
    body: '',
  });
}

/** Headers that say something of a start and nothing of a cancel. */
const OF_A_START: ReadonlySet<string> = new Set([
  HEADER.requestId,
  HEADER.operationTimeout,
  HEADER.link,
  HEADER.contentType,
  HEADER.prefer,
]);

function invocation(
  { endpoint, principal }: OperationRecord,
  timeoutMs: number,
  request: Omit<NexusInvocation['request'], 'method'>,
): NexusInvocation {
  return { nexusInvocation: 1, endpoint, principal, timeoutMs, request: { method: 'POST', ...request } };
}

function pathOf({ service, operation }: StoredStart): string {
  return `/${encodeURIComponent(service)}/${encodeURIComponent(operation)}`;
}
