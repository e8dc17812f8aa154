import { HandlerError, type HandlerErrorType, type Link } from 'nexus-rpc';
import { payloadToContent } from './content.ts';
import { FAILURE_TYPE, type Failure, retryableOverrideOf, toNexusFailure, UNWRAP } from './failure.ts';
import { checkedHeaders, HEADER } from './headers.ts';
import { formatLinks } from './links.ts';
import type { NexusHttpResponse } from './message.ts';
import { asCanceled, toOldNexusFailure } from './old-failure.ts';
import type { Payload } from './payload.ts';
import { encodePayload } from './payload-proto.ts';
import type { ProtoFailure } from './proto-failure.ts';
import { STATUS_OPERATION_UNSUCCESSFUL, statusOf } from './status.ts';
import { tokenProblem } from './token.ts';

export { isTemporalCaller } from './temporal-caller.ts';

/** How a start ended that did not fail: with its result, or with a token for what goes on. */
export type StartOutcome =
  | { readonly kind: 'sync'; readonly payload: Payload; readonly links: readonly Link[] }
  | { readonly kind: 'async'; readonly token: string; readonly links: readonly Link[] };

/**
 * The answer to a start that did not fail.
 *
 * `emptyBodyAs` is how "nothing" is written: `nothing`, the default, has no body and no type, as Temporal writes it.
 * Behind a gateway that adds a type to whatever has none, Temporal could not read that: there it is
 * `temporal-payload` for Temporal callers, and `json-null`, the JSON `null`, for others.
 *
 * @throws HandlerError INTERNAL, not retryable, where the token or a link cannot be sent.
 */
export function formatStartResponse(
  outcome: StartOutcome,
  options: { readonly emptyBodyAs?: 'nothing' | 'temporal-payload' | 'json-null' | undefined } = {},
): NexusHttpResponse {
  const links = linkHeader(outcome.links);
  if (outcome.kind === 'async') {
    const problem = tokenProblem(outcome.token);
    if (problem !== undefined) throw broken(`the operation token that the handler returned ${problem}`);
    return json(201, links, { token: outcome.token, state: 'running' });
  }
  const { payload } = outcome;
  const { headers, body } = payloadToContent(payload);
  const { emptyBodyAs = 'nothing' } = options;
  if (headers[HEADER.contentType] === undefined && emptyBodyAs !== 'nothing') {
    return emptyBodyAs === 'json-null' && body.length === 0
      ? json(200, links, null)
      : {
          status: 200,
          headers: { ...links, [HEADER.contentType]: 'application/x-temporal-payload' },
          body: encodePayload(payload),
        };
  }
  return { status: 200, headers: checkedHeaders({ ...links, ...headers }), body };
}

/** The answer to a cancel that was accepted. Temporal takes 202 and no other. */
export function formatCancelResponse(): NexusHttpResponse {
  return { status: 202, headers: {}, body: new Uint8Array() };
}

export interface FailureResponseOptions {
  /** Whether the caller reads the form of Temporal 1.31 and later; see `failureSupport` of the request. */
  readonly failureSupport: boolean;
  /** The operation itself failed or was canceled. Without it the failure is the handler's. */
  readonly operationState?: 'failed' | 'canceled' | undefined;
  /** The failure comes from the handler, not from what is in front of it; Temporal's metrics tell the two apart. */
  readonly fromHandler?: boolean | undefined;
  /**
   * The caller is a Temporal server. One without failure support is older than the statuses 408 and 409, and would
   * retry them for as long as the operation lives, so it gets the nearest that it knows. Default false.
   */
  readonly temporalCaller?: boolean | undefined;
}

/**
 * The answer for a failure: of the operation (424), or of the handler, whose type and retry behaviour are its
 * `nexusHandlerFailureInfo`; a failure without one is the cause of an INTERNAL error.
 */
export function formatFailureResponse(failure: ProtoFailure, options: FailureResponseOptions): NexusHttpResponse {
  const { failureSupport, operationState } = options;
  const source: Record<string, string> = options.fromHandler ? { [HEADER.failureSource]: 'worker' } : {};
  if (operationState !== undefined) {
    const inner = operationState === 'canceled' ? asCanceled(failure) : failure;
    const body = failureSupport ? operationError(operationState, inner) : toOldNexusFailure(inner);
    return json(STATUS_OPERATION_UNSUCCESSFUL, { [HEADER.operationState]: operationState, ...source }, body);
  }
  const handlerFailure = failure.nexusHandlerFailureInfo
    ? failure
    : { nexusHandlerFailureInfo: { type: 'INTERNAL' }, cause: failure };
  const type = (handlerFailure.nexusHandlerFailureInfo?.type ?? '') as HandlerErrorType;
  let override = retryableOverrideOf(handlerFailure);
  let status = statusOf(type);
  if (!failureSupport && options.temporalCaller) {
    if (type === 'REQUEST_TIMEOUT') status = statusOf('UPSTREAM_TIMEOUT');
    if (type === 'CONFLICT') {
      status = statusOf('BAD_REQUEST');
      override ??= false;
    }
  }
  const retryable: Record<string, string> = override === undefined ? {} : { [HEADER.retryable]: String(override) };
  const body = failureSupport ? toNexusFailure(handlerFailure) : oldHandlerError(handlerFailure, type);
  return json(status, { ...retryable, ...source }, body);
}

function operationError(state: 'failed' | 'canceled', failure: ProtoFailure): Failure {
  return {
    message: 'operation error',
    metadata: { type: FAILURE_TYPE.operationError, [UNWRAP]: 'true' },
    details: { state },
    cause: toNexusFailure(failure),
  };
}

/**
 * Old servers make the HandlerError of status and header, and take the body for its cause. So what the error itself
 * says has to become a failure of its own, unless it says nothing.
 */
function oldHandlerError(failure: ProtoFailure, type: HandlerErrorType): Failure {
  const { nexusHandlerFailureInfo: _, ...own } = failure;
  const saysNothing = !own.message || own.message === `Handler error: ${type}`;
  if (saysNothing && own.cause) return toOldNexusFailure(own.cause);
  return toOldNexusFailure({
    ...own,
    message: own.message || `Handler error: ${type}`,
    applicationFailureInfo: { type: 'HandlerError', nonRetryable: !isRetryable(failure, type) },
  });
}

function isRetryable(failure: ProtoFailure, type: HandlerErrorType): boolean {
  const status = statusOf(type);
  return retryableOverrideOf(failure) ?? (status >= 500 ? status !== 501 : status === 408 || status === 429);
}

function linkHeader(links: readonly Link[]): Record<string, string> {
  if (links.length === 0) return {};
  try {
    return { [HEADER.link]: formatLinks(links) };
  } catch (cause) {
    throw broken(`a link that the handler added cannot be sent: ${(cause as Error).message}`, cause);
  }
}

/** The type stands without parameters: with one, Temporal does not see JSON. */
function json(status: number, headers: Record<string, string>, value: unknown): NexusHttpResponse {
  return {
    status,
    headers: { ...headers, [HEADER.contentType]: 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(value)),
  };
}

function broken(message: string, cause?: unknown): HandlerError {
  return new HandlerError('INTERNAL', message, { cause, retryableOverride: false });
}
