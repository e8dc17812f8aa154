import { operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import { createServiceHandler } from '../../src/handler/service-handler.ts';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { recordOf } from '../../src/operations/draft.ts';
import { RecordTooLargeError } from '../../src/operations/errors.ts';
import { createOperations } from '../../src/operations/operations.ts';
import { createOutlived } from '../../src/operations/outlived.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Gate } from '../../src/router/gate.ts';
import type { Endpoint, Invoker } from '../../src/router/ports.ts';
import { createPromotion } from '../../src/router/promotion.ts';
import { createRouter } from '../../src/router/router.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { context } from '../handler/requests.ts';

const TABLES = { operations: 'operations', endpoints: 'endpoints' };
const NOW = Date.UTC(2026, 0, 1);
const CALLBACK = 'callback=http%3A%2F%2F127.0.0.1%3A7243%2Fcallback';
const ANSWER = { statusCode: 200, headers: { 'content-type': 'application/json' }, body: '1', isBase64Encoded: false };
const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [{ name: 'orders', operations: ['place', 'quote'] }],
  promotable: ['orders/place'],
  callers: ['local'],
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

const stopsWaiting = async () => {
  throw new InvokeError('timeout', 'no answer in time', { goesOn: true });
};

/** The slot of a concurrency limit that each request has. */
const LEASE = { part: 'shop#slots#0', slot: 3, holder: 'one' };

function setUp(invoke: Invoker['invoke'] = stopsWaiting, faults: Partial<OperationStore> = {}) {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  const store = { ...createSqliteOperationStore(database.db), ...faults };
  const clock = { time: NOW, now: () => clock.time };
  const deps = {
    ...{ store, clock, random: () => 0, cancelInner: async () => {}, logger: recordingLogger().logger },
    taskQueue: { send: async () => {}, mayHold: async () => false, deadLetter: async () => {} },
    completionQueue: { send: async () => {} },
  };
  const operations = createOperations(deps);
  const invoked: { invocation: NexusInvocation; waitMs: number }[] = [];
  const events: FlowEvent[] = [];
  let loads = 0;
  const invoker: Invoker = {
    invoke(endpoint, invocation, waitMs) {
      invoked.push({ invocation, waitMs });
      return invoke(endpoint, invocation, waitMs);
    },
  };
  const get = async () => SHOP;
  const endpoints = { get, getLatest: get, settle: async () => {} };
  const ended: string[] = [];
  const left: string[] = [];
  const gate: Gate = {
    admit: async () => ({
      kind: 'admitted',
      slot: { lease: LEASE, leave: () => void left.push(LEASE.holder) },
      ended: async ({ kind }) => void ended.push(kind),
    }),
  };
  const openRouter = () => {
    const promotion = createPromotion({
      ...{ invoker, clock, callbacksOf: () => ({ allowed: [], loopback: true }), tables: TABLES },
      async load() {
        loads++;
        return operations;
      },
      emit: (event) => events.push(event),
    });
    return createRouter({ endpoints, invoker, clock, promotion, gate });
  };
  const first = openRouter();
  const start = async (request: Partial<NexusHttpRequest> = {}, router = first) => {
    const whole = {
      ...{ method: 'POST', path: '/nexus/endpoints/shop/services/orders/place', query: CALLBACK },
      ...{ headers: { 'request-timeout': '10s' }, body: new Uint8Array(), ...request },
    };
    const { status, body } = await router(whole, { principal: 'local' });
    const text = new TextDecoder().decode(body);
    return { status, value: text === '' ? undefined : JSON.parse(text) };
  };
  return {
    store,
    start,
    openRouter,
    clock,
    invoked,
    events,
    ended,
    left,
    outlived: createOutlived(deps),
    loads: () => loads,
  };
}

describe('a start of a promotable operation', () => {
  it('is answered with a token where its handler goes on, and says so', async () => {
    const { start, store, events } = setUp();
    const { status, value } = await start();
    expect({ status, value }).toEqual({ status: 201, value: { token: expect.any(String), state: 'running' } });
    expect(await store.get(value.token)).toMatchObject({
      state: 'claimed',
      attempt: 1,
      promotedAt: NOW,
      callback: { url: 'http://127.0.0.1:7243/callback' },
      claim: { attempt: 1, leaseUntil: NOW + 910_000 },
    });
    expect(events).toEqual([{ kind: 'promoted', endpoint: 'shop', principal: 'local' }]);
  });

  it('tells the handler its cut-off, and what it needs to keep its outcome, but for what is in the request', async () => {
    const { start, store, invoked } = setUp();
    const body = new TextEncoder().encode('"tea"');
    const headers = { 'request-timeout': '10s', 'content-type': 'application/json', 'x-tenant': 'a' };
    const { value } = await start({ body, headers });
    const [{ invocation, waitMs }] = invoked as [(typeof invoked)[0]];
    expect(waitMs).toBe(9_500);
    expect(invocation).toMatchObject({ timeoutMs: 8_500, promotion: { cutOffMs: 8_500, tables: TABLES } });
    expect(JSON.stringify(invocation.promotion)).not.toContain('x-tenant');
    // Over the wire it is the record that the router has written, less what that has since.
    const { version, state, claim, promotedAt, dueAt, ...written } = (await store.get(value.token))!;
    expect(recordOf(JSON.parse(JSON.stringify(invocation)))).toMatchObject(written);
    expect(written.start.headers).toEqual({
      'content-type': 'application/json',
      'x-tenant': 'a',
    });
  });

  it('gives the handler the request id that a later attempt has', async () => {
    const { start, store, invoked } = setUp();
    const { value } = await start();
    const { requestId } = (await store.get(value.token))!;
    expect(invoked[0]?.invocation.request.headers['nexus-request-id']).toBe(requestId);
  });

  it('that is repeated in another environment gets the same token, and is no other promotion', async () => {
    const { start, openRouter, events, invoked } = setUp();
    const headers = { 'nexus-request-id': 'r1' };
    const first = await start({ headers });
    expect(await start({ headers }, openRouter())).toEqual(first);
    expect(events).toHaveLength(1);
    expect(invoked).toHaveLength(2);
  });

  it('says nothing of its handler, and reaches it again only where it is repeated elsewhere', async () => {
    const { start, openRouter, ended } = setUp();
    const headers = { 'nexus-request-id': 'r1' };
    await start({ headers });
    await start({ headers });
    await start({ headers }, openRouter());
    expect(ended).toEqual(['unjudged', 'not-reached', 'unjudged']);
  });

  it('that is repeated in the same environment gets it at once, as long as it is kept', async () => {
    const { start, clock, invoked } = setUp();
    const headers = { 'nexus-request-id': 'r1', 'operation-timeout': '1h' };
    const first = await start({ headers });
    clock.time += 25 * 3_600_000 - 1;
    expect(await start({ headers })).toEqual(first);
    expect(invoked).toHaveLength(1);
    clock.time += 1;
    expect(await start({ headers })).not.toEqual(first);
  });

  it('is remembered by the environment that answered it, and a thousand others', async () => {
    const { start, invoked } = setUp();
    for (let n = 0; n <= 1_000; n++) await start({ headers: { 'nexus-request-id': `r${n}` } });
    await start({ headers: { 'nexus-request-id': 'r1' } });
    expect(invoked).toHaveLength(1_001);
    await start({ headers: { 'nexus-request-id': 'r0' } });
    expect(invoked).toHaveLength(1_002);
  });

  it('is answered with the outcome that its handler kept in time', async () => {
    const { start, outlived, events, store } = setUp(async (_, invocation) => {
      const outcome = { state: 'succeeded', payload: { data: btoa('"tea"') }, links: [], at: NOW } as const;
      const metadata = { encoding: btoa('json/plain') };
      const kept = { ...outcome, payload: { ...outcome.payload, metadata } };
      expect(await outlived.settle(recordOf(invocation), { kind: 'ended', outcome: kept })).toEqual({});
      return stopsWaiting();
    });
    expect(await start()).toEqual({ status: 200, value: 'tea' });
    expect(events).toEqual([]);
    const { records } = await store.list({}, { limit: 2 });
    expect(records).toEqual([expect.objectContaining({ state: 'ended', answeredAt: NOW })]);
    expect(records[0]).not.toHaveProperty('completion');
  });

  it.each([
    ['whose connection broke', new InvokeError('unreachable', 'reset'), 503],
    ['whose handler crashed', new InvokeError('crashed', 'gone'), 503],
    ['whose function timed out', new InvokeError('timeout', 'Sandbox.Timedout'), 520],
    ['that was throttled', new InvokeError('throttled', 'no room'), 429],
  ])('%s fails, and is not promoted', async (_, error, status) => {
    const { start, store } = setUp(() => Promise.reject(error));
    expect((await start()).status).toBe(status);
    expect((await store.count({})).counts).toMatchObject({ claimed: 0, ended: 0 });
  });

  it('leaves its slot to its handler, which goes on, whatever becomes of the token', async () => {
    const promoted = setUp();
    await promoted.start();
    expect(promoted.invoked[0]?.invocation.promotion).toMatchObject({ slot: LEASE });
    expect(promoted.left).toEqual(['one']);
    const unkept = setUp(stopsWaiting, { create: () => Promise.reject(new RecordTooLargeError(500_000, 400_000)) });
    expect((await unkept.start()).status).toBe(520);
    expect(unkept.left).toEqual(['one']);
    const inTime = setUp(async () => ANSWER);
    await inTime.start();
    const crashed = setUp(() => Promise.reject(new InvokeError('crashed', 'gone')));
    await crashed.start();
    expect([inTime.left, crashed.left]).toEqual([[], []]);
  });

  it('that is too large to be kept runs into its deadline as ever', async () => {
    const { start } = setUp(stopsWaiting, { create: () => Promise.reject(new RecordTooLargeError(500_000, 400_000)) });
    expect((await start()).status).toBe(520);
  });

  it.each([
    ['has no callback', { query: '' }],
    ['has one that is not allowed', { query: 'callback=https%3A%2F%2Fexample.com%2F' }],
    ["has Temporal's own, which only a workflow can complete", { query: 'callback=temporal%3A%2F%2Fsystem' }],
    ['calls another operation', { path: '/nexus/endpoints/shop/services/orders/quote' }],
    ['has no time', { headers: { 'request-timeout': '0s' } }],
  ])('is delivered as ever to a caller that %s', async (_, request) => {
    const { start, invoked } = setUp(async () => ANSWER);
    expect(await start(request)).toEqual({ status: 200, value: 1 });
    expect(invoked[0]?.invocation).not.toHaveProperty('promotion');
  });

  it('is promoted without a callback where the caller polls', async () => {
    const { start } = setUp();
    expect((await start({ query: '', headers: { prefer: 'respond-async' } })).status).toBe(201);
  });

  it('10,000 times done in time calls no store, and loads nothing, neither in the router nor in the handler', async () => {
    const orders = service('orders', { place: operation<number, number>() });
    let loadedByHandler = 0;
    const handler = createServiceHandler({
      services: [serviceHandler(orders, { place: async (_ctx, input) => input })],
      queue: {
        consume: async () => ({ batchItemFailures: [] }),
        async pastCutOff() {
          loadedByHandler++;
          throw new Error('loaded');
        },
      },
    });
    let storeCalls = 0;
    const counted = (call: (...args: never[]) => unknown) =>
      ((...args: never[]) => {
        storeCalls++;
        return call(...args);
      }) as never;
    const { create, get, update, claim } = setUp().store;
    const faults = { create: counted(create), get: counted(get), update: counted(update), claim: counted(claim) };
    const { start, loads, invoked } = setUp(
      async (_, invocation) => handler(JSON.parse(JSON.stringify(invocation)) as object, context()),
      faults,
    );
    const headers = { 'request-timeout': '10s', 'content-type': 'application/json' };
    const wrong: unknown[] = [];
    for (let n = 0; n < 10_000; n++) {
      const { status, value } = await start({ headers, body: new TextEncoder().encode(String(n)) });
      if (status !== 200 || value !== n) wrong.push({ n, status, value });
    }
    expect(wrong).toEqual([]);
    expect(invoked).toHaveLength(10_000);
    expect(invoked.every(({ invocation }) => invocation.promotion !== undefined)).toBe(true);
    expect({ storeCalls, loads: loads(), loadedByHandler }).toEqual({ storeCalls: 0, loads: 0, loadedByHandler: 0 });
  }, 240_000);
});
