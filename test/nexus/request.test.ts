import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { formatRequest } from '../../src/nexus/format-request.ts';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, parseRequest, type StartRequest } from '../../src/nexus/request.ts';
import { httpRequest, parsedCancel, parsedStart, utf8 } from './sample.ts';

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const refusal = (given: Partial<NexusHttpRequest>, options = {}) => {
  try {
    parseRequest(httpRequest(given), options);
  } catch (error) {
    expect(error).toBeInstanceOf(HandlerError);
    return error as HandlerError;
  }
  throw new Error('it was accepted');
};
const TEMPORAL = { 'user-agent': 'temporalio/server' };

describe('the path of a start', () => {
  it.each([
    ['/a/b', 'a', 'b'],
    ['/my%20svc%2Fv1/charge', 'my svc/v1', 'charge'],
    ['/a/b%252F', 'a', 'b%2F'],
    ['/a/..%2Fetc%2Fpasswd', 'a', '../etc/passwd'],
    ['/../b', '..', 'b'],
    ['/a/cancel', 'a', 'cancel'],
    ['/%C3%BC/b+c', 'ü', 'b+c'],
    ['/ü/b', 'ü', 'b'],
    ['/__proto__/constructor', '__proto__', 'constructor'],
    [`/${'a'.repeat(1000)}/b`, 'a'.repeat(1000), 'b'],
  ])('%s names service %j and operation %j', (path, service, operation) => {
    expect(parsedStart({ path })).toMatchObject({ kind: 'start', service, operation });
  });

  it.each(['', '/', '/a', 'a/b', '/a/b/', '/a/b/c', '/a/b/c/d', '/a/b/c/d/cancel', '/a/b/cancel/', '/a/b/Cancel'])(
    'is NOT_FOUND at %j, with the paths that there are',
    (path) => {
      const error = refusal({ path });
      expect(error.type).toBe('NOT_FOUND');
      expect(error.message).toContain('/{service}/{operation}/cancel');
    },
  );

  it.each([
    ['//b', 'empty'],
    ['/a/', 'empty'],
    ['//b/cancel', 'empty'],
    ['/a/%', 'percent-encoded'],
    ['/a/%zz', 'percent-encoded'],
    ['/a/%ff', 'percent-encoded'],
    ['/a/%C0%80', 'percent-encoded'],
    ['/a/%ED%A0%80', 'percent-encoded'],
    ['/a/\ud800', 'surrogate'],
    [`/a/${'ü'.repeat(501)}`, '1002 bytes'],
  ])('is BAD_REQUEST at %j', (path, reason) => {
    const error = refusal({ path });
    expect(error.type).toBe('BAD_REQUEST');
    expect(error.message).toContain(reason);
  });
});

describe('the path as a gateway decoded it', () => {
  const decodedPath = [
    { name: 'a', operations: ['b', 'b/c', 'cancel', '100%', 'x'] },
    { name: 'a/b', operations: ['c'] },
    { name: 'my svc', operations: ['ü/ö'] },
  ];
  const target = (path: string) => {
    const { kind, service, operation, ...rest } = parseRequest(
      httpRequest({ path, headers: { 'nexus-operation-token': 'header' } }),
      { decodedPath },
    );
    return [kind, service, operation, 'token' in rest ? rest.token : undefined];
  };

  it.each([
    ['/a/b', ['start', 'a', 'b', undefined]],
    ['/a/100%', ['start', 'a', '100%', undefined]],
    ['/my svc/ü/ö', ['start', 'my svc', 'ü/ö', undefined]],
    ['/my svc/ü/ö/cancel', ['cancel', 'my svc', 'ü/ö', 'header']],
    ['/my svc/ü/ö/to/ken/cancel', ['cancel', 'my svc', 'ü/ö', 'to/ken']],
    ['/a/cancel', ['start', 'a', 'cancel', undefined]],
    ['/a/cancel/cancel', ['cancel', 'a', 'cancel', 'header']],
    ['/a/b/cancel', ['cancel', 'a', 'b', 'header']],
    ['/a/x/cancel/cancel', ['cancel', 'a', 'x', 'cancel']],
  ])('%j is read by the names in the contract', (path, expected) => {
    expect(target(path)).toEqual(expected);
  });

  it.each(['/a', '/a/z', '/a/b/', '/a/bb', '/a/b/t', '/my%20svc/ü/ö', '/a/x//cancel'])('%j is NOT_FOUND', (path) => {
    expect(refusal({ path }, { decodedPath }).type).toBe('NOT_FOUND');
  });
});

