import { HandlerError } from 'nexus-rpc';
import { isApplicationFailure } from './plain-failure.ts';

/** What a worker makes of whatever a handler threw, as far as it needs no `@temporalio/client` to tell. */
export function toHandlerError(error: unknown): HandlerError {
  if (error instanceof HandlerError) return error;
  if (isApplicationFailure(error) && error.nonRetryable) {
    return new HandlerError('INTERNAL', 'Handler failed with non-retryable application error', {
      cause: error,
      retryableOverride: false,
    });
  }
  return new HandlerError('INTERNAL', undefined, { cause: error });
}

/**
 * The answer where a handler is not done at its deadline. UPSTREAM_TIMEOUT, as for a worker that misses it: Temporal
 * 1.29 reads the status of REQUEST_TIMEOUT as an unexpected response.
 */
export function deadlineError(service: string, operation: string, timeMs: number, cause?: unknown): HandlerError {
  const message =
    timeMs > 0 ? `was not done within the ${Math.round(timeMs)} ms it had` : 'had no time left when it was called';
  return new HandlerError('UPSTREAM_TIMEOUT', `operation '${service}/${operation}' ${message}`, {
    cause,
    stackTrace: '',
  });
}
