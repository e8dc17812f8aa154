import { ActivityExecutionAlreadyStartedError, isGrpcServiceError, ServiceError } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { HandlerError, type HandlerErrorType } from 'nexus-rpc';
import { toHandlerError as toPlainHandlerError } from '../handler/handler-errors.ts';

/** What a worker makes of whatever a handler threw. */
export function toHandlerError(error: unknown): HandlerError {
  if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof ActivityExecutionAlreadyStartedError) {
    return new HandlerError('INTERNAL', undefined, { cause: error, retryableOverride: false });
  }
  if (error instanceof ServiceError && isGrpcServiceError(error.cause)) {
    const row = BY_GRPC_STATUS[error.cause.code];
    if (row !== undefined)
      return new HandlerError(row.type, undefined, { cause: error, retryableOverride: row.retryable });
  }
  return toPlainHandlerError(error);
}

interface Row {
  readonly type: HandlerErrorType;
  readonly retryable?: boolean;
}

/**
 * By gRPC status code. UNAUTHENTICATED and PERMISSION_DENIED have Nexus types, but those would blame the caller for a
 * handler that may not talk to its own Temporal server; INTERNAL is retried until somebody has mended that.
 */
const BY_GRPC_STATUS: Readonly<Record<number, Row>> = {
  1: { type: 'INTERNAL' }, // CANCELLED
  2: { type: 'INTERNAL' }, // UNKNOWN
  3: { type: 'BAD_REQUEST' }, // INVALID_ARGUMENT
  4: { type: 'UPSTREAM_TIMEOUT' }, // DEADLINE_EXCEEDED
  5: { type: 'NOT_FOUND' }, // NOT_FOUND
  6: { type: 'INTERNAL', retryable: false }, // ALREADY_EXISTS
  7: { type: 'INTERNAL' }, // PERMISSION_DENIED
  8: { type: 'RESOURCE_EXHAUSTED' }, // RESOURCE_EXHAUSTED
  9: { type: 'INTERNAL', retryable: false }, // FAILED_PRECONDITION
  10: { type: 'UNAVAILABLE' }, // ABORTED
  11: { type: 'INTERNAL', retryable: false }, // OUT_OF_RANGE
  12: { type: 'NOT_IMPLEMENTED' }, // UNIMPLEMENTED
  13: { type: 'INTERNAL' }, // INTERNAL
  14: { type: 'UNAVAILABLE' }, // UNAVAILABLE
  15: { type: 'INTERNAL' }, // DATA_LOSS
  16: { type: 'INTERNAL' }, // UNAUTHENTICATED
};
