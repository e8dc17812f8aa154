import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import type { Caller } from './caller.ts';
import { parseBelow } from './parse-below.ts';
import type { Endpoint } from './ports.ts';

/** A start that may have come before, and may come again. */
export interface RepeatableStart {
  /** The same for every repetition, and for nothing else; any length, and not secret. */
  readonly key: string;
  readonly endpoint: string;
  /** `service/operation`. */
  readonly operation: string;
  /** Milliseconds from now for which its answer is worth keeping. */
  readonly keepMs: number;
  /** Whether the caller reads failures in the form of Temporal 1.31 and later. */
  readonly failureSupport: boolean;
}

/** The delivery of a start: it rejects, or answers, within `leftMs`. */
export type Deliver = () => Promise<NexusHttpResponse>;

/**
 * Delivers a start, unless one of the same key was answered for good before: then that answer is given again. While the
 * first one is under way, a repetition waits for it, `leftMs` at most, and is then told to come again.
 *
 * Never rejects but with what `deliver` rejects with: where nothing can be remembered, it delivers.
 *
 * @param leftMs milliseconds until the answer is due, now
 */
export type Deduplicate = (
  start: RepeatableStart,
  deliver: Deliver,
  leftMs: () => number,
) => Promise<NexusHttpResponse>;

const HOUR_MS = 3_600_000;

/**
 * An answer is repeated while its caller may ask again. Temporal repeats a start until the operation's own timeout, an
 * hour apart at most, and only while it has not seen an answer: a week bridges a server that is down over the holidays,
 * and bounds what is stored for operations that have no timeout.
 */
const LONGEST_KEEP_MS = 7 * 24 * HOUR_MS;

/** Clocks differ, and a repetition may have left its caller just before the operation's time was over. */
const GRACE_MS = 60_000;

/** Where a request comes from, and what is left of its time. */
export interface Arrived {
  readonly endpoint: Endpoint;
  /** Its path is below the endpoint's base URL. */
  readonly request: NexusHttpRequest;
  readonly caller: Caller;
  readonly leftMs: () => number;
}

/** Delivers a request: once, with `deduplicate`, where it is a start of an endpoint that asks for that, and has an id. */
export function deliverOnce(
  deduplicate: Deduplicate | undefined,
  { endpoint, request, caller, leftMs }: Arrived,
  deliver: Deliver,
): Promise<NexusHttpResponse> {
  const start = deduplicate && endpoint.deduplicate ? repeatableStart(endpoint, request, caller) : undefined;
  return deduplicate && start ? deduplicate(start, deliver, leftMs) : deliver();
}

/** `undefined` for what is no start, and for a start without an id of its own, which cannot be told from another one. */
export function repeatableStart(
  endpoint: Pick<Endpoint, 'name' | 'services'>,
  request: NexusHttpRequest,
  caller: Caller,
): RepeatableStart | undefined {
  const start = parseBelow(endpoint, request, caller);
  if (start?.kind !== 'start' || !start.requestId) return undefined;
  const { service, operation, requestId, failureSupport, operationTimeoutMs = LONGEST_KEEP_MS } = start;
  return {
    key: JSON.stringify([caller.principal, endpoint.name, service, operation, requestId]),
    endpoint: endpoint.name,
    operation: `${service}/${operation}`,
    keepMs: Math.min(Math.max(0, operationTimeoutMs) + GRACE_MS, LONGEST_KEEP_MS),
    failureSupport,
  };
}
