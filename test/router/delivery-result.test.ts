import { HandlerErrorType } from 'nexus-rpc';
import { expect, it } from 'vitest';
import { formatFailureResponse, formatStartResponse } from '../../src/nexus/response.ts';
import { deliveryResultOf } from '../../src/router/delivery-result.ts';
import { InvokeError, type InvokeErrorReason } from '../../src/router/errors.ts';

const SECONDS = 10_000;

/** A handler's answer with such an error, in the form for newer servers or for older ones. */
function errorOf(
  type: string,
  {
    retryBehavior,
    failureSupport = true,
  }: { retryBehavior?: 'RETRYABLE' | 'NON_RETRYABLE'; failureSupport?: boolean } = {},
) {
  const info = {
    type,
    ...(retryBehavior && { retryBehavior: `NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_${retryBehavior}` as const }),
  };
  return formatFailureResponse({ message: 'no', nexusHandlerFailureInfo: info }, { failureSupport });
}

const RETRYABLE = ['RESOURCE_EXHAUSTED', 'INTERNAL', 'UNAVAILABLE', 'UPSTREAM_TIMEOUT', 'REQUEST_TIMEOUT', 'UNKNOWN'];

it.each([true, false])(
  'fails for retryable handler errors, and for no others (failure support: %s)',
  (failureSupport) => {
    const types = Object.keys(HandlerErrorType);
    const failing = types.filter(
      (type) => deliveryResultOf(errorOf(type, { failureSupport }), SECONDS).kind === 'failed',
    );
    expect(failing.sort()).toEqual([...RETRYABLE].sort());
    const others = types.filter((type) => !failing.includes(type));
    for (const type of others) {
      expect(deliveryResultOf(errorOf(type, { failureSupport }), SECONDS)).toEqual({ kind: 'succeeded' });
    }
  },
);

it.each([true, false])('goes by what the handler says of retries (failure support: %s)', (failureSupport) => {
  const final = errorOf('INTERNAL', { retryBehavior: 'NON_RETRYABLE', failureSupport });
  expect(deliveryResultOf(final, SECONDS)).toEqual({ kind: 'succeeded' });
  const again = errorOf('BAD_REQUEST', { retryBehavior: 'RETRYABLE', failureSupport });
  expect(deliveryResultOf(again, SECONDS)).toMatchObject({ kind: 'failed' });
});

it('says what failed, by its type', () => {
  expect(deliveryResultOf(errorOf('UNAVAILABLE'), SECONDS)).toEqual({ kind: 'failed', message: 'UNAVAILABLE: no' });
});

it.each(['failed', 'canceled'] as const)(
  'takes an operation that %s for an answer of a handler that works',
  (operationState) => {
    const response = formatFailureResponse({ message: 'sold out' }, { failureSupport: true, operationState });
    expect(deliveryResultOf(response, SECONDS)).toEqual({ kind: 'succeeded' });
  },
);

it('takes a result and a token for answers of a handler that works', () => {
  const payload = { metadata: {}, data: new Uint8Array() };
  for (const response of [
    formatStartResponse({ kind: 'sync', payload, links: [] }),
    formatStartResponse({ kind: 'async', token: 'a', links: [] }),
    { status: 202, headers: {}, body: new Uint8Array() },
  ]) {
    expect(deliveryResultOf(response, SECONDS)).toEqual({ kind: 'succeeded' });
  }
});

it.each([301, 418, 502])('fails for status %i of something in between', (status) => {
  const body = new TextEncoder().encode('<html>');
  expect(deliveryResultOf({ status, headers: {}, body }, SECONDS)).toMatchObject({ kind: 'failed' });
});

const KINDS: Readonly<Record<InvokeErrorReason, string>> = {
  crashed: 'failed',
  module: 'failed',
  timeout: 'failed',
  'bad-answer': 'failed',
  unreachable: 'failed',
  'too-large': 'unjudged',
  'no-handler': 'not-reached',
  'request-too-large': 'not-reached',
  throttled: 'not-reached',
};

it.each(Object.entries(KINDS))('where there is no answer, because of %s, it %s', (reason, kind) => {
  const result = deliveryResultOf(new InvokeError(reason as InvokeErrorReason, 'it ended'), SECONDS);
  expect(result).toEqual(kind === 'failed' ? { kind, message: 'it ended' } : { kind });
});

it('does not blame a handler for being late where it had less than a second', () => {
  const late = [new InvokeError('timeout', 'late'), errorOf('UPSTREAM_TIMEOUT'), errorOf('REQUEST_TIMEOUT')];
  for (const answer of late) {
    expect(deliveryResultOf(answer, 999)).toEqual({ kind: 'unjudged' });
    expect(deliveryResultOf(answer, 1_000)).toMatchObject({ kind: 'failed' });
  }
  expect(deliveryResultOf(new InvokeError('crashed', 'it ended'), 1)).toMatchObject({ kind: 'failed' });
  expect(deliveryResultOf(errorOf('INTERNAL'), 1)).toMatchObject({ kind: 'failed' });
});
