import { HandlerError } from 'nexus-rpc';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { RecordTooLargeError } from '../../src/operations/errors.ts';
import { createOperations } from '../../src/operations/operations.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import { createDurableDelivery } from '../../src/router/durable-delivery.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const NOW = Date.UTC(2026, 0, 1);
const LOCAL = { principal: 'local' };
const CALLBACK = 'callback=http%3A%2F%2F127.0.0.1%3A7243%2Fcallback';
const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [{ name: 'orders', operations: ['place', 'quote'] }],
  queued: ['orders/place'],
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

function setUp(faults: Partial<OperationStore> = {}, random = () => 0) {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  const store = { ...createSqliteOperationStore(database.db), ...faults };
  const clock = { time: NOW, now: () => clock.time };
  const operations = createOperations({
    store,
    taskQueue: { send: async () => {}, mayHold: async () => false, deadLetter: async () => {} },
    completionQueue: { send: async () => {} },
    clock,
    random: () => 0,
    cancelInner: async () => {},
    logger: recordingLogger().logger,
  });
  const durable = createDurableDelivery({
    operations,
    store,
    clock,
    random,
    callbacksOf: () => ({ allowed: [], loopback: true }),
    hasQueue: ({ name }) => name !== 'without-queue',
  });
  const answer = async (request: Partial<NexusHttpRequest>, caller = LOCAL, endpoint = SHOP) => {
    const whole = { method: 'POST', path: '/orders/place', query: '', headers: {}, body: new Uint8Array(), ...request };
    const response = await durable.answer(endpoint, whole, caller);
    return response && { status: response.status, text: new TextDecoder().decode(response.body) };
  };
  /** Starts an operation that is queued, and returns its token. */
  const start = async (request: Partial<NexusHttpRequest> = {}, caller = LOCAL, endpoint = SHOP) => {
    const { status, text = '' } = (await answer({ query: CALLBACK, ...request }, caller, endpoint)) ?? {};
    expect(status).toBe(201);
    return (JSON.parse(text) as { token: string }).token;
  };
  const cancel = (token: string, caller = LOCAL, endpoint = SHOP, path = '/orders/place/cancel') =>
    answer({ path, headers: { 'nexus-operation-token': token } }, caller, endpoint);
  return { durable, store, clock, answer, start, cancel };
}

/** What the caller is told. */
async function refusal(answered: Promise<unknown>) {
  const error = await answered.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HandlerError);
  const { type, message } = error as HandlerError;
  return { type, message };
}

