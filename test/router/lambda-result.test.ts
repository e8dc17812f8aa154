import { expect, it } from 'vitest';
import type { LambdaHttpResult } from '../../src/handler/invocation.ts';
import { toHttpResponse } from '../../src/router/lambda-result.ts';

const OK: LambdaHttpResult = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };

it('decodes a body in base64, and takes another as text', () => {
  expect(toHttpResponse({ ...OK, body: 'AP8=', isBase64Encoded: true }).body).toEqual(Uint8Array.of(0, 255));
  expect(toHttpResponse({ ...OK, body: '"ö"' }).body).toEqual(new TextEncoder().encode('"ö"'));
});

it('takes the members that Lambda may leave out for empty', () => {
  expect(toHttpResponse({ statusCode: 202 } as LambdaHttpResult)).toEqual({
    status: 202,
    headers: {},
    body: new Uint8Array(),
  });
});

it('lowers the names of headers, and drops those of the connection', () => {
  const headers = { 'Nexus-Link': 'x', 'Content-Length': '5', 'Transfer-Encoding': 'chunked', Connection: 'close' };
  expect(toHttpResponse({ ...OK, headers }).headers).toEqual({ 'nexus-link': 'x' });
});

it.each([
  [undefined, 'expected an object, got undefined'],
  [null, 'expected an object, got null'],
  ['hello', 'expected an object, got string'],
  [{ message: 'hello' }, 'statusCode must be a number from 200 to 599, got undefined'],
  [{ statusCode: 42 }, 'got 42'],
  [{ statusCode: '200' }, 'statusCode must be a number from 200 to 599, got "200"'],
  [{ statusCode: 200, body: {} }, 'body must be a string, got object'],
  [{ statusCode: 200, headers: 'x' }, 'headers must be an object'],
  [{ statusCode: 200, headers: { 'x-a': 'b\r\nx-c: d' } }, 'header "x-a" cannot be sent'],
  [{ statusCode: 200, headers: { 'x a': 'b' } }, 'header "x a" cannot be sent'],
  [{ statusCode: 200, headers: { 'x-a': 1 } }, 'header "x-a" cannot be sent with the value 1'],
])('fails when the answer is %j', (answer, problem) => {
  expect(() => toHttpResponse(answer as LambdaHttpResult)).toThrow(
    expect.objectContaining({ reason: 'bad-answer', message: expect.stringContaining(problem) }),
  );
});