describe('the token of a cancel', () => {
  const header = { 'nexus-operation-token': 'in header' };
  it.each([
    ['the header', { headers: header }, 'in header'],
    ['the query', { query: 'x=100%&token=in+the%20query&token=2' }, 'in the query'],
    ['the query, where the header is empty', { headers: { 'nexus-operation-token': '' }, query: 'token=q' }, 'q'],
    ['the header before the query', { headers: header, query: 'token=q' }, 'in header'],
    ['the path', { path: '/a/b/in%2Fpath/cancel' }, 'in/path'],
    ['the path before the header', { path: '/a/b/p/cancel', headers: header }, 'p'],
  ])('comes from %s', (_, given, token) => {
    const parsed = parsedCancel(given);
    expect(parsed).toMatchObject({ kind: 'cancel', token });
    expect(parsed.headers).not.toHaveProperty('nexus-operation-token');
  });

  it.each([
    ['missing', {}, 'Nexus-Operation-Token'],
    ['empty in the path', { path: '/a/b//cancel' }, 'empty'],
    ['too long', { headers: { 'nexus-operation-token': 'x'.repeat(4097) } }, '4096'],
    ['no header value', { path: '/a/b/x%0D%0Ay/cancel' }, 'header value'],
    ['beyond ASCII', { query: 'token=%C3%BC' }, 'header value'],
    ['malformed in the query', { query: 'token=%zz' }, 'percent-encoded'],
  ])('is BAD_REQUEST where it is %s', (_, given, reason) => {
    const error = refusal({ path: '/a/b/cancel', ...given });
    expect(error.type).toBe('BAD_REQUEST');
    expect(error.message).toContain(reason);
  });

  it('has at most 4096 bytes', () => {
    expect(parsedCancel({ headers: { 'nexus-operation-token': 'x'.repeat(4096) } }).token).toHaveLength(4096);
  });
});

describe('the callback', () => {
  const callback = (url: string) =>
    parsedStart({ query: `a=%zz&callback=${encodeURIComponent(url)}&callback=2` }).callbackUrl;

  it.each([
    'http://127.0.0.1:7243/namespaces/default/nexus/callback',
    'https://user:pass@x.io/?q=a+b',
    'HTTPS://x.io',
    'temporal://system',
    `https://x.io/${'a'.repeat(5000)}`,
  ])('%s is taken as it is', (url) => {
    expect(callback(url)).toBe(url);
  });

  it('is none where it is absent or empty', () => {
    expect(parsedStart().callbackUrl).toBeUndefined();
    expect(parsedStart({ query: 'callback=' }).callbackUrl).toBeUndefined();
    expect(parsedStart({ query: 'callback' }).callbackUrl).toBeUndefined();
    expect(parsedStart({ query: 'xcallback=https://x.io' }).callbackUrl).toBeUndefined();
  });

  it.each([
    'x.io',
    '/relative',
    'http:x.io',
    'http://',
    'https:///path',
    'ftp://x.io',
    'file:///etc/passwd',
    'temporal://other',
    'javascript:alert(1)',
    'https://x.io\r\nx: y',
    ' https://x.io',
    'https://x .io',
    'https://x.io:99999',
  ])('%j is BAD_REQUEST', (url) => {
    expect(() => callback(url)).toThrow(expect.objectContaining({ type: 'BAD_REQUEST' }));
  });

  it('is BAD_REQUEST where its escapes are malformed', () => {
    expect(refusal({ query: 'callback=%zz' }).message).toContain('percent-encoded');
  });
});

