import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { type Completion, formatCompletion, parseCompletion } from '../../src/nexus/completion.ts';
import { json, utf8 } from './sample.ts';

const TOKEN = '{"v":1,"d":"CiQw=="}';
const succeeded: Completion = {
  state: 'succeeded',
  payload: { metadata: { encoding: utf8('json/plain') }, data: utf8('{"ok":true}') },
  token: 'token-1',
  startTime: new Date('2026-11-23T03:30:38.999Z'),
  closeTime: new Date('2026-11-23T03:30:39.123Z'),
  links: [{ url: new URL('temporal:///a'), type: 'T' }],
  callbackHeaders: { 'temporal-callback-token': TOKEN, 'x-kept': 'as given' },
};
const failed: Completion = {
  state: 'failed',
  failure: { message: 'm', stackTrace: 's', cause: { message: 'c' } },
  links: [],
  callbackHeaders: {},
};

describe('formatCompletion', () => {
  it('writes what every server wants to know of a result', () => {
    expect(formatCompletion(succeeded)).toEqual({
      headers: {
        'temporal-callback-token': TOKEN,
        'x-kept': 'as given',
        'nexus-operation-state': 'succeeded',
        'nexus-operation-token': 'token-1',
        'nexus-operation-start-time': 'Mon, 23 Nov 2026 03:30:38 GMT',
        'nexus-operation-close-time': '2026-11-23T03:30:39.123Z',
        'nexus-link': '<temporal:///a>; type="T"',
        'content-type': 'application/json',
      },
      body: utf8('{"ok":true}'),
    });
  });

  it('writes the failure itself, with stack trace and cause where old and new servers look', () => {
    const { headers, body } = formatCompletion(failed);
    expect(headers).toEqual({ 'nexus-operation-state': 'failed', 'content-type': 'application/json' });
    expect(json(body)).toEqual({
      message: 'm',
      stackTrace: 's',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: { stackTrace: 's', cause: { message: 'c' } },
    });
  });

  it('writes a CanceledFailure where the operation was canceled', () => {
    const { headers, body } = formatCompletion({ ...failed, state: 'canceled' });
    expect(headers['nexus-operation-state']).toBe('canceled');
    expect(json(body)).toMatchObject({ message: 'm', details: { canceledFailureInfo: {}, cause: { message: 'c' } } });
  });

  it('lets the token and times of callback headers count, but nothing that changes state, content or framing', () => {
    const callbackHeaders = {
      'nexus-operation-token': 'of the handler',
      'Nexus-Operation-State': 'failed',
      'content-type': 'text/html',
      'Content-Length': '0',
      'transfer-encoding': 'chunked',
      host: 'evil.example',
      connection: 'close',
    };
    expect(formatCompletion({ ...succeeded, links: [], callbackHeaders }).headers).toEqual({
      'nexus-operation-state': 'succeeded',
      'nexus-operation-token': 'of the handler',
      'nexus-operation-start-time': 'Mon, 23 Nov 2026 03:30:38 GMT',
      'nexus-operation-close-time': '2026-11-23T03:30:39.123Z',
      'content-type': 'application/json',
    });
  });

  it.each<[string, Partial<Completion>]>([
    ['a line break in a callback header', { callbackHeaders: { a: 'b\r\nc: d' } }],
    ['a line break in the name of one', { callbackHeaders: { 'a\r\nb': 'c' } }],
    ['a NUL in a callback header', { callbackHeaders: { a: 'b\0' } }],
    ['a line break in the token', { token: 'a\nb' }],
    ['an empty token', { token: '' }],
    ['a link of an illegal type', { links: [{ url: new URL('a:///b'), type: '\r\n' }] }],
    ['an invalid date', { startTime: new Date(Number.NaN) }],
    ['a date too far', { closeTime: new Date(8.64e15) }],
    ['a date that no HTTP date can name', { startTime: new Date('0099-01-01T00:00:00Z') }],
  ])('fails when given %s', (_, given) => {
    expect(() => formatCompletion({ ...succeeded, ...given } as Completion)).toThrow(TypeError);
  });
});

describe('parseCompletion', () => {
  const headers = formatCompletion(succeeded).headers;
  const startTime = (text: string) =>
    parseCompletion({ headers: { ...headers, 'nexus-operation-start-time': text }, body: utf8('1') }).startTime;

  it.each(['Mon, 23 Nov 2026 03:30:38 GMT', 'Monday, 23-Nov-26 03:30:38 GMT', 'Mon Nov 23 03:30:38 2026'])(
    'reads the HTTP date %s',
    (text) => {
      expect(startTime(text)).toEqual(new Date('2026-11-23T03:30:38Z'));
    },
  );

  it.each(['2026-11-23T03:30:38Z', 'Mon, 23 Nov 2026 03:30:38 PST', 'Mon, 99 Nov 2026 03:30:38 GMT', 'now'])(
    'fails when the start time is %s',
    (text) => {
      expect(() => startTime(text)).toThrow(/HTTP date in GMT/);
    },
  );

  it('reads a close time in nanoseconds and in a zone', () => {
    const given = { ...headers, 'nexus-operation-close-time': '2026-11-23T05:30:38.793079832+02:00' };
    expect(parseCompletion({ headers: given, body: utf8('1') }).closeTime).toEqual(
      new Date('2026-11-23T03:30:38.793Z'),
    );
  });

  it('takes an OperationError for the failure it wraps', () => {
    const body = {
      message: 'operation error',
      metadata: { type: 'nexus.OperationError', 'unwrap-error': 'true' },
      details: { state: 'failed' },
      cause: { message: 'inner' },
    };
    const given = { 'nexus-operation-state': 'failed', 'content-type': 'application/json; charset=utf-8' };
    expect(parseCompletion({ headers: given, body: utf8(JSON.stringify(body)) })).toMatchObject({
      state: 'failed',
      failure: { message: 'inner' },
    });
  });

  it.each<[string, Record<string, string>, string]>([
    ['no state', { 'nexus-operation-state': '' }, '{}'],
    ['a state that does not end', { 'nexus-operation-state': 'running' }, '{}'],
    ['a token that is no header value', { 'nexus-operation-token': 'ü' }, '{}'],
    ['a malformed link', { 'nexus-link': 'x' }, '{}'],
    ['a malformed close time', { 'nexus-operation-close-time': 'Mon, 23 Nov 2026 03:30:38 GMT' }, '{}'],
    ['a line break in a header', { 'x-a': 'b\nc' }, '{}'],
    ['a failure that is not JSON', { 'nexus-operation-state': 'failed', 'content-type': 'text/plain' }, '{}'],
    ['a failure in broken JSON', { 'nexus-operation-state': 'failed' }, '{'],
    ['a failure that is none', { 'nexus-operation-state': 'canceled' }, '[]'],
    ['a compressed result', { 'content-encoding': 'br' }, '{}'],
  ])('fails with BAD_REQUEST when given %s', (_, given, body) => {
    const parse = () => parseCompletion({ headers: { ...headers, ...given }, body: utf8(body) });
    expect(parse).toThrow(HandlerError);
    expect(parse).toThrow(expect.objectContaining({ type: 'BAD_REQUEST' }));
  });
});
