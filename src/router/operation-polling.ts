import { HandlerError } from 'nexus-rpc';
import type { Gateway } from '../handler/invocation.ts';
import { parseDuration } from '../nexus/duration.ts';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { queryParameter } from '../nexus/path.ts';
import { quote } from '../nexus/quote.ts';
import { parseToken } from '../operations/operation-token.ts';
import type { OperationStore } from '../operations/ports.ts';
import type { OperationRecord, StoredStart } from '../operations/record.ts';
import { type Caller, MAX_TIMEOUT_MS } from './caller.ts';
import { deliveryTimes } from './delivery-times.ts';
import { formatOutcome } from './format-outcome.ts';
import type { Clock, Endpoint } from './ports.ts';

export interface OperationPollingDeps {
  readonly store: Pick<OperationStore, 'get'>;
  readonly clock: Clock;
  /**
   * Resolves once the record of this token may have been written, and after `ms` at the latest. Default: after `ms`, as
   * nothing tells one environment of what another one writes.
   */
  readonly changed?: (token: string, ms: number) => Promise<void>;
  /** Fires when no request may wait any longer; each is answered as if its time were over. Default: never. */
  readonly closing?: AbortSignal;
}

/**
 * Lets callers ask for operations that were answered with a token of ours, in the form that the Nexus specification had
 * for it until 2025 (get-info and get-result), which today is an extension:
 *
 * - `GET {base}/{service}/{operation}` → 200 `{"token":"…","state":"running"}`, or `succeeded`, `failed`, `canceled`.
 * - `GET {base}/{service}/{operation}/result` → 200 with the result as a synchronous start would have answered it; 424
 *   with the failure, and `Nexus-Operation-State`, where the operation failed or was canceled; 412 while it runs. With
 *   `?wait=20s` the answer waits for the end so long, or as long as `Request-Timeout` and the gateway let it, and is 408
 *   where the operation still runs then: ask again.
 *
 * The token goes into the header `Nexus-Operation-Token`, or `?token=`. 404 is for a token that is of another principal,
 * endpoint or operation, for one that was forgotten, and for one that a handler issued. 409, which no caller tries again,
 * is for the result of an operation whose handler answered with a token of its own: it goes on elsewhere, its outcome
 * never comes here, and its state stays `running`.
 */
export interface OperationPolling {
  /**
   * The answer to such a request; `undefined` for all else. `request.path` is below the endpoint's base URL. `gatewayMs` of
   * the caller is what is left of the time now.
   */
  answer(endpoint: Endpoint, request: NexusHttpRequest, caller: Caller): Promise<NexusHttpResponse | undefined>;
}

/** How often a store is asked that does not tell of writes. */
const POLL_MS = 1_000;

export function createOperationPolling(deps: OperationPollingDeps): OperationPolling {
  const { store, clock, changed = afterMs, closing } = deps;

  async function find(token: string, { name }: Endpoint, principal: string): Promise<OperationRecord | undefined> {
    if (parseToken(token) === undefined) return undefined;
    const record = await store.get(token);
    const isTheirs = record?.principal === principal && record.endpoint === name && record.retainUntil > clock.now();
    return isTheirs ? record : undefined;
  }

  /** Until the operation has ended, or is somebody else's, or the time is over. */
  async function untilEnded(record: OperationRecord, waitMs: number, read: () => Promise<OperationRecord | undefined>) {
    const endsAt = clock.now() + waitMs;
    let latest: OperationRecord | undefined = record;
    while (latest !== undefined && latest.outcome === undefined && latest.state !== 'handed-over') {
      const leftMs = endsAt - clock.now();
      if (leftMs <= 0 || closing?.aborted) break;
      await changed(record.token, Math.min(leftMs, POLL_MS));
      latest = await read();
    }
    return latest;
  }

  return {
    async answer(endpoint, request, caller) {
      if (request.method !== 'GET') return undefined;
      const token = request.headers[HEADER.operationToken] || queryParameter(request.query, 'token');
      if (!token) {
        // A redirected POST comes as a GET, too: the handler's parser says that a request is a POST.
        if (!request.path.endsWith('/result')) return undefined;
        throw error('BAD_REQUEST', 'which operation? Its token goes into the header Nexus-Operation-Token, or ?token=');
      }
      const waitMs = waitOf(request);
      const read = () => find(token, endpoint, caller.principal);
      const record = await read();
      const asked = record && whatIsAsked(request.path, record.start, caller.gateway);
      if (record === undefined || asked === undefined) throw notFound(request.path);
      if (asked === 'info') {
        const state = record.outcome?.state ?? 'running';
        return json(200, { token, state }, { [HEADER.operationState]: state });
      }
      const latest = await untilEnded(record, Math.min(waitMs ?? 0, longestWaitMs(request, caller)), read);
      if (latest === undefined) throw notFound(request.path);
      if (latest.outcome !== undefined) return formatOutcome(latest.outcome, request, caller.gateway);
      if (latest.state === 'handed-over') throw handedOver(latest.start);
      return stillRunning(latest.start, waitMs !== undefined);
    },
  };
}

