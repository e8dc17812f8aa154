import { HandlerError, OperationError, operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { attemptResultOf } from '../../src/operations/attempt-result.ts';
import { toHttpResponse } from '../../src/router/lambda-result.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const AT = 1_700_000_000_000;

/** What the answer of a real handler means. */
async function resultOf(handle: () => Promise<unknown>) {
  const services = [serviceHandler(service('s', { o: operation<unknown, unknown>() }), { o: handle })];
  const handler = createServiceHandler({ services, logger: recordingLogger().logger });
  const context = { awsRequestId: 'a', functionName: 'f', getRemainingTimeInMillis: () => 10_000 };
  const request = {
    method: 'POST',
    path: '/s/o',
    query: '',
    headers: { 'temporal-nexus-failure-support': 'true' },
    body: '',
  };
  const invocation = { nexusInvocation: 1, endpoint: 'e', principal: 'local', timeoutMs: 9_000, request } as const;
  return attemptResultOf(toHttpResponse(await handler(invocation, context)), AT);
}

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): NexusHttpResponse => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
});

const throwing = (error: unknown) => async () => {
  throw error;
};

describe('the answer of a handler', () => {
  it('that has a result ends the operation with it', async () => {
    expect(await resultOf(async () => ({ total: 3 }))).toEqual({
      kind: 'ended',
      outcome: {
        state: 'succeeded',
        at: AT,
        links: [],
        payload: {
          metadata: { encoding: Buffer.from('json/plain').toString('base64') },
          data: Buffer.from('{"total":3}').toString('base64'),
        },
      },
    });
  });

  it('with a token of its own hands the operation over', () => {
    const link = '<temporal:///namespaces/n>; type="t"';
    expect(attemptResultOf(answer(201, { token: 'inner', state: 'running' }, { 'nexus-link': link }), AT)).toEqual({
      kind: 'handed-over',
      token: 'inner',
      links: [{ url: 'temporal:///namespaces/n', type: 't' }],
    });
  });

  it.each(['failed', 'canceled'] as const)('whose operation %s ends it so, with what it said', async (state) => {
    expect(await resultOf(throwing(new OperationError(state, 'no stock')))).toMatchObject({
      kind: 'ended',
      outcome: { state, at: AT, failure: { message: 'no stock' } },
    });
  });

  it.each([
    ['an error', new Error('boom'), true],
    ['a retryable one', new HandlerError('UNAVAILABLE', 'boom'), true],
    ["a caller's mistake", new HandlerError('BAD_REQUEST', 'boom'), false],
    ['one that says not to try again', new HandlerError('INTERNAL', 'boom', { retryableOverride: false }), false],
    ['one that says to try again', new HandlerError('NOT_FOUND', 'boom', { retryableOverride: true }), true],
  ])('that is %s failed, and says what was thrown and whether to try again', async (_, error, retryable) => {
    expect(await resultOf(throwing(error))).toMatchObject({ kind: 'failed', retryable, message: 'boom' });
  });

  it('keeps a failure as a direct caller gets it', async () => {
    const result = await resultOf(throwing(new HandlerError('BAD_REQUEST', 'no such item', { cause: new Error('7') })));
    expect(result).toMatchObject({
      failure: {
        message: 'no such item',
        nexusHandlerFailureInfo: { type: 'BAD_REQUEST' },
        cause: { message: '7' },
      },
    });
  });

  it.each([
    ['a page of a middleware', answer(502, '<html>', { 'content-type': 'text/html' })],
    ['JSON that is no failure', answer(500, '[]')],
    ['JSON that is broken', answer(424, '{')],
    ['a token without its state', answer(201, { token: 'inner' })],
    ['an empty token', answer(201, { token: '', state: 'running' })],
    ['a redirect', answer(302, '')],
    [
      'a failure whose details are none',
      answer(500, { message: 'x', metadata: { type: 'temporal.api.failure.v1.Failure' }, details: [1] }),
    ],
    [
      'an operation error whose cause is none',
      answer(424, {
        message: 'x',
        metadata: { type: 'nexus.OperationError', 'unwrap-error': 'true' },
        details: { state: 'failed' },
        cause: { message: 'y', metadata: { type: 'temporal.api.failure.v1.Failure' }, details: 'none' },
      }),
    ],
  ])('that is none (%s) is a failed attempt, which is made again', (_, response) => {
    const result = attemptResultOf(response, AT);
    expect(result).toMatchObject({ kind: 'failed', retryable: true, failure: { message: expect.any(String) } });
    expect(result).toHaveProperty('message', expect.stringMatching(/./));
  });
});
