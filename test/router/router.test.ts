import { expect, it, onTestFinished } from 'vitest';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../../src/nexus/message.ts';
import type { Caller } from '../../src/router/caller.ts';
import type { EndpointView } from '../../src/router/endpoint-view.ts';
import { InvokeError, type InvokeErrorReason } from '../../src/router/errors.ts';
import type { Endpoint, EndpointRegistry, Invoker, Target } from '../../src/router/ports.ts';
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
  const invoked: { target: Target; invocation: NexusInvocation; waitMs: number }[] = [];
  const invoker: Invoker = {
    invoke(endpoint, invocation, waitMs) {
      invoked.push({ target: endpoint.target, invocation, waitMs });
      return invoke(endpoint, invocation, waitMs);
    },
  };
  const endpointNames = async () => (await registry.list()).map(({ name }) => name);
  const router = createRouter({ endpoints: viewOf(registry), invoker, clock, endpointNames });
  return {
    clock,
    registry,
    invoked,
    handle: (request: Partial<NexusHttpRequest>, caller: Caller = { principal: 'local' }) =>
      router({ ...ORDER, ...request }, caller),
  };
}

/** Looks everything up anew. */
function viewOf({ get }: Pick<EndpointRegistry, 'get'>): EndpointView {
  return { get, getLatest: get, settle: async () => {} };
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
      waitMs: 30_000,
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
    async get(): Promise<Endpoint> {
      clock.nowMs += 700;
      return { name: 'shop', target, services: [], version: 1, createdAt: 0, lastModifiedAt: 0 };
    },
  };
  let timeoutMs = 0;
  const invoker: Invoker = {
    async invoke(_target, invocation) {
      timeoutMs = invocation.timeoutMs;
      return ANSWER;
    },
  };
  await createRouter({ endpoints: viewOf(registry), invoker, clock })(
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
  ['throttled', 429],
  ['unreachable', 503],
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

it('ends the operation whose answer is too large for Lambda, since another attempt would be as large', async () => {
  const { handle } = await setUp(async () => {
    throw new InvokeError('too-large', 'look there');
  });
  const response = await handle({});
  expect(response).toMatchObject({ status: 500, headers: { 'nexus-request-retryable': 'false' } });
});

it('tells a caller without a backoff of its own when to try a handler without capacity again', async () => {
  const { handle } = await setUp(async () => {
    throw new InvokeError('throttled', 'look there');
  });
  expect((await handle({})).headers['retry-after']).toBe('1');
});

const BASIC = { principal: 'basic:shop', gateway: 'http-api' } as const;

it('invokes no handler for a principal that is not among the callers, and says whom to ask', async () => {
  const { handle, invoked, registry } = await setUp();
  const response = await handle({}, BASIC);
  expect(response.status).toBe(403);
  expect(failureIn(response).message).toBe(
    '"basic:shop" is not among the callers of endpoint "shop"; whoever deploys the endpoint can add it there',
  );
  const shop = (await registry.get('shop')) as Endpoint;
  await registry.update({ ...shop, callers: ['basic:shop'] }, 1);
  expect((await handle({}, { principal: 'local' })).status).toBe(403);
  expect(invoked).toEqual([]);
  expect((await handle({}, BASIC)).status).toBe(200);
});

it('looks again before it denies, so that a caller who was let in a moment ago is', async () => {
  const { clock } = await setUp();
  const stored = { name: 'shop', target: { namespace: 'n', taskQueue: 'q' }, services: [], version: 1 };
  const endpoint = (callers: string[]): Endpoint => ({ ...stored, callers, createdAt: 0, lastModifiedAt: 0 });
  const endpoints: EndpointView = {
    get: async () => endpoint([]),
    getLatest: async () => endpoint(['basic:shop']),
    settle: async () => {},
  };
  const router = createRouter({ endpoints, invoker: { invoke: async () => ANSWER }, clock });
  expect((await router(ORDER, BASIC)).status).toBe(200);
});

it('leaves the names of other endpoints out where it is not given them', async () => {
  const { clock, registry } = await setUp();
  const router = createRouter({ endpoints: viewOf(registry), invoker: { invoke: async () => ANSWER }, clock });
  const response = await router({ ...ORDER, path: '/nexus/endpoints/x1/services/a/b' }, BASIC);
  expect(failureIn(response).message).toBe('no endpoint is named "x1"');
});

it('behind a gateway keeps time for the way back, and has the handler done before it gives up', async () => {
  const { handle, invoked, registry } = await setUp();
  const shop = (await registry.get('shop')) as Endpoint;
  await registry.update({ ...shop, callers: ['basic:shop'] }, 1);
  await handle({ headers: { 'request-timeout': '10s' } }, BASIC);
  await handle({ headers: { 'request-timeout': '10s' } }, { ...BASIC, gatewayMs: 2_000 });
  expect(invoked.map(({ waitMs, invocation }) => [waitMs, invocation.timeoutMs, invocation.gateway])).toEqual([
    [9_800, 8_800, 'http-api'],
    [1_900, 1_520, 'http-api'],
  ]);
});

it('gives reads of the registry that are under way a moment before it answers', async () => {
  const { clock, registry } = await setUp();
  let settled = 0;
  const settle = async () => {
    settled++;
  };
  const endpoints = { ...viewOf(registry), settle };
  await createRouter({ endpoints, invoker: { invoke: async () => ANSWER }, clock })(ORDER, { principal: 'local' });
  expect(settled).toBe(1);
});

it('refuses a callback that is not among those that the endpoint names, whoever would send to it', async () => {
  const { handle, invoked, registry } = await setUp();
  const shop = (await registry.get('shop')) as Endpoint;
  const allowedCallbacks = [{ origin: 'https://temporal.example.com' }];
  await registry.update({ ...shop, allowedCallbacks }, 1);
  const elsewhere = await handle({ query: `callback=${encodeURIComponent('https://evil.example.com/x')}` });
  expect(elsewhere.status).toBe(400);
  expect(failureIn(elsewhere).message).toContain('completions may not be sent to https://evil.example.com');
  expect(invoked).toEqual([]);
  const there = await handle({ query: `callback=${encodeURIComponent('https://temporal.example.com/x')}` });
  expect(there.status).toBe(200);
  expect((await handle({ query: '' })).status).toBe(200);
});
