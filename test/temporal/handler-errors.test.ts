import { ServiceError } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import { coerceToHandlerError } from '@temporalio/worker/lib/nexus/conversions.js';
import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { toHandlerError } from '../../src/temporal/handler-errors.ts';

const grpcError = (code: number) =>
  new ServiceError('the call failed', {
    cause: Object.assign(new Error('grpc'), { code, details: 'd', metadata: {} }),
  });

const thrown: [string, unknown][] = [
  ...Array.from({ length: 17 }, (_, code): [string, unknown] => [
    `a client call with gRPC status ${code}`,
    grpcError(code),
  ]),
  ['a ServiceError without a status', new ServiceError('no cause')],
  ['a HandlerError', new HandlerError('CONFLICT', 'mine', { retryableOverride: true })],
  ['a non-retryable ApplicationFailure', ApplicationFailure.nonRetryable('no', 'Type', 1)],
  ['a retryable ApplicationFailure', ApplicationFailure.retryable('again')],
  ['a workflow that exists', new WorkflowExecutionAlreadyStartedError('exists', 'w', 't')],
  ['a workflow that does not', new WorkflowNotFoundError('none', 'w', 'r')],
  ['a cancellation', new CancelledFailure('canceled')],
  ['a plain error', new TypeError('bug')],
  ['a text', 'text'],
];

describe('what a handler throws becomes the HandlerError that a worker makes of it', () => {
  it.each(thrown)('%s', (_what, error) => {
    const ours = toHandlerError(error);
    const theirs = coerceToHandlerError(error);
    const visible = ({ type, message, retryable, retryableOverride, cause }: HandlerError) => ({
      type,
      message,
      retryable,
      retryableOverride,
      cause,
    });
    expect(visible(ours)).toEqual(visible(theirs as HandlerError));
  });
});
