import proto from '@temporalio/proto';

const { CallbackState, PendingNexusOperationState } = proto.temporal.api.enums.v1;

type Failure = proto.temporal.api.failure.v1.IFailure;

/** A failure in words. */
export interface FailureSeen {
  /** Of the innermost cause: those around it say less. */
  readonly message: string;
  /** Type of the handler error, where it is one. */
  readonly type?: string;
}

/** How far an operation of the doctor's workflow has come. */
export type OperationSeen =
  /** Not answered yet; `attempts` are those that have ended. */
  | {
      readonly state: 'waiting';
      readonly attempts: number;
      readonly failure?: FailureSeen;
      /** Why no attempt is made, such as an open circuit breaker. */
      readonly blocked?: string;
    }
  | { readonly state: 'started'; readonly token: string }
  | { readonly state: 'completed' }
  | { readonly state: 'failed'; readonly failure: FailureSeen };

/** A callback of the workflow that the handler has started. */
export interface CallbackSeen {
  readonly url: string;
  readonly state: 'standby' | 'waiting' | 'blocked' | 'failed' | 'delivered';
  /** Those that have ended. */
  readonly attempts: number;
  readonly failure?: FailureSeen;
  readonly blocked?: string;
}

/** Reads what `describeWorkflowExecution` says of an operation. */
export function pendingOperationSeen(
  pending: proto.temporal.api.workflow.v1.IPendingNexusOperationInfo,
): OperationSeen {
  const { state, attempt, operationToken, operationId, lastAttemptFailure, blockedReason } = pending;
  // Servers before 1.27 have the old name only.
  const token = operationToken || operationId;
  if (state === PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_STARTED && token) {
    return { state: 'started', token };
  }
  return {
    state: 'waiting',
    attempts: attempt ?? 0,
    ...(lastAttemptFailure && { failure: failureSeen(lastAttemptFailure) }),
    ...(state === PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_BLOCKED && { blocked: blockedReason ?? '' }),
  };
}

/** Reads how an operation ended from the history of its workflow. */
export function endedOperationSeen(events: readonly proto.temporal.api.history.v1.IHistoryEvent[]): OperationSeen {
  for (const event of events) {
    if (event.nexusOperationCompletedEventAttributes) return { state: 'completed' };
    const failed =
      event.nexusOperationFailedEventAttributes ??
      event.nexusOperationCanceledEventAttributes ??
      event.nexusOperationTimedOutEventAttributes;
    if (failed) return { state: 'failed', failure: failureSeen(failed.failure ?? {}) };
    const ended = event.workflowExecutionTerminatedEventAttributes ?? event.workflowExecutionTimedOutEventAttributes;
    if (ended)
      return { state: 'failed', failure: { message: 'the workflow of the doctor was ended by somebody else' } };
  }
  return { state: 'waiting', attempts: 0 };
}

/** Reads what `describeWorkflowExecution` says of a callback. */
export function callbackSeen({
  callback,
  state,
  attempt,
  lastAttemptFailure,
  blockedReason,
}: proto.temporal.api.workflow.v1.ICallbackInfo): CallbackSeen {
  return {
    url: callback?.nexus?.url ?? '',
    state: STATES[state ?? CallbackState.CALLBACK_STATE_UNSPECIFIED] ?? 'waiting',
    attempts: attempt ?? 0,
    ...(lastAttemptFailure && { failure: failureSeen(lastAttemptFailure) }),
    ...(blockedReason && { blocked: blockedReason }),
  };
}

const STATES: Partial<Record<proto.temporal.api.enums.v1.CallbackState, CallbackSeen['state']>> = {
  [CallbackState.CALLBACK_STATE_STANDBY]: 'standby',
  [CallbackState.CALLBACK_STATE_FAILED]: 'failed',
  [CallbackState.CALLBACK_STATE_SUCCEEDED]: 'delivered',
  [CallbackState.CALLBACK_STATE_BLOCKED]: 'blocked',
};

function failureSeen(failure: Failure): FailureSeen {
  const chain: Failure[] = [];
  // The words of what wraps an operation's failure are Temporal's own: that there is one.
  for (let one: Failure | null | undefined = failure; one; one = one.cause) {
    if (!one.nexusOperationExecutionFailureInfo) chain.push(one);
  }
  const type = chain.find(({ nexusHandlerFailureInfo: info }) => info)?.nexusHandlerFailureInfo?.type;
  const message = chain.findLast(({ message: words }) => words)?.message ?? '';
  return { message, ...(type && { type }) };
}
