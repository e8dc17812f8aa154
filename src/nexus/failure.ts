import type { Failure } from 'nexus-rpc';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { JsonPayload, ProtoFailure } from './proto-failure.ts';

export type { Failure } from 'nexus-rpc';

/** Values of a failure's `metadata.type`: they say what its details are. */
export const FAILURE_TYPE = {
  temporal: 'temporal.api.failure.v1.Failure',
  handlerError: 'nexus.HandlerError',
  operationError: 'nexus.OperationError',
} as const;

/** Metadata of a failure that only wraps its cause: Temporal shows the cause instead. */
export const UNWRAP = 'unwrap-error';

/** How deeply a failure may nest, causes and details together: enough for any chain of errors, and for no stack to overflow. */
export const MAX_FAILURE_DEPTH = 500;

const RETRYABLE = 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE';
const NON_RETRYABLE = 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE';

/**
 * A Nexus failure as it was parsed from JSON, checked; members that are none of its own are dropped.
 *
 * @throws TypeError that names the member which is not as the Nexus specification has it.
 */
export function parseFailure(value: unknown): Failure {
  checkDepth(value);
  return parse(value, 'failure');
}

/**
 * A failure in the form of Temporal 1.31 and later (`Temporal-Nexus-Failure-Support: true`): a HandlerError is typed
 * as one, everything else is a Temporal failure; the cause is beside the details.
 */
export function toNexusFailure(proto: ProtoFailure): Failure {
  const { message, stackTrace, cause, ...details } = proto;
  const { nexusHandlerFailureInfo: info, encodedAttributes } = proto;
  const override = retryableOverrideOf(proto);
  return {
    message: message ?? '',
    ...(stackTrace && { stackTrace }),
    metadata: { type: info ? FAILURE_TYPE.handlerError : FAILURE_TYPE.temporal },
    details: info
      ? {
          type: info.type ?? '',
          ...(override !== undefined && { retryableOverride: override }),
          ...(encodedAttributes && { encodedAttributes: encodeAttributes(encodedAttributes) }),
        }
      : details,
    ...(cause && { cause: toNexusFailure(cause) }),
  };
}

/**
 * The Temporal failure that a Nexus failure means, as a Temporal server reads it: typed ones become what they were,
 * an OperationError becomes an ApplicationFailure of that type or a CanceledFailure, and one of a type that Temporal
 * does not know becomes an ApplicationFailure `NexusFailure` with the Nexus failure as its details.
 *
 * @throws TypeError where the details are not what `metadata.type` says.
 */
export function fromNexusFailure(failure: Failure): ProtoFailure {
  if (failure.metadata?.[UNWRAP] === 'true' && failure.cause) return fromNexusFailure(failure.cause);
  const { message, stackTrace } = failure;
  const own = {
    message,
    ...(stackTrace && { stackTrace }),
    ...(failure.cause && { cause: fromNexusFailure(failure.cause) }),
  };
  const details = failure.details ?? {};
  const type = failure.metadata?.type;
  if (type === FAILURE_TYPE.temporal) return { ...(record(details, 'details') as ProtoFailure), ...own };
  if (type === FAILURE_TYPE.operationError) {
    return record(details, 'details').state === 'canceled'
      ? { ...own, canceledFailureInfo: {} }
      : { ...own, applicationFailureInfo: { type: 'OperationError', nonRetryable: true } };
  }
  if (type === FAILURE_TYPE.handlerError) return { ...own, ...handlerFailure(record(details, 'details')) };
  if (failure.metadata === undefined && failure.details === undefined) return own;
  const { message: _, stackTrace: __, ...rest } = failure;
  const says = failure.details !== undefined || Object.keys(failure.metadata ?? {}).length > 0;
  const info = { type: 'NexusFailure', ...(says && { details: { payloads: [jsonPayload(rest)] } }) };
  return { ...own, applicationFailureInfo: info };
}

/** What a handler failure says about retries; `undefined` where its type decides. */
export function retryableOverrideOf({ nexusHandlerFailureInfo: info }: ProtoFailure): boolean | undefined {
  if (info?.retryBehavior === RETRYABLE) return true;
  return info?.retryBehavior === NON_RETRYABLE ? false : undefined;
}

function handlerFailure(details: Record<string, unknown>): Partial<ProtoFailure> {
  const { type, retryableOverride: override, encodedAttributes } = details;
  return {
    nexusHandlerFailureInfo: {
      type: typeof type === 'string' ? type : '',
      ...(typeof override === 'boolean' && { retryBehavior: override ? RETRYABLE : NON_RETRYABLE }),
    },
    ...(typeof encodedAttributes === 'string' &&
      encodedAttributes && { encodedAttributes: decodeAttributes(encodedAttributes) }),
  };
}

function encodeAttributes(attributes: JsonPayload): string {
  const base64 = encodeBase64(new TextEncoder().encode(JSON.stringify(attributes)));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decodeAttributes(text: string): JsonPayload {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(decodeBase64(text)));
  } catch (cause) {
    throw new TypeError('details.encodedAttributes of the failure is not JSON in base64', { cause });
  }
  return record(value, 'details.encodedAttributes') as JsonPayload;
}

function jsonPayload(value: unknown): JsonPayload {
  return {
    metadata: { encoding: encodeBase64(new TextEncoder().encode('json/plain')) },
    data: encodeBase64(new TextEncoder().encode(JSON.stringify(value))),
  };
}

function parse(value: unknown, path: string): Failure {
  const { message, stackTrace, metadata, details, cause } = record(value, path);
  return {
    message: text(message, `${path}.message`) ?? '',
    ...(present(stackTrace) && { stackTrace: text(stackTrace, `${path}.stackTrace`) as string }),
    ...(present(metadata) && { metadata: texts(metadata, `${path}.metadata`) }),
    ...(present(details) && { details: details as Record<string, unknown> }),
    ...(present(cause) && { cause: parse(cause, `${path}.cause`) }),
  };
}

function present(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function text(value: unknown, path: string): string | undefined {
  if (!present(value)) return undefined;
  if (typeof value !== 'string') throw new TypeError(`${path} must be a string; it is ${kindOf(value)}`);
  return value;
}

function texts(value: unknown, path: string): Record<string, string> {
  for (const [name, member] of Object.entries(record(value, path))) {
    if (typeof member !== 'string') throw new TypeError(`${path}.${name} must be a string; it is ${kindOf(member)}`);
  }
  return value as Record<string, string>;
}

function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${path} must be an object; it is ${kindOf(value)}`);
  }
  return value as Record<string, unknown>;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

function checkDepth(value: unknown): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_FAILURE_DEPTH) {
      throw new TypeError(`the failure nests deeper than ${MAX_FAILURE_DEPTH} levels`);
    }
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
}
