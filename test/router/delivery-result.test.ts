import { HandlerError, type HandlerErrorType } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { formatFailureResponse } from '../../src/nexus/response.ts';
import { resultOfError, resultOfResponse } from '../../src/router/delivery-result.ts';
import { InvokeError, type InvokeErrorReason } from '../../src/router/errors.ts';
import { failureResponse } from '../../src/router/failure-response.ts';

const TYPES: readonly HandlerErrorType[] = [
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'UNAUTHORIZED',
  'NOT_FOUND',
  'REQUEST_TIMEOUT',
  'CONFLICT',
  'RESOURCE_EXHAUSTED',
  'INTERNAL',
  'NOT_IMPLEMENTED',
  'UNAVAILABLE',
  'UPSTREAM_TIMEOUT',
];

describe('an answer', () => {
  it.each(TYPES)('of type %s counts as a failure where nexus-rpc calls it retryable', (type) => {
    const { retryable } = new HandlerError(type);
    const expected = retryable ? { kind: 'failed', message: 'why' } : { kind: 'succeeded' };
    for (const support of ['true', 'false']) {
      const request = { headers: { 'temporal-nexus-failure-support': support } };
      expect(resultOfResponse(failureResponse(type, 'why', request))).toEqual(expected);
    }
  });

  it('whose handler says that it is final is no failure, whatever its type', () => {
    const retryBehavior = 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE' as const;
    const failure = { message: 'no', nexusHandlerFailureInfo: { type: 'INTERNAL', retryBehavior } };
    for (const failureSupport of [true, false]) {
      expect(resultOfResponse(formatFailureResponse(failure, { failureSupport }))).toEqual({ kind: 'succeeded' });
    }
  });

  it.each([200, 201, 202, 424])('of status %d says that the handler works', (status) => {
    expect(resultOfResponse({ status, headers: {}, body: new Uint8Array() })).toEqual({ kind: 'succeeded' });
  });

  it('that is no answer of Nexus is a failure', () => {
    const body = new TextEncoder().encode('<html>Bad Gateway</html>');
    expect(resultOfResponse({ status: 502, headers: { 'content-type': 'text/html' }, body })).toMatchObject({
      kind: 'failed',
    });
  });
});

it.each<[InvokeErrorReason, string]>([
  ['no-handler', 'failed'],
  ['crashed', 'failed'],
  ['module', 'failed'],
  ['timeout', 'failed'],
  ['bad-answer', 'failed'],
  ['unreachable', 'failed'],
  ['too-large', 'succeeded'],
  ['throttled', 'unjudged'],
])('a delivery without an answer (%s) is %s', (reason, kind) => {
  expect(resultOfError(new InvokeError(reason, 'why'))).toMatchObject({ kind });
});