/** Compared with the names of the record, a path needs no parser that knows whether it was decoded on its way. */
function whatIsAsked(
  path: string,
  { service, operation }: Pick<StoredStart, 'service' | 'operation'>,
  gateway: Gateway | undefined,
): 'info' | 'result' | undefined {
  const segments = path.split('/').slice(1).map(decoded);
  const isAt = (...names: readonly string[]) =>
    (segments.length === names.length && names.every((name, index) => name === segments[index])) ||
    (gateway !== undefined && path === `/${names.join('/')}`);
  if (isAt(service, operation)) return 'info';
  return isAt(service, operation, 'result') ? 'result' : undefined;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // no name
  }
}

/** `undefined` where the caller does not want to wait, or not at all. */
function waitOf({ query }: NexusHttpRequest): number | undefined {
  const text = queryParameter(query, 'wait');
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) {
    throw error('BAD_REQUEST', `wait is ${quote(text)}; it takes a number and a unit: "20s", "1500ms"`);
  }
  return ms === 0 ? undefined : ms;
}

/** What is left of the caller's time, less the answer's way back. */
function longestWaitMs({ headers }: NexusHttpRequest, { gatewayMs = MAX_TIMEOUT_MS }: Caller): number {
  const requestTimeoutMs = parseDuration(headers[HEADER.requestTimeout] ?? '') ?? MAX_TIMEOUT_MS;
  return deliveryTimes(Math.min(requestTimeoutMs, gatewayMs, MAX_TIMEOUT_MS)).waitMs;
}

function stillRunning({ service, operation }: StoredStart, waited: boolean): NexusHttpResponse {
  const hint = waited ? 'ask again' : 'ask again later, or with ?wait=20s';
  const message = `operation '${service}/${operation}' is still running; ${hint}`;
  return json(waited ? 408 : 412, { message }, { [HEADER.operationState]: 'running' });
}

function handedOver({ service, operation }: StoredStart): HandlerError {
  return error(
    'CONFLICT',
    `operation '${service}/${operation}' has no result here and will have none: its handler answered with a token of its ` +
      'own, as for a workflow, whose result goes to the callback of the start; ask for it where the handler started it',
  );
}

/** Whoever asks for the operation of somebody else is told what one is told that asks for none. */
function notFound(path: string): HandlerError {
  return error(
    'NOT_FOUND',
    `no operation at ${quote(path)} has this token: it may have been forgotten, or be one that a handler issued itself, ` +
      'which cannot be asked for here',
  );
}

function error(type: 'BAD_REQUEST' | 'NOT_FOUND' | 'CONFLICT', message: string): HandlerError {
  return new HandlerError(type, message, { stackTrace: '' });
}

function json(status: number, value: unknown, headers: Record<string, string>): NexusHttpResponse {
  return {
    status,
    headers: { ...headers, [HEADER.contentType]: 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(value)),
  };
}

function afterMs(_token: string, ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