describe('a start', () => {
  it('of an operation that is queued is answered with a token, and stored with what the endpoint says', async () => {
    const { store, answer } = setUp();
    const settings = { retryInitialMs: 100, retryMaxMs: 5_000, retryAttempts: 7, poisonAttempts: 2 };
    const answered = await answer({ query: CALLBACK }, LOCAL, { ...SHOP, settings });
    expect(answered?.status).toBe(201);
    const { token, state } = JSON.parse(answered?.text ?? '');
    expect(state).toBe('running');
    expect(await store.get(token)).toMatchObject({
      state: 'queued',
      principal: 'local',
      endpoint: 'shop',
      namespace: 'default',
      taskQueue: 'shop',
      callback: { url: 'http://127.0.0.1:7243/callback' },
      policy: { initialMs: 100, maxMs: 5_000, attempts: 7, poisonAttempts: 2 },
    });
  });

  it('is retried by the settings of run time, as long as these hold', async () => {
    const { store, clock, start } = setUp();
    const mark = { author: 'local', reason: 'incident 42', at: NOW };
    const shop: Endpoint = {
      ...SHOP,
      settings: { retryInitialMs: 100, retryAttempts: 7 },
      override: { settings: { retryAttempts: { value: 2, ...mark, expiresAt: NOW + 1_000 } }, version: 1 },
    };
    const policy = async () => (await store.get(await start({}, LOCAL, shop)))?.policy;
    expect(await policy()).toMatchObject({ initialMs: 100, attempts: 2 });
    clock.time += 1_000;
    expect(await policy()).toMatchObject({ initialMs: 100, attempts: 7 });
  });

  it.each([
    ['another operation', { path: '/orders/quote' }],
    ['an operation of another service', { path: '/bills/place' }],
    ['something that is no start', { method: 'GET' }],
    ['a start that is malformed, which the handler refuses', { headers: { 'operation-timeout': 'soon' } }],
  ])('of %s is left to the handler', async (_, request) => {
    expect(await setUp().answer({ query: CALLBACK, ...request })).toBeUndefined();
  });

  it('finds an operation whose names hold slashes', async () => {
    const { start, store } = setUp();
    const token = await start({ path: '/my%2Forders/place%2Fnow' }, LOCAL, {
      ...SHOP,
      queued: ['my/orders/place/now'],
    });
    expect((await store.get(token))?.start).toMatchObject({ service: 'my/orders', operation: 'place/now' });
  });

  it('finds an operation whose path a gateway has decoded', async () => {
    const { start, store } = setUp();
    const services = [{ name: 'my/orders', operations: ['place'] }];
    const endpoint = { ...SHOP, services, queued: ['my/orders/place'] };
    const token = await start({ path: '/my/orders/place' }, { ...LOCAL, gateway: 'http-api' } as never, endpoint);
    expect((await store.get(token))?.start).toMatchObject({ service: 'my/orders', operation: 'place' });
  });

  it.each([
    ['no callback', ''],
    ["Temporal's own, which only a workflow can complete,", 'callback=temporal%3A%2F%2Fsystem'],
  ])('with %s and no wish to poll is refused, and told of both', async (_, query) => {
    const { type, message } = await refusal(setUp().answer({ query }));
    expect(type).toBe('BAD_REQUEST');
    expect(message).toContain('?callback=URL');
    expect(message).toContain('Prefer: respond-async');
  });

  it.each([
    ['respond-async', 201],
    ['Respond-Async', 201],
    ['wait=10, respond-async', 201],
    ['respond-async; foo=bar, wait=10', 201],
    ['respond-asynchronously', undefined],
    ['return=respond-async', undefined],
  ])('without a callback that prefers "%s" is %s', async (prefer, status) => {
    const answered = setUp().answer({ headers: { prefer } });
    expect(await answered.then((response) => response?.status).catch(() => undefined)).toBe(status);
  });

  it('with a callback that is not allowed is refused', async () => {
    const { type, message } = await refusal(setUp().answer({ query: 'callback=https%3A%2F%2Fevil.example%2Fcb' }));
    expect({ type, message }).toEqual({
      type: 'BAD_REQUEST',
      message: expect.stringContaining('completions may not be sent to https://evil.example'),
    });
  });

  it('that is too large for the store is refused for good', async () => {
    const { answer } = setUp({ create: async () => Promise.reject(new RecordTooLargeError(500_000, 400_000)) });
    expect(await refusal(answer({ query: CALLBACK }))).toEqual({
      type: 'BAD_REQUEST',
      message: expect.stringContaining('500000 bytes'),
    });
  });

  it('that is repeated has the same token, until that is forgotten', async () => {
    const { start, clock } = setUp();
    const request = { headers: { 'nexus-request-id': 'r1', 'operation-timeout': '1m' } };
    const token = await start(request);
    expect(await start(request)).toBe(token);
    clock.time += 60_000 + 86_400_000 - 1;
    expect(await start(request)).toBe(token);
    clock.time += 1;
    expect(await start(request)).not.toBe(token);
  });

  it('of another principal with the same request id is another operation', async () => {
    const { start } = setUp();
    const request = { headers: { 'nexus-request-id': 'r1' } };
    expect(await start(request)).not.toBe(await start(request, { principal: 'basic:other' }));
  });
});

