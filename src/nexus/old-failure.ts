import { FAILURE_TYPE, type Failure } from './failure.ts';
import type { ProtoFailure } from './proto-failure.ts';

type Fields = { [name: string]: Fields | true };

const PAYLOAD: Fields = { metadata: true, data: true };
const PAYLOADS: Fields = { payloads: PAYLOAD };
const NAME: Fields = { name: true };

/** temporal.api.failure.v1.Failure as server 1.29 knows it (API 1.53). It refuses a failure with any other field. */
const FAILURE: Fields = {
  message: true,
  source: true,
  stackTrace: true,
  encodedAttributes: PAYLOAD,
  applicationFailureInfo: {
    type: true,
    nonRetryable: true,
    details: PAYLOADS,
    nextRetryDelay: true,
    category: true,
  },
  timeoutFailureInfo: { timeoutType: true, lastHeartbeatDetails: PAYLOADS },
  canceledFailureInfo: { details: PAYLOADS },
  terminatedFailureInfo: {},
  serverFailureInfo: { nonRetryable: true },
  resetWorkflowFailureInfo: { lastHeartbeatDetails: PAYLOADS },
  activityFailureInfo: {
    scheduledEventId: true,
    startedEventId: true,
    identity: true,
    activityType: NAME,
    activityId: true,
    retryState: true,
  },
  childWorkflowExecutionFailureInfo: {
    namespace: true,
    workflowExecution: { workflowId: true, runId: true },
    workflowType: NAME,
    initiatedEventId: true,
    startedEventId: true,
    retryState: true,
  },
  nexusOperationExecutionFailureInfo: {
    scheduledEventId: true,
    endpoint: true,
    service: true,
    operation: true,
    operationId: true,
    operationToken: true,
  },
  nexusHandlerFailureInfo: { type: true, retryBehavior: true },
};
FAILURE.cause = FAILURE;

/**
 * A failure in the form that every Temporal server reads. Those before 1.31 look at message, metadata and details
 * only, so the stack trace and the causes are inside the details; later ones want the stack trace outside as well.
 */
export function toOldNexusFailure(proto: ProtoFailure): Failure {
  const { message, ...details } = picked(proto, FAILURE) as ProtoFailure;
  return {
    message: message ?? '',
    ...(proto.stackTrace && { stackTrace: proto.stackTrace }),
    metadata: { type: FAILURE_TYPE.temporal },
    details,
  };
}

/**
 * The failure of a canceled operation. Temporal before 1.31 keeps cause and details only of a CanceledFailure, so any
 * other becomes one, as later servers make of it.
 */
export function asCanceled(proto: ProtoFailure): ProtoFailure {
  if (proto.canceledFailureInfo) return proto;
  const { message, source, stackTrace, encodedAttributes, cause } = proto;
  const kept = Object.entries({ message, source, stackTrace, encodedAttributes, cause });
  return { ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)), canceledFailureInfo: {} };
}

function picked(value: unknown, fields: Fields | true): unknown {
  if (fields === true || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => picked(one, fields));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(fields, name))
      .map(([name, member]) => [name, picked(member, fields[name] ?? true)]),
  );
}
