import { expect, it, onTestFinished } from 'vitest';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../../src/nexus/message.ts';
import { InvokeError, type InvokeErrorReason } from '../../src/router/errors.ts';
import type { EndpointRegistry, Invoker, Target } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const ORDER: NexusHttpRequest = {
  method: 'POST',
  path: '/nexus/endpoints/shop/services/orders/place%2Fit',
  query: 'callback=http%3A%2F%2Fx',
  headers: { 'content-type': 'application/json' },
  body: new TextEncoder().encode('{}'),
};

const ANSWER = { statusCode: 200, headers: { 'content-type': 'application/json' }, body: '1', isBase64Encoded: false };

/** A router over two endpoints, whose handlers do what `invoke` says; remembers what they were invoked with. */
async function setUp(invoke: Invoker['invoke'] = async () => ANSWER) {
  const clock = new ManualClock();
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  const registry = createSqliteEndpointRegistry(store.db, clock);
  for (const name of ['shop', 'bank']) {
    await registry.create({ name, target: { namespace: 'default', taskQueue: `${name}-queue` }, services: [] });
  }
  const invoked: { target: Target; invocation: NexusInvocation }[] = [];
  const invoker: Invoker = {
    invoke(target, invocation) {
      invoked.push({ target, invocation });
      return invoke(target, invocation);
    },
  };
  const router = createRouter({ registry, invoker, clock });
  return {
    clock,
    registry,
    invoked,
    handle: (request: Partial<NexusHttpRequest>) => router({ ...ORDER, ...request }, { principal: 'local' }),
  };
}

function failureIn({ body }: NexusHttpResponse): { message: string } {
  return JSON.parse(new TextDecoder().decode(body));
}

it('invokes the target of the endpoint with the request, and passes the answer on', async () => {
  const { handle, invoked } = await setUp();
  expect(await handle({})).toEqual({ status: 200, headers: ANSWER.headers, body: new TextEncoder().encode('1') });
  expect(invoked).toEqual([
    {
      target: { namespace: 'default', taskQueue: 'shop-queue' },
      invocation: {
        nexusInvocation: 1,
        endpoint: 'shop',
        principal: 'local',
        timeoutMs: 30_000,
        request: {
          method: 'POST',
          path: '/orders/place%2Fit',
          query: 'callback=http%3A%2F%2Fx',
          headers: { 'content-type': 'application/json' },
          body: 'e30=',
        },
      },
    },
  ]);
});

it('takes the credentials off before anything else sees the request', async () => {
  const { handle, invoked } = await setUp();
  const secrets = {
    authorization: 'Basic eDp5',
    cookie: 'a=b',
    'proxy-authorization': 'x',
    'x-amz-security-token': 'x',
  };
  await handle({ headers: { ...secrets, 'x-tenant': 'a' } });
  expect(invoked[0]?.invocation.request.headers).toEqual({ 'x-tenant': 'a' });
});

it.each([
  ['2s', 2_000],
  ['1500ms', 1_500],
  ['29.5s', 29_500],
  ['1h', 30_000],
  ['0ms', 0],
  ['soon', 30_000],
])('gives the handler the Request-Timeout %s as %d ms, 30 s at most', async (timeout, expected) => {
  const { handle, invoked } = await setUp();
  await handle({ headers: { 'request-timeout': timeout } });
  expect(invoked[0]?.invocation.timeoutMs).toBe(expected);
});

it('gives the handler only what the look-up of the endpoint has left of the time', async () => {
  const clock = new ManualClock();
  const target = { namespace: 'default', taskQueue: 'shop' };
  const registry = {
    async get() {
      clock.nowMs += 700;
      return { name: 'shop', target, services: [], version: 1, createdAt: 0, lastModifiedAt: 0 };
    },
  } as unknown as EndpointRegistry;
  let timeoutMs = 0;
  const invoker: Invoker = {
    async invoke(_target, invocation) {
      timeoutMs = invocation.timeoutMs;
      return ANSWER;
    },
  };
  await createRouter({ registry, invoker, clock })(
    { ...ORDER, headers: { 'request-timeout': '2s' } },
    { principal: 'local' },
  );
  expect(timeoutMs).toBe(1_300);
});

