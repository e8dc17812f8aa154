import { HandlerError, OperationError } from 'nexus-rpc';
import { encodeBase64 } from '../nexus/base64.ts';
import type { Payload } from '../nexus/payload.ts';
import type { JsonPayload, ProtoFailure } from '../nexus/proto-failure.ts';

/** Causes deeper than this are cut: an error that is its own cause must not end the answer. */
const MAX_CAUSES = 20;

type Encode = (value: unknown) => Payload;

/**
 * An error as the Temporal SDK's default failure converter would write it, without loading the SDK. The errors of
 * `@temporalio/common` are known by the marks that they carry for exactly this: to be known across package copies.
 */
export function plainFailure(error: unknown, encode: Encode, depth = 0): ProtoFailure {
  if (!(error instanceof Error)) return { source: SOURCE, message: describeNonError(error) };
  const cause = error.cause;
  const failure: ProtoFailure = {
    source: SOURCE,
    message: error.message,
    ...(error.stack && { stackTrace: error.stack }),
    ...(cause !== undefined &&
      cause !== null &&
      depth < MAX_CAUSES && { cause: plainFailure(cause, encode, depth + 1) }),
  };
  if (error instanceof HandlerError) {
    const { type, retryableOverride } = error;
    return {
      ...failure,
      nexusHandlerFailureInfo: {
        type,
        ...(retryableOverride !== undefined && {
          retryBehavior: retryableOverride
            ? 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE'
            : 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE',
        }),
      },
    };
  }
  // As the outcome of an operation only: as the cause of something else the SDK treats it as any error.
  if (error instanceof OperationError && depth === 0) {
    return error.state === 'canceled'
      ? { ...failure, canceledFailureInfo: {} }
      : { ...failure, applicationFailureInfo: { type: 'OperationError', nonRetryable: true } };
  }
  if (isApplicationFailure(error)) {
    return {
      ...failure,
      applicationFailureInfo: {
        ...(error.type !== undefined && error.type !== null && { type: error.type }),
        ...(error.nonRetryable === true && { nonRetryable: true }),
        ...details(error.details, encode),
      },
    };
  }
  if (isMarked(error, 'CancelledFailure')) return { ...failure, canceledFailureInfo: details(error.details, encode) };
  return failure;
}

/** `SDK` means TypeScript's to the servers and user interfaces that show it. */
const SOURCE = 'TypeScriptSDK';

interface Marked {
  readonly type?: string | null;
  readonly nonRetryable?: boolean | null;
  readonly details?: unknown[] | null;
}

/** True for the SDK's ApplicationFailure, of whatever copy of `@temporalio/common`. */
export function isApplicationFailure(error: unknown): error is Error & Marked {
  return isMarked(error, 'ApplicationFailure');
}

function isMarked(error: unknown, name: string): error is Error & Marked {
  return (
    error instanceof Error && (error as unknown as Record<symbol, unknown>)[Symbol.for(`__temporal_is${name}`)] === true
  );
}

function details(values: unknown[] | null | undefined, encode: Encode): { details?: { payloads: JsonPayload[] } } {
  if (!values?.length) return {};
  return { details: { payloads: values.map((value) => jsonPayload(encode(value))) } };
}

/** A payload as protojson. */
export function jsonPayload({ metadata, data }: Payload): JsonPayload {
  return {
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, encodeBase64(value)])),
    data: encodeBase64(data),
  };
}

function describeNonError(thrown: unknown): string {
  let shown = String(thrown);
  if (typeof thrown === 'object') {
    try {
      shown = JSON.stringify(thrown);
    } catch {
      // A cycle or a BigInt inside: what String() made of it is all there is to show.
    }
  }
  return `${shown} [a value that is no Error was thrown; throw Errors, they carry a stack trace]`;
}
