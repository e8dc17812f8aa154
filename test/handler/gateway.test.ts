import { HandlerStartOperationResult, operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/handler/invocation.ts';
import { gatewayOf, type HttpEventV2 } from '../../src/handler/lambda-event.ts';
import { createServiceHandler } from '../../src/index.ts';
import { recordingLogger } from './recording-logger.ts';
import { bodyBytes, bodyJson, context, httpEvent, invocation } from './requests.ts';

const seen: { deadline?: Date | undefined; canceled?: string } = {};

const odd = service('my svc/v1', {
  'a/b': operation<void, string>(),
  '50% off': operation<void, string>(),
  '%61': operation<void, string>(),
  a: operation<void, string>(),
  nothing: operation<void, void>(),
  stored: operation<void, string>(),
});
const handler = createServiceHandler({
  services: [
    serviceHandler(odd, {
      'a/b': async () => 'a/b',
      '50% off': async () => '50% off',
      '%61': async () => '%61',
      a: async () => 'a',
      nothing: async ({ requestDeadline }) => {
        seen.deadline = requestDeadline;
      },
      stored: {
        start: async () => HandlerStartOperationResult.async('token'),
        cancel: async (_ctx, token) => {
          seen.canceled = token;
        },
      },
    }),
  ],
  logger: recordingLogger().logger,
});

/** An invocation from a router behind this gateway, or behind none. */
const behind = (gateway: Gateway | undefined, path: string, parts: Parameters<typeof invocation>[1] = {}) =>
  handler({ ...invocation(path, parts), ...(gateway && { gateway }) }, context());

describe('the path of an invocation', () => {
  it.each<[Gateway | undefined, string, string]>([
    ['http-api', '/my svc/v1/a/b', 'a/b'],
    ['http-api', '/my svc/v1/50% off', '50% off'],
    ['http-api', '/my svc/v1/%61', '%61'],
    ['http-api', '/my%20svc%2Fv1/a%2Fb', 'a/b'],
    ['function-url', '/my%20svc%2Fv1/a%2Fb', 'a/b'],
    ['function-url', '/my%20svc%2Fv1/%61', 'a'],
    ['function-url', '/my svc/v1/a/b', 'a/b'],
    [undefined, '/my%20svc%2Fv1/a%2Fb', 'a/b'],
    [undefined, '/my%20svc%2Fv1/%61', 'a'],
    [undefined, '/my%20svc%2Fv1/%2561', '%61'],
  ])('behind %s, %s, means the operation %s', async (gateway, path, name) => {
    const result = await behind(gateway, path);
    expect(result.statusCode).toBe(200);
    expect(bodyJson(result)).toBe(name);
  });

  it('is not read as a decoded one where no gateway decoded it', async () => {
    expect(await behind(undefined, '/my svc/v1/a/b')).toMatchObject({ statusCode: 404 });
    expect(await behind(undefined, '/my%20svc%2Fv1/50% off')).toMatchObject({ statusCode: 400 });
  });

  it('carries the token of a cancel as it was given out, slashes and all', async () => {
    expect(await behind('http-api', '/my svc/v1/stored/a/b c/cancel')).toMatchObject({ statusCode: 202 });
    expect(seen.canceled).toBe('a/b c');
  });
});

describe('"nothing" as a result', () => {
  const path = '/my%20svc%2Fv1/nothing';
  const temporal = { headers: { 'user-agent': 'temporalio/server' } };

  it.each(['http-api', 'function-url'] as const)(
    'behind %s, which adds a type to what has none, is a payload for Temporal and null for others',
    async (gateway) => {
      const forTemporal = await behind(gateway, path, temporal);
      expect(forTemporal).toMatchObject({
        statusCode: 200,
        headers: { 'content-type': 'application/x-temporal-payload' },
        isBase64Encoded: true,
      });
      expect(bodyBytes(forTemporal).toString('latin1')).toContain('binary/null');
      expect(await behind(gateway, path)).toMatchObject({
        headers: { 'content-type': 'application/json' },
        body: 'null',
      });
    },
  );

  it('behind no gateway has neither body nor type, for either', async () => {
    for (const parts of [{}, temporal]) {
      const result = await behind(undefined, path, parts);
      expect(result).toMatchObject({ statusCode: 200, body: '' });
      expect(result.headers).not.toHaveProperty('content-type');
    }
  });
});

it("has the time that the router says, and not the gateway's", async () => {
  const startedAt = Date.now();
  await behind('http-api', '/my svc/v1/nothing', { timeoutMs: 2_000 });
  expect(seen.deadline?.getTime()).toBeLessThanOrEqual(startedAt + 2_000);
  expect(seen.deadline?.getTime()).toBeGreaterThan(startedAt);
});

it.each([
  ['abc.execute-api.eu-west-1.amazonaws.com', 30_000],
  ['abc.lambda-url.eu-west-1.on.aws', 60_000],
])('has, for an event that came by %s, the %d ms that are waited for it there', async (domainName, ms) => {
  const startedAt = Date.now();
  await handler(httpEvent('/nexus/endpoints/e1/services/my%20svc%2Fv1/nothing', { domainName }), context(60_000));
  const givenMs = (seen.deadline?.getTime() ?? 0) - startedAt;
  expect(givenMs).toBeGreaterThan(ms - 5_000);
  expect(givenMs).toBeLessThan(ms + 1_000);
});

it.each<[string | undefined, Gateway]>([
  ['abc.execute-api.eu-west-1.amazonaws.com', 'http-api'],
  ['abc.lambda-url.eu-west-1.on.aws', 'function-url'],
  ['nexus.example.com', 'http-api'],
  [undefined, 'http-api'],
])('an event for the domain %s came through a gateway of kind %s', (domainName, gateway) => {
  const event = { version: '2.0', rawPath: '/', requestContext: { http: { method: 'POST' }, domainName } };
  expect(gatewayOf(event as HttpEventV2)).toBe(gateway);
});

it.each(['/my svc/v1/a', '/my%20svc%2Fv1/a', '//my svc/v1/a', '/nexus/endpoints/my svc/v1/a', ''])(
  'runs nothing for an event with the path %j, in which no endpoint is named',
  async (path) => {
    for (const domainName of ['abc.execute-api.eu-west-1.amazonaws.com', 'abc.lambda-url.eu-west-1.on.aws']) {
      expect(await handler(httpEvent(path, { domainName }), context())).toMatchObject({ statusCode: 404 });
    }
  },
);

it('reads the body of an event as text or as base64, as the event says', async () => {
  const echo = service('echo', { bytes: operation<Uint8Array, Uint8Array>(), text: operation<string, string>() });
  const echoing = createServiceHandler({
    services: [serviceHandler(echo, { bytes: async (_ctx, bytes) => bytes, text: async (_ctx, text) => text })],
  });
  const headers = { 'Content-Type': 'application/octet-stream' };
  for (const bytes of [Buffer.from([0, 255, 128, 10]), Buffer.from([255]), Buffer.from([])]) {
    const event = httpEvent('/nexus/endpoints/e1/services/echo/bytes', { headers });
    const binary = { ...event, body: bytes.toString('base64'), isBase64Encoded: true };
    const result = await echoing(binary, context());
    expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: bytes.length > 0 });
    expect(bodyBytes(result)).toEqual(bytes);
  }
  const text = httpEvent('/nexus/endpoints/e1/services/echo/text', { body: '"é€"' });
  expect(bodyJson(await echoing(text, context()))).toBe('é€');
});

it.each<[unknown, string]>([
  [{}, 'an object with no members'],
  [Object.fromEntries([...'abcdefghi'].map((name) => [name, 's3cret'])), 'an object with a, b, c, d, e, f, g, h'],
  ['s3cret', 'string'],
  [7, 'number'],
])('fails for %j, and says what it is, but not what is in it', async (event, what) => {
  await expect(handler(event, context())).rejects.toThrow(new RegExp(`of payload format 2\\.0, got ${what}$`));
});
