import { HandlerError, OperationError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { parseCancelResponse, parseStartResponse } from '../../src/nexus/parse-response.ts';
import { decodePayload } from '../../src/nexus/payload-proto.ts';
import type { ProtoFailure } from '../../src/nexus/proto-failure.ts';
import {
  type FailureResponseOptions,
  formatCancelResponse,
  formatFailureResponse,
  formatStartResponse,
  isTemporalCaller,
} from '../../src/nexus/response.ts';
import { json, utf8 } from './sample.ts';

const nothing = { metadata: { encoding: utf8('binary/null') }, data: new Uint8Array() };
const links = [{ url: new URL('temporal:///a,b'), type: 'T' }];

describe('the answer to a start', () => {
  it('is 200 with the result and exactly one content header', () => {
    const payload = { metadata: { encoding: utf8('json/plain') }, data: utf8('{"ok":true}') };
    expect(formatStartResponse({ kind: 'sync', payload, links })).toEqual({
      status: 200,
      headers: { 'content-type': 'application/json', 'nexus-link': '<temporal:///a%2Cb>; type="T"' },
      body: utf8('{"ok":true}'),
    });
  });

  it('has neither body nor type where there is no result', () => {
    expect(formatStartResponse({ kind: 'sync', payload: nothing, links: [] })).toEqual({
      status: 200,
      headers: {},
      body: new Uint8Array(),
    });
  });

  it('has a type for nothing where a gateway would add one', () => {
    const format = (emptyBodyAs: 'temporal-payload' | 'json-null') =>
      formatStartResponse({ kind: 'sync', payload: nothing, links: [] }, { emptyBodyAs });
    const temporal = format('temporal-payload');
    expect(temporal.headers).toEqual({ 'content-type': 'application/x-temporal-payload' });
    expect(decodePayload(temporal.body)).toEqual(nothing);
    expect(format('json-null')).toEqual({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: utf8('null'),
    });
  });

  it('is 201 with the token of an operation that goes on', () => {
    const { status, headers, body } = formatStartResponse({ kind: 'async', token: 'token "1"', links });
    expect(status).toBe(201);
    expect(headers).toEqual({ 'content-type': 'application/json', 'nexus-link': '<temporal:///a%2Cb>; type="T"' });
    expect(json(body)).toEqual({ token: 'token "1"', state: 'running' });
  });

  it.each(['', ' a', 'a\r\nb: c', 'a\nb', 'ü', 'x'.repeat(4097)])(
    'fails for good when the handler returned the token %j',
    (token) => {
      expect(() => formatStartResponse({ kind: 'async', token, links: [] })).toThrow(
        expect.objectContaining({ type: 'INTERNAL', retryable: false, message: expect.stringContaining('token') }),
      );
    },
  );

  it('fails for good when the handler added a link that cannot be sent', () => {
    const bad = [{ url: new URL('a:///b'), type: 'T"\r\nx: y' }];
    expect(() => formatStartResponse({ kind: 'sync', payload: nothing, links: bad })).toThrow(
      expect.objectContaining({ type: 'INTERNAL', retryable: false, message: expect.stringContaining('link') }),
    );
  });
});

it('answers a cancel with 202 and nothing else', () => {
  expect(formatCancelResponse()).toEqual({ status: 202, headers: {}, body: new Uint8Array() });
});

describe('the answer for an operation that failed', () => {
  const failure: ProtoFailure = {
    message: 'declined',
    stackTrace: 'at charge',
    applicationFailureInfo: { type: 'OperationError', nonRetryable: true },
    cause: { message: 'no funds' },
  };

  it('is 424 with the state in the header and a typed wrapper, for new servers', () => {
    const { status, headers, body } = formatFailureResponse(failure, {
      failureSupport: true,
      operationState: 'failed',
    });
    expect(status).toBe(424);
    expect(headers).toEqual({ 'nexus-operation-state': 'failed', 'content-type': 'application/json' });
    expect(json(body)).toMatchObject({
      metadata: { type: 'nexus.OperationError', 'unwrap-error': 'true' },
      details: { state: 'failed' },
      cause: {
        message: 'declined',
        stackTrace: 'at charge',
        metadata: { type: 'temporal.api.failure.v1.Failure' },
        cause: { message: 'no funds' },
      },
    });
  });

  it('is 424 with the failure itself, for old servers', () => {
    const { status, headers, body } = formatFailureResponse(failure, {
      failureSupport: false,
      operationState: 'failed',
    });
    expect(status).toBe(424);
    expect(headers['nexus-operation-state']).toBe('failed');
    expect(json(body)).toMatchObject({
      message: 'declined',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: { stackTrace: 'at charge', cause: { message: 'no funds' } },
    });
  });

  it.each([true, false])(
    'is a CanceledFailure with its cause where it was canceled (failure support: %s)',
    (support) => {
      const { headers, body } = formatFailureResponse(failure, { failureSupport: support, operationState: 'canceled' });
      expect(headers['nexus-operation-state']).toBe('canceled');
      const text = new TextDecoder().decode(body);
      expect(text).toContain('"canceledFailureInfo":{}');
      expect(text).toContain('no funds');
      expect(text).not.toContain('applicationFailureInfo');
    },
  );
});

describe('the answer for a handler error', () => {
  const handlerError = (type: string, more: Partial<ProtoFailure> = {}, retry?: 'RETRYABLE' | 'NON_RETRYABLE') =>
    ({
      message: 'mine',
      nexusHandlerFailureInfo: { type, ...(retry && { retryBehavior: `NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_${retry}` }) },
      ...more,
    }) as ProtoFailure;
  const answer = (failure: ProtoFailure, options: Partial<FailureResponseOptions> = {}) =>
    formatFailureResponse(failure, { failureSupport: true, ...options });

  it('has the status of its type, and the typed failure for new servers', () => {
    const { status, headers, body } = answer(handlerError('NOT_FOUND', { stackTrace: 's', cause: { message: 'c' } }));
    expect(status).toBe(404);
    expect(headers).toEqual({ 'content-type': 'application/json' });
    expect(json(body)).toMatchObject({
      message: 'mine',
      stackTrace: 's',
      metadata: { type: 'nexus.HandlerError' },
      details: { type: 'NOT_FOUND' },
      cause: { message: 'c' },
    });
  });

  it('says whether to retry only where the error overrides its type', () => {
    expect(answer(handlerError('INTERNAL')).headers).not.toHaveProperty('nexus-request-retryable');
    expect(answer(handlerError('INTERNAL', {}, 'NON_RETRYABLE')).headers['nexus-request-retryable']).toBe('false');
    expect(answer(handlerError('BAD_REQUEST', {}, 'RETRYABLE')).headers['nexus-request-retryable']).toBe('true');
  });

  it('names the handler as the source where it is', () => {
    const fromHandler = true;
    expect(answer(handlerError('INTERNAL'), { fromHandler }).headers['temporal-nexus-failure-source']).toBe('worker');
    expect(
      answer({ message: 'm' }, { fromHandler, operationState: 'failed' }).headers['temporal-nexus-failure-source'],
    ).toBe('worker');
  });

  it('is INTERNAL with the failure as its cause where that is no handler error', () => {
    const { status, body } = answer({ message: 'plain' });
    expect(status).toBe(500);
    expect(json(body)).toMatchObject({ details: { type: 'INTERNAL' }, cause: { message: 'plain' } });
  });

  it.each(['', 'Handler error: NOT_FOUND', undefined])(
    'is the cause alone for old servers where the error itself says only %j',
    (message) => {
      const { message: _, ...failure } = handlerError('NOT_FOUND', { cause: { message: 'c', stackTrace: 'cs' } });
      const { status, body } = answer(
        { ...failure, ...(message !== undefined && { message }) },
        { failureSupport: false },
      );
      expect(status).toBe(404);
      expect(json(body)).toMatchObject({ message: 'c', details: { stackTrace: 'cs' } });
    },
  );

  it.each([
    ['NOT_FOUND', undefined, true],
    ['INTERNAL', undefined, false],
    ['UPSTREAM_TIMEOUT', undefined, false],
    ['REQUEST_TIMEOUT', undefined, false],
    ['RESOURCE_EXHAUSTED', undefined, false],
    ['NOT_IMPLEMENTED', undefined, true],
    ['CONFLICT', undefined, true],
    ['CONFLICT', 'RETRYABLE', false],
    ['INTERNAL', 'NON_RETRYABLE', true],
  ] as const)('keeps message, stack trace and cause of %s (%s) for old servers', (type, retry, nonRetryable) => {
    const failure = handlerError(type, { stackTrace: 's', cause: { message: 'c' } }, retry);
    expect(json(answer(failure, { failureSupport: false }).body)).toMatchObject({
      message: 'mine',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: {
        stackTrace: 's',
        cause: { message: 'c' },
        applicationFailureInfo: { type: 'HandlerError', nonRetryable },
      },
    });
  });

  it('says at least its type to old servers', () => {
    const body = json(answer(handlerError('NOT_FOUND', { message: '' }), { failureSupport: false }).body);
    expect(body).toMatchObject({ message: 'Handler error: NOT_FOUND' });
  });

  it.each([
    ['CONFLICT', undefined, 400, 'false'],
    ['CONFLICT', 'RETRYABLE', 400, 'true'],
    ['REQUEST_TIMEOUT', undefined, 520, undefined],
    ['REQUEST_TIMEOUT', 'NON_RETRYABLE', 520, 'false'],
    ['NOT_FOUND', undefined, 404, undefined],
  ] as const)(
    'has no status that an old Temporal server does not know: %s (%s) is %d',
    (type, retry, status, retryable) => {
      const old = answer(handlerError(type, {}, retry), { failureSupport: false, temporalCaller: true });
      expect(old.status).toBe(status);
      expect(old.headers['nexus-request-retryable']).toBe(retryable);
    },
  );

  it('keeps 409 for callers that know it', () => {
    expect(answer(handlerError('CONFLICT'), { temporalCaller: true }).status).toBe(409);
    expect(answer(handlerError('CONFLICT'), { failureSupport: false }).status).toBe(409);
  });
});

describe('what a client reads', () => {
  const response = (status: number, body: unknown, headers = {}): NexusHttpResponse => ({
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: utf8(typeof body === 'string' ? body : JSON.stringify(body)),
  });
  const thrown = (answer: NexusHttpResponse, parse: (answer: NexusHttpResponse) => unknown = parseStartResponse) => {
    try {
      parse(answer);
    } catch (error) {
      return error as HandlerError & OperationError;
    }
    throw new Error('nothing was thrown');
  };

  it('is a result with its links, in whatever charset spelling the server uses, decompressed', () => {
    const headers = {
      'content-type': 'application/json;charset=UTF-8',
      'content-encoding': 'gzip',
      'content-language': 'en',
      'nexus-link': '<a:///b>; type="T"',
    };
    expect(parseStartResponse(response(200, '1', headers))).toEqual({
      kind: 'sync',
      payload: { metadata: { encoding: utf8('json/plain') }, data: utf8('1') },
      links: [{ url: new URL('a:///b'), type: 'T' }],
    });
  });

  it('is an OperationError with what the wrapper wraps', () => {
    const failure: ProtoFailure = { message: 'declined', stackTrace: 'at charge', cause: { message: 'no funds' } };
    const error = thrown(formatFailureResponse(failure, { failureSupport: true, operationState: 'canceled' }));
    expect(error).toBeInstanceOf(OperationError);
    expect(error).toMatchObject({ state: 'canceled', message: 'declined', stack: 'at charge' });
    expect(error.cause).toMatchObject({ message: 'declined', cause: { message: 'no funds' } });
    expect(error.originalFailure?.cause?.message).toBe('declined');
  });

  it('is an OperationError by the header where the body is not typed', () => {
    const error = thrown(response(424, { message: 'm' }, { 'nexus-operation-state': 'failed' }));
    expect(error).toBeInstanceOf(OperationError);
    expect(error).toMatchObject({ state: 'failed', message: 'm' });
  });

  it('is a HandlerError by the body, whatever the status', () => {
    const body = {
      message: 'busy',
      stackTrace: 's',
      metadata: { type: 'nexus.HandlerError' },
      details: { type: 'CONFLICT', retryableOverride: true },
      cause: { message: 'c' },
    };
    expect(thrown(response(418, body))).toMatchObject({
      type: 'CONFLICT',
      message: 'busy',
      stack: 's',
      retryable: true,
      cause: { message: 'c' },
    });
  });

  it('is a HandlerError of a type that nexus-rpc does not know, kept raw', () => {
    const body = { message: 'm', metadata: { type: 'nexus.HandlerError' }, details: { type: 'FUTURE' } };
    expect(thrown(response(500, body))).toMatchObject({ type: 'UNKNOWN', rawErrorType: 'FUTURE' });
  });

  it.each([
    ['the status alone', response(503, '<html>', { 'content-type': 'text/html' }), 'UNAVAILABLE', true],
    ['the status, where the JSON is no failure', response(404, '[]'), 'NOT_FOUND', false],
    ['the status, where the JSON is broken', response(429, '{'), 'RESOURCE_EXHAUSTED', true],
    ['status and header', response(500, { message: 'm' }, { 'nexus-request-retryable': 'False' }), 'INTERNAL', false],
  ])('is a HandlerError by %s', (_, answer, type, retryable) => {
    expect(thrown(answer)).toBeInstanceOf(HandlerError);
    expect(thrown(answer)).toMatchObject({ type, retryable });
  });

  it.each([
    ['a redirect', response(307, ''), '307'],
    ['a gateway', response(502, { message: 'Internal server error' }), '502'],
    ['a token that is missing', response(201, { state: 'running' }), 'no string'],
    ['a token that is empty', response(201, { token: '', state: 'running' }), 'empty'],
    ['a state that is not running', response(201, { token: 't', state: 'failed' }), 'running'],
    ['a token of another type', response(201, 'x', { 'content-type': 'text/plain' }), 'application/json'],
    ['no object', response(201, 'null'), 'running'],
    ['broken JSON', response(201, '{'), 'JSON'],
    ['a malformed link', response(200, '1', { 'nexus-link': '<' }), 'Nexus-Link'],
    ['a failure without a state', response(424, { message: 'm' }), 'failed or canceled'],
    ['a failure that is none', response(424, 'x', { 'content-type': 'text/plain' }), 'no Nexus failure'],
  ])('is retryable where the answer is none of Nexus: %s', (_, answer, reason) => {
    const error = thrown(answer);
    expect(error).toMatchObject({ type: 'UNKNOWN', retryable: true, rawErrorType: `HTTP ${answer.status}` });
    expect(error.message).toContain(reason);
  });

  it('is nothing for a cancel that was accepted, and an error for any other status', () => {
    expect(parseCancelResponse(formatCancelResponse())).toBeUndefined();
    expect(thrown(response(200, ''), parseCancelResponse)).toMatchObject({ type: 'UNKNOWN' });
    expect(thrown(response(404, { message: 'gone' }), parseCancelResponse)).toMatchObject({
      type: 'NOT_FOUND',
      message: 'gone',
    });
  });
});

it.each([
  [{ 'user-agent': 'temporalio/server' }, true],
  [{ 'user-agent': 'Nexus-go-sdk/v0.3.0' }, true],
  [{ 'user-agent': 'mine', 'nexus-callback-temporal-callback-token': '{}' }, true],
  [{ 'user-agent': 'curl/8.5' }, false],
  [{ 'user-agent': 'my temporalio/server' }, false],
  [{}, false],
])('takes %j for a Temporal server: %s', (headers, expected) => {
  expect(isTemporalCaller(headers as Record<string, string>)).toBe(expected);
});