describe('the headers of a start', () => {
  it('are what a handler on a worker sees', () => {
    const headers = {
      authorization: 'Basic x',
      'content-type': 'application/json',
      'content-length': '4',
      'transfer-encoding': 'chunked',
      host: 'x.io',
      'accept-encoding': 'gzip',
      'x-forwarded-for': '10.0.0.1',
      'xdc-redirection-api': 'true',
      'nexus-callback-a': '1',
      'temporal-nexus-failure-support': 'true',
      'X-Mine': ' kept ',
      'nexus-request-id': 'id-1',
      'request-timeout': '1s',
      'user-agent': 'curl/8',
    };
    const parsed = parsedStart({ headers, body: utf8('null') });
    expect(parsed).toMatchObject({
      requestId: 'id-1',
      requestTimeoutMs: 1000,
      failureSupport: true,
      callbackHeaders: { a: '1' },
    });
    expect(parsed.headers).toEqual({
      'x-mine': 'kept',
      'nexus-request-id': 'id-1',
      'request-timeout': '1s',
      'user-agent': 'curl/8',
    });
  });

  it('mean nothing where they are empty', () => {
    const headers = { 'request-timeout': '', 'operation-timeout': '', 'nexus-request-id': '', 'nexus-link': '' };
    const parsed = parsedStart({ headers });
    expect(parsed.requestTimeoutMs).toBeUndefined();
    expect(parsed.operationTimeoutMs).toBeUndefined();
    expect(parsed.requestId).toBeUndefined();
    expect(parsed.links).toEqual([]);
  });

  it('say that the time is over where a timeout is negative', () => {
    expect(parsedStart({ headers: { 'request-timeout': '-3s' } }).requestTimeoutMs).toBe(-3000);
  });

  it('ask for the new form of failures only with the word true', () => {
    expect(parsedStart({ headers: { 'temporal-nexus-failure-support': '1' } }).failureSupport).toBe(false);
  });

  it('may be named as members of every object are', () => {
    const headers = JSON.parse('{"__proto__":"a","constructor":"b","nexus-callback-__proto__":"c"}');
    const parsed = parsedStart({ headers });
    expect(Object.entries(parsed.headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(Object.getPrototypeOf(parsed.callbackHeaders)).toBe(Object.prototype);
    expect(Object.entries(parseRequest(formatRequest(parsed)).headers)).toEqual(Object.entries(parsed.headers));
  });

  it('may hold text beyond Latin-1, but not where it would have to be sent back', () => {
    expect(parsedStart({ headers: { 'x-name': '日本' } }).headers).toEqual({ 'x-name': '日本' });
    expect(refusal({ headers: { 'nexus-callback-name': '日本' } }).message).toContain('nexus-callback-name');
  });
});

describe('the payload of a start', () => {
  const encoding = (given: Partial<NexusHttpRequest>) => text(parsedStart(given).payload.metadata.encoding);

  it.each([
    ['nothing', {}, '', 'binary/null'],
    ['JSON', { 'content-type': 'application/json' }, '{}', 'json/plain'],
    ['JSON as fetch sends it', { 'content-type': 'application/json; charset=utf-8' }, '{}', 'json/plain'],
    ['JSON with a language', { 'content-type': 'application/json', 'content-language': 'en' }, '{}', 'json/plain'],
    ['bytes', { 'content-type': 'application/octet-stream' }, 'x', 'binary/plain'],
  ])('is %s', (_, headers, body, expected) => {
    expect(encoding({ headers, body: utf8(body) })).toBe(expected);
  });

  it.each([
    ['text/html', 'application/json, application/octet-stream'],
    ['application/x-www-form-urlencoded', '--json'],
    ['application/json; charset=latin1', 'application/json'],
    ['multipart/form-data; boundary=x', 'application/json'],
    ['nonsense', 'application/json'],
    ['application/x-protobuf', 'message-type'],
  ])('is BAD_REQUEST where its type is %s, with what is allowed', (type, allowed) => {
    const error = refusal({ headers: { 'content-type': type }, body: utf8('a=1') });
    expect(error.type).toBe('BAD_REQUEST');
    expect(error.message).toContain(JSON.stringify(type));
    expect(error.message).toContain(allowed);
  });

  it('is BAD_REQUEST where there is a body without a type', () => {
    expect(refusal({ body: utf8('x') }).message).toContain('no Content-Type');
  });

  it('is passed on where a Temporal server passes on what it did not understand itself', () => {
    const headers = { ...TEMPORAL, 'content-type': 'text/html', 'content-language': 'en' };
    const { payload } = parsedStart({ headers, body: utf8('<p>') });
    expect(Object.fromEntries(Object.entries(payload.metadata).map(([name, value]) => [name, text(value)]))).toEqual({
      encoding: 'unknown/nexus-content',
      type: 'text/html',
      language: 'en',
    });
  });
});

describe('a hostile request', () => {
  it.each<[string, Partial<NexusHttpRequest>, string]>([
    ['a body one byte too large', { body: new Uint8Array(MAX_BODY_BYTES + 1) }, '2097152 are allowed'],
    ['100 KB of headers', { headers: { 'x-large': 'x'.repeat(100_000) } }, `${MAX_HEADER_BYTES} are allowed`],
    [
      '100 KB of small headers',
      { headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`x-${at}`, 'abcdef'])) },
      `${MAX_HEADER_BYTES} are allowed`,
    ],
    ['a GET', { method: 'GET' }, 'POST'],
    ['another method', { method: 'post' }, 'POST'],
    ['a line break in a header', { headers: { 'x-a': 'b\r\nauthorization: c' } }, 'x-a'],
    ['a NUL in a header', { headers: { 'x-a': 'b\0c' } }, 'x-a'],
    ['a header that is no token', { headers: { 'x a': 'b' } }, 'x a'],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }, 'gzip'],
    ['a malformed request timeout', { headers: { 'request-timeout': 'soon' } }, 'request-timeout'],
    ['a malformed operation timeout', { headers: { 'operation-timeout': '1e9s' } }, 'operation-timeout'],
    ['a malformed link', { headers: { 'nexus-link': '<x' } }, 'Nexus-Link'],
    [
      'JSON that is not UTF-8',
      { headers: { 'content-type': 'application/json' }, body: Uint8Array.of(0xff) },
      'not UTF-8',
    ],
    [
      'a payload that is no protobuf',
      { headers: { 'content-type': 'application/x-temporal-payload' }, body: Uint8Array.of(0xff) },
      'malformed',
    ],
  ])('is BAD_REQUEST with %s', (_, given, reason) => {
    const error = refusal(given);
    expect(error.type).toBe('BAD_REQUEST');
    expect(error.message).toContain(reason);
  });

  it('is shown in part only', () => {
    expect(refusal({ path: `/${'x'.repeat(1_000_000)}` }).message.length).toBeLessThan(500);
    expect(refusal({ method: 'x\r\n'.repeat(1000) }).message).not.toMatch(/[\r\n]/);
  });

  it('is none at the limits', () => {
    const headers = {
      'x-large': 'x'.repeat(MAX_HEADER_BYTES - 'x-large'.length - 'content-typeapplication/octet-stream'.length),
    };
    const given = {
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(MAX_BODY_BYTES),
    };
    expect(parsedStart(given).payload.data).toHaveLength(MAX_BODY_BYTES);
  });
});

