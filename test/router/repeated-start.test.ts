import { describe, expect, it } from 'vitest';
import type { NexusHttpRequest, NexusHttpResponse } from '../../src/nexus/message.ts';
import type { Caller } from '../../src/router/caller.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { deliverOnce, type RepeatableStart, repeatableStart } from '../../src/router/repeated-start.ts';

const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [{ name: 'orders', operations: ['place', 'a/b'] }],
  deduplicate: true,
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};
const ADA: Caller = { principal: 'basic:ada' };
const WEEK_MS = 7 * 24 * 3_600_000;
const RESULT: NexusHttpResponse = { status: 200, headers: {}, body: new Uint8Array() };

function request(headers: Record<string, string> = {}, parts: Partial<NexusHttpRequest> = {}): NexusHttpRequest {
  const all = { 'nexus-request-id': 'r1', ...headers };
  return { method: 'POST', path: '/orders/place', query: '', headers: all, body: new Uint8Array(), ...parts };
}

const OTHERS = { query: 'callback=http%3A%2F%2Flocalhost%3A7243%2Fcallback', body: new TextEncoder().encode('{}') };

describe('the key of a start', () => {
  const keyOf = (given: NexusHttpRequest, caller = ADA, endpoint = SHOP) =>
    repeatableStart(endpoint, given, caller)?.key;
  const KEY = keyOf(request());

  it('is the same for whatever else a repetition has', () => {
    expect(KEY).toBeDefined();
    expect(keyOf(request({ 'operation-timeout': '5s', 'content-type': 'application/json' }, OTHERS))).toBe(KEY);
  });

  it.each([
    ['another request id', request({ 'nexus-request-id': 'r2' })],
    ['another operation', request({}, { path: '/orders/a%2Fb' })],
    ['another service', request({}, { path: '/returns/place' })],
    ['another principal', request(), { principal: 'basic:bob' }],
    ['another endpoint', request(), ADA, { ...SHOP, name: 'stock' }],
  ])('is another one with %s', (_what, given, caller = ADA, endpoint = SHOP) => {
    const key = keyOf(given, caller, endpoint);
    expect(key).toBeDefined();
    expect(key).not.toBe(KEY);
  });

  it('cannot be made by putting the parts of another one together in another way', () => {
    const [left, right] = [
      { principal: 'a', id: 'b","c' },
      { principal: 'a","b', id: 'c' },
    ].map(({ principal, id }) => keyOf(request({ 'nexus-request-id': id }), { principal }));
    expect(left).not.toBe(right);
  });

  it('is the same for a path that a gateway has decoded', () => {
    const gateway = { kind: 'http-api' } as never;
    const decoded = keyOf(request({}, { path: '/orders/a/b' }), { ...ADA, gateway });
    expect(decoded).toBe(keyOf(request({}, { path: '/orders/a%2Fb' })));
  });

  it.each([
    ['has no request id', request({ 'nexus-request-id': '' })],
    ['cancels', request({ 'nexus-operation-token': 't' }, { path: '/orders/place/cancel' })],
    ['is malformed', request({}, { path: '/orders' })],
    ['is no POST', request({}, { method: 'GET' })],
  ])('is none where a request %s', (_what, given) => {
    expect(keyOf(given)).toBeUndefined();
  });
});

describe('an answer is kept', () => {
  it.each([
    ['as long as its operation may last, and a minute', { 'operation-timeout': '90s' }, 150_000],
    ['a minute where that time is over', { 'operation-timeout': '0s' }, 60_000],
    ['a week at most', { 'operation-timeout': '1440h' }, WEEK_MS],
    ['a week where the operation may last forever', {}, WEEK_MS],
  ])('%s', (_what, headers, ms) => {
    expect(repeatableStart(SHOP, request(headers), ADA)?.keepMs).toBe(ms);
  });
});

describe('a request', () => {
  it.each([
    ['of an endpoint that does not ask for it', { ...SHOP, deduplicate: false }, request()],
    ['without an id', SHOP, request({ 'nexus-request-id': '' })],
  ])('%s is delivered as it is', async (_what, endpoint, given) => {
    const arrived = { endpoint, request: given, caller: ADA, leftMs: () => 1_000 };
    expect(
      await deliverOnce(
        () => expect.unreachable(),
        arrived,
        async () => RESULT,
      ),
    ).toBe(RESULT);
  });

  it('is delivered as it is where nothing deduplicates', async () => {
    const arrived = { endpoint: SHOP, request: request(), caller: ADA, leftMs: () => 1_000 };
    expect(await deliverOnce(undefined, arrived, async () => RESULT)).toBe(RESULT);
  });

  it('that starts an operation with an id is handed on with its key and its time', async () => {
    const arrived = { endpoint: SHOP, request: request(), caller: ADA, leftMs: () => 1_000 };
    let given: { start: RepeatableStart; leftMs: number } | undefined;
    const answer = await deliverOnce(
      (start, deliver, leftMs) => {
        given = { start, leftMs: leftMs() };
        return deliver();
      },
      arrived,
      async () => RESULT,
    );
    expect(answer).toBe(RESULT);
    expect(given).toEqual({
      start: {
        key: '["basic:ada","shop","orders","place","r1"]',
        endpoint: 'shop',
        operation: 'orders/place',
        keepMs: WEEK_MS,
        failureSupport: false,
      },
      leftMs: 1_000,
    });
  });
});
