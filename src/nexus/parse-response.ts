import { HandlerError, HandlerErrorType, OperationError } from 'nexus-rpc';
import { contentToPayload } from './content.ts';
import { FAILURE_TYPE, type Failure, parseFailure, UNWRAP } from './failure.ts';
import { HEADER } from './headers.ts';
import { parseLinks } from './links.ts';
import { isJson } from './media-type.ts';
import type { NexusHttpResponse } from './message.ts';
import { quote } from './quote.ts';
import type { StartOutcome } from './response.ts';
import { STATUS_OPERATION_UNSUCCESSFUL, typeOfStatus } from './status.ts';
import { tokenProblem } from './token.ts';

/**
 * Reads the answer to a start.
 *
 * @throws OperationError where the operation failed or was canceled, HandlerError for every other failure: of the type
 * that body or status says, UNKNOWN, which is retryable, where it is no Nexus answer. Both keep the failure as it came.
 */
export function parseStartResponse(response: NexusHttpResponse): StartOutcome {
  const { status, headers, body } = response;
  if (status === 200 || status === 201) {
    return unlessUnexpected(response, () => {
      const links = parseLinks(headers[HEADER.link] ?? '');
      if (status === 201) return { kind: 'async', token: tokenOf(response), links };
      // Who called has undone the compression, and left the header.
      const { [HEADER.contentEncoding]: _, ...content } = headers;
      return { kind: 'sync', payload: contentToPayload(content, body, { lenient: true }), links };
    });
  }
  if (status === STATUS_OPERATION_UNSUCCESSFUL) throw unlessUnexpected(response, () => operationError(response));
  throw handlerError(response);
}

/**
 * Reads the answer to a cancel.
 *
 * @throws HandlerError as {@link parseStartResponse} does, for every status but 202.
 */
export function parseCancelResponse(response: NexusHttpResponse): void {
  if (response.status !== 202) throw handlerError(response);
}

function tokenOf({ headers, body }: NexusHttpResponse): string {
  if (!isJson(headers[HEADER.contentType])) throw new TypeError('its type is not application/json');
  const { token, state } = Object(JSON.parse(text(body))) as Record<string, unknown>;
  if (state !== 'running') throw new TypeError('its state is not "running"');
  const problem = typeof token === 'string' ? tokenProblem(token) : 'is no string';
  if (problem !== undefined) throw new TypeError(`its token ${problem}`);
  return token as string;
}

function operationError(response: NexusHttpResponse): OperationError {
  const failure = failureOf(response);
  if (failure === undefined) throw new TypeError('its body is no Nexus failure');
  const typed = errorOf(failure);
  if (typed instanceof OperationError) return typed;
  const state = response.headers[HEADER.operationState];
  if (state !== 'failed' && state !== 'canceled') throw new TypeError('it does not say whether failed or canceled');
  return new OperationError(state, failure.message, { cause: typed, originalFailure: failure });
}

function handlerError(response: NexusHttpResponse): HandlerError {
  const { status, headers } = response;
  let failure: Failure | undefined;
  try {
    failure = failureOf(response);
  } catch {
    // The body of a gateway or proxy: the status says it all.
  }
  const error = failure && errorOf(failure);
  if (error instanceof HandlerError) return error;
  const type = typeOfStatus(status);
  if (type === undefined) return unexpected(response, `its status is ${status}`, error);
  const retryable = headers[HEADER.retryable]?.toLowerCase();
  return new HandlerError(type, failure?.message, {
    ...(error && { cause: error }),
    ...(failure && { originalFailure: failure }),
    ...((retryable === 'true' || retryable === 'false') && { retryableOverride: retryable === 'true' }),
  });
}

/** `undefined` where the body is not JSON; fails where it is, but no failure. */
function failureOf({ headers, body }: NexusHttpResponse): Failure | undefined {
  return isJson(headers[HEADER.contentType]) ? parseFailure(JSON.parse(text(body))) : undefined;
}

function errorOf(failure: Failure): Error {
  const { details = {} } = failure;
  const cause = failure.cause && errorOf(failure.cause);
  const options = { ...(cause && { cause }), originalFailure: failure };
  const remote = failure.stackTrace === undefined ? {} : { stackTrace: failure.stackTrace };
  switch (failure.metadata?.type) {
    case FAILURE_TYPE.handlerError: {
      const raw = String(details.type ?? '');
      const known = Object.hasOwn(HandlerErrorType, raw) ? (raw as HandlerErrorType) : 'UNKNOWN';
      const { retryableOverride: override } = details;
      return new HandlerError(known, failure.message, {
        ...options,
        ...remote,
        rawErrorType: raw,
        ...(typeof override === 'boolean' && { retryableOverride: override }),
      });
    }
    case FAILURE_TYPE.operationError: {
      const said = failure.metadata[UNWRAP] === 'true' ? (failure.cause ?? failure) : failure;
      return new OperationError(details.state === 'canceled' ? 'canceled' : 'failed', said.message, {
        ...options,
        ...(said.stackTrace !== undefined && { stackTrace: said.stackTrace }),
      });
    }
    default: {
      const error = new Error(failure.message, options);
      if (failure.stackTrace !== undefined) error.stack = failure.stackTrace;
      return error;
    }
  }
}

function unlessUnexpected<T>(response: NexusHttpResponse, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw unexpected(response, (cause as Error).message, cause);
  }
}

function unexpected(response: NexusHttpResponse, reason: string, cause?: unknown): HandlerError {
  const start = quote(new TextDecoder().decode(response.body.subarray(0, 100)));
  const message = `the answer is none of Nexus: ${reason}; it begins with ${start}`;
  return new HandlerError('UNKNOWN', message, { cause, rawErrorType: `HTTP ${response.status}` });
}

function text(body: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(body);
}