it('answers NOT_FOUND for an unknown endpoint, naming those that are', async () => {
  const { handle, invoked } = await setUp();
  const response = await handle({ path: '/nexus/endpoints/shopp/services/orders/place' });
  expect(response).toMatchObject({ status: 404, headers: { 'content-type': 'application/json' } });
  expect(failureIn(response).message).toBe('no endpoint is named "shopp"; there is "bank", "shop"');
  expect(invoked).toEqual([]);
});

it('names 50 endpoints at most, and says where there are none', async () => {
  const { handle, registry } = await setUp();
  const path = '/nexus/endpoints/none/services/a/b';
  const target = { namespace: 'default', taskQueue: 'x' };
  for (let n = 0; n < 60; n++) await registry.create({ name: `many${n}`, target, services: [] });
  expect(failureIn(await handle({ path })).message).toMatch(/"bank", "many0", .* and 12 more$/);
  for (const { name, version } of await registry.list()) await registry.delete(name, version);
  expect(failureIn(await handle({ path })).message).toBe('no endpoint is named "none"; there are none yet');
});

it.each(['/', '/nexus', '/favicon.ico'])('answers NOT_FOUND for %s, saying which paths exist', async (path) => {
  const { handle } = await setUp();
  const response = await handle({ method: 'GET', path });
  expect(response.status).toBe(404);
  expect(failureIn(response).message).toContain('POST /nexus/endpoints/{endpoint}/services/{service}/{operation}');
});

it.each<[InvokeErrorReason, number]>([
  ['no-handler', 503],
  ['crashed', 503],
  ['module', 503],
  ['timeout', 520],
  ['bad-answer', 500],
])('answers a handler that fails with "%s" as a retryable status %d, with the reason', async (reason, status) => {
  const { handle } = await setUp(async () => {
    throw new InvokeError(reason, 'look there');
  });
  const response = await handle({});
  expect(response).toMatchObject({ status, headers: { 'content-type': 'application/json' } });
  expect(response.headers['nexus-request-retryable']).toBeUndefined();
  expect(failureIn(response).message).toBe('look there');
});

it('answers in the typed form to a caller that reads it', async () => {
  const { handle } = await setUp();
  const response = await handle({ path: '/', headers: { 'temporal-nexus-failure-support': 'true' } });
  expect(failureIn(response)).toMatchObject({
    metadata: { type: 'nexus.HandlerError' },
    details: { type: 'NOT_FOUND' },
  });
});

it('answers INTERNAL where the handler answered something else than HTTP', async () => {
  const { handle } = await setUp(async () => ({ hello: 'world' }) as never);
  const response = await handle({});
  expect(response.status).toBe(500);
  expect(failureIn(response).message).toContain("the handler's answer is no HTTP response");
});

it('refuses a body of 2 MiB and one byte, and passes one of 2 MiB on', async () => {
  const { handle, invoked } = await setUp();
  const tooLarge = await handle({ body: new Uint8Array(2 * 1024 * 1024 + 1) });
  expect(tooLarge.status).toBe(400);
  expect(failureIn(tooLarge).message).toContain('2097152');
  expect(invoked).toEqual([]);
  expect((await handle({ body: new Uint8Array(2 * 1024 * 1024) })).status).toBe(200);
});

it('refuses 100 KB of headers', async () => {
  const { handle, invoked } = await setUp();
  const response = await handle({ headers: { 'x-large': 'a'.repeat(100_000) } });
  expect(response.status).toBe(400);
  expect(failureIn(response).message).toContain('65536');
  expect(invoked).toEqual([]);
});