describe('formatRequest', () => {
  const request: StartRequest = parsedStart();

  it.each<[string, Partial<StartRequest>]>([
    ['a line break in a header', { headers: { 'x-a': 'b\r\nc: d' } }],
    ['a line break in a request id', { requestId: 'a\r\nb: c' }],
    ['a line break in a callback header', { callbackHeaders: { a: 'b\nc' } }],
    ['a line break in the name of a callback header', { callbackHeaders: { 'a\r\nb': 'c' } }],
    ['a link of an illegal type', { links: [{ url: new URL('a:///b'), type: 'x"\r\ny: z' }] }],
    ['a header that the payload makes', { headers: { 'Content-Type': 'text/html' } }],
    ['a header that callback headers make', { headers: { 'nexus-callback-a': 'b' } }],
    ['an empty name', { operation: '' }],
    ['a name that URLs drop', { service: '..' }],
    ['a name too long', { service: 'x'.repeat(1001) }],
    ['half of a surrogate pair', { operation: '\udc00' }],
  ])('fails when given %s', (_, given) => {
    expect(() => formatRequest({ ...request, ...given })).toThrow(TypeError);
  });

  it.each([-1, Number.NaN, 1e20])('fails when a timeout is %d', (requestTimeoutMs) => {
    expect(() => formatRequest({ ...request, requestTimeoutMs })).toThrow(RangeError);
  });

  it.each(['', 'a\r\nb', 'ü', 'x'.repeat(4097)])('fails when the token is %j', (token) => {
    const { service, operation, headers, failureSupport } = request;
    expect(() => formatRequest({ kind: 'cancel', service, operation, headers, failureSupport, token })).toThrow(
      /^the token /,
    );
  });

  it('lets a member count before the header that says the same', () => {
    const headers = { 'request-timeout': '5s', 'nexus-request-id': 'old', 'operation-timeout': '1m0.5s' };
    const sent = formatRequest({
      ...request,
      headers,
      requestTimeoutMs: 100,
      requestId: 'new',
      operationTimeoutMs: 60_500,
    });
    expect(sent.headers).toMatchObject({
      'request-timeout': '100ms',
      'nexus-request-id': 'new',
      'operation-timeout': '1m0.5s',
    });
  });
});
