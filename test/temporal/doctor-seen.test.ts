import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { callbackSeen, endedOperationSeen, pendingOperationSeen } from '../../src/temporal/doctor-seen.ts';

const { CallbackState, PendingNexusOperationState: State } = proto.temporal.api.enums.v1;

describe('a pending operation', () => {
  it('waits until it is started', () => {
    expect(pendingOperationSeen({ state: State.PENDING_NEXUS_OPERATION_STATE_SCHEDULED })).toEqual({
      state: 'waiting',
      attempts: 0,
    });
    const lastAttemptFailure = { message: 'connection refused', applicationFailureInfo: { type: 'CallError' } };
    const backingOff = { state: State.PENDING_NEXUS_OPERATION_STATE_BACKING_OFF, attempt: 2, lastAttemptFailure };
    expect(pendingOperationSeen(backingOff)).toEqual({
      state: 'waiting',
      attempts: 2,
      failure: { message: 'connection refused' },
    });
    const blocked = {
      state: State.PENDING_NEXUS_OPERATION_STATE_BLOCKED,
      blockedReason: 'The circuit breaker is open.',
    };
    expect(pendingOperationSeen(blocked)).toMatchObject({ blocked: 'The circuit breaker is open.' });
  });

  it('has a token once it is, under the name of before 1.27 as well', () => {
    const started = { state: State.PENDING_NEXUS_OPERATION_STATE_STARTED };
    expect(pendingOperationSeen({ ...started, operationToken: 'token' })).toEqual({ state: 'started', token: 'token' });
    expect(pendingOperationSeen({ ...started, operationId: 'id' })).toEqual({ state: 'started', token: 'id' });
  });
});

describe('an operation that is pending no more', () => {
  const failed = (cause: object) => {
    const wrapper = { message: 'nexus operation completed unsuccessfully', nexusOperationExecutionFailureInfo: {} };
    return [{}, { nexusOperationFailedEventAttributes: { failure: { ...wrapper, cause } } }];
  };

  it('is read from its event', () => {
    expect(endedOperationSeen([{}, { nexusOperationCompletedEventAttributes: {} }])).toEqual({ state: 'completed' });
    expect(endedOperationSeen([{}])).toEqual({ state: 'waiting', attempts: 0 });
    expect(endedOperationSeen([{ workflowExecutionTerminatedEventAttributes: {} }])).toMatchObject({ state: 'failed' });
  });

  it('failed with the words and the type of the innermost cause, as 1.29 and 1.32 tell them', () => {
    const old = {
      message: 'handler error (UNAUTHORIZED): Forbidden',
      cause: { message: 'Forbidden', applicationFailureInfo: { type: 'NexusFailure' } },
      nexusHandlerFailureInfo: { type: 'UNAUTHORIZED' },
    };
    const typed = { nexusHandlerFailureInfo: { type: 'UNAUTHORIZED' }, cause: { message: 'Forbidden' } };
    for (const cause of [old, typed]) {
      expect(endedOperationSeen(failed(cause))).toEqual({
        state: 'failed',
        failure: { message: 'Forbidden', type: 'UNAUTHORIZED' },
      });
    }
  });

  it('failed with its type where it has no words', () => {
    expect(endedOperationSeen(failed({ nexusHandlerFailureInfo: { type: 'NOT_FOUND' } }))).toMatchObject({
      failure: { message: '', type: 'NOT_FOUND' },
    });
  });
});

it.each([
  [CallbackState.CALLBACK_STATE_STANDBY, 'standby'],
  [CallbackState.CALLBACK_STATE_SCHEDULED, 'waiting'],
  [CallbackState.CALLBACK_STATE_BACKING_OFF, 'waiting'],
  [CallbackState.CALLBACK_STATE_FAILED, 'failed'],
  [CallbackState.CALLBACK_STATE_SUCCEEDED, 'delivered'],
  [CallbackState.CALLBACK_STATE_BLOCKED, 'blocked'],
])('a callback in state %d is %s', (state, expected) => {
  const callback = { nexus: { url: 'http://host/x', header: { 'temporal-callback-token': 's3cret' } } };
  const seen = callbackSeen({ callback, state, attempt: 1, lastAttemptFailure: { message: 'no' } });
  expect(seen).toEqual({ url: 'http://host/x', state: expected, attempts: 1, failure: { message: 'no' } });
});