describe('a start that cannot be delivered now', () => {
  const OPEN = { reason: 'circuit', delayMs: 30_000 } as const;
  const QUOTE = { method: 'POST', path: '/orders/quote', query: CALLBACK, headers: {}, body: new Uint8Array() };

  it('is accepted with a token, and first tried when it may be', async () => {
    const { durable, store } = setUp();
    const response = await durable.absorb(SHOP, QUOTE, LOCAL, OPEN);
    const { token } = JSON.parse(new TextDecoder().decode(response?.body));
    const record = await store.get(token);
    expect(record).toMatchObject({ state: 'queued', attempt: 1, nextAttemptAt: NOW + 30_000 });
    expect(record?.callback?.url).toBe('http://127.0.0.1:7243/callback');
  });

  it('is spread over some time with all that was refused at the same time', async () => {
    const { durable, store } = setUp({}, () => 0.5);
    const response = await durable.absorb(SHOP, QUOTE, LOCAL, OPEN);
    const { token } = JSON.parse(new TextDecoder().decode(response?.body));
    expect((await store.get(token))?.nextAttemptAt).toBe(NOW + 40_000);
  });

  it('gets the answer that its handler kept, where that was lost on its way', async () => {
    const { durable, store } = setUp();
    const request = { ...QUOTE, headers: { 'nexus-request-id': 'r1' } };
    const accepted = await durable.absorb(SHOP, request, LOCAL, OPEN);
    const { token } = JSON.parse(new TextDecoder().decode(accepted?.body));
    const read = (await store.get(token))!;
    const outcome = { at: NOW, state: 'succeeded', payload: {}, links: [] } as const;
    const { callback, dueAt, ...answered } = { ...read, state: 'ended', outcome, answeredAt: NOW, version: 2 } as const;
    await store.update(read, answered);
    expect(await durable.absorb(SHOP, request, LOCAL, OPEN)).toMatchObject({ status: 200 });
  });

  it('is accepted for a caller that polls', async () => {
    const request = { ...QUOTE, query: '', headers: { prefer: 'respond-async' } };
    expect(await setUp().durable.absorb(SHOP, request, LOCAL, OPEN)).toMatchObject({ status: 201 });
  });

  it.each([
    ['its caller can take no token', {}, { query: '' }],
    ['its callback is not allowed', {}, { query: 'callback=https%3A%2F%2Fevil.example%2Fcb' }],
    ["its callback is Temporal's own", {}, { query: 'callback=temporal%3A%2F%2Fsystem' }],
    ['its endpoint has no queue', { name: 'without-queue' }, {}],
    ['it is a cancel', {}, { path: '/orders/quote/cancel', headers: { 'nexus-operation-token': 'x' } }],
  ])('is not accepted where %s', async (_, endpoint, request) => {
    const { durable } = setUp();
    expect(await durable.absorb({ ...SHOP, ...endpoint }, { ...QUOTE, ...request }, LOCAL, OPEN)).toBeUndefined();
  });

  it('has had its first attempt where that failed, and waits as after any other', async () => {
    const { durable, store } = setUp();
    const endpoint = { ...SHOP, absorbFailures: ['orders/quote'] };
    const response = await durable.absorb(endpoint, QUOTE, LOCAL, { reason: 'failure', message: 'no disk' });
    const { token } = JSON.parse(new TextDecoder().decode(response?.body));
    expect(await store.get(token)).toMatchObject({
      attempt: 2,
      nextAttemptAt: NOW + 1_000,
      lastFailure: { at: NOW, attempt: 1, message: 'no disk' },
    });
  });

  it.each([
    ['does not absorb its failures', { absorbFailures: ['orders/place'] }],
    ['gives it one attempt', { absorbFailures: ['orders/quote'], settings: { retryAttempts: 1 } }],
  ])('has its failure go to the caller where its endpoint %s', async (_, endpoint) => {
    const failure = { reason: 'failure', message: 'no disk' } as const;
    expect(await setUp().durable.absorb({ ...SHOP, ...endpoint }, QUOTE, LOCAL, failure)).toBeUndefined();
  });
});

describe('a cancel', () => {
  it('of an operation that waits is taken, and ends it; once more, and it is taken again', async () => {
    const { start, cancel, store } = setUp();
    const token = await start();
    expect(await cancel(token)).toEqual({ status: 202, text: '' });
    const record = await store.get(token);
    expect(record?.outcome?.state).toBe('canceled');
    expect(await cancel(token)).toEqual({ status: 202, text: '' });
    expect(await store.get(token)).toStrictEqual(record);
  });

  it("of somebody else's operation is refused as that of one that is not there", async () => {
    const { start, cancel, store, clock } = setUp();
    const token = await start();
    const none = await refusal(cancel(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`));
    expect(none.type).toBe('NOT_FOUND');
    expect(await refusal(cancel(token, { principal: 'basic:other' }))).toEqual(none);
    expect(await refusal(cancel(token, LOCAL, { ...SHOP, name: 'bank' }))).toEqual(none);
    clock.time += 61 * 86_400_000;
    expect(await refusal(cancel(token))).toEqual(none);
    expect((await store.get(token))?.cancelRequestedAt).toBeUndefined();
  });

  it('finds an operation that its endpoint does not queue any more', async () => {
    const { start, cancel } = setUp();
    expect(await cancel(await start(), LOCAL, { ...SHOP, queued: [] })).toMatchObject({ status: 202 });
  });

  it.each([
    ['a token of its own', () => 'eyJ0IjoxfQ'],
    ["another endpoint's token", (token: string) => token],
  ])("is the handler's, where that answered with %s", async (_, tokenOf) => {
    const { start, cancel } = setUp();
    const token = tokenOf(await start({}, LOCAL, { ...SHOP, name: 'bank' }));
    expect(await cancel(token, LOCAL, SHOP, '/orders/quote/cancel')).toBeUndefined();
  });
});
