import { expect, it } from 'vitest';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { summarizeRequest } from '../../src/router/request-summary.ts';

const PATH = '/nexus/endpoints/shop/services/orders/place';

function response(status: number, headers = {}, body: unknown = ''): NexusHttpResponse {
  return { status, headers, body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)) };
}

it.each([
  [200, {}, 'succeeded'],
  [201, {}, 'started'],
  [202, {}, 'cancel accepted'],
  [424, { 'nexus-operation-state': 'canceled' }, 'canceled'],
  [424, { 'nexus-operation-state': 'failed' }, 'failed'],
  [400, {}, 'BAD_REQUEST'],
  [404, {}, 'NOT_FOUND'],
  [503, {}, 'UNAVAILABLE'],
  [520, {}, 'UPSTREAM_TIMEOUT'],
  [302, {}, 'status 302'],
])('says of status %d %j that it %s', (status, headers, outcome) => {
  expect(summarizeRequest(PATH, response(status, headers))).toEqual({
    endpoint: 'shop',
    operation: 'orders/place',
    outcome,
  });
});

it.each([
  ['/nexus/endpoints/shop/services/a%2Fb/c%20d/cancel', { endpoint: 'shop', operation: 'a/b/c d' }],
  ['/nexus/endpoints/shop/services', { endpoint: 'shop', operation: '/' }],
  ['/nexus/endpoints/shop/services/orders', { endpoint: 'shop', operation: '/orders' }],
  ['/nexus/endpoints/shop/services/%/place', { operation: '/nexus/endpoints/shop/services/%/place' }],
  ['/favicon.ico', { operation: '/favicon.ico' }],
])('reads endpoint and operation off %s', (path, place) => {
  expect(summarizeRequest(path, response(200))).toEqual({ ...place, outcome: 'succeeded' });
});

it.each([
  [{ message: 'sold out' }, 'sold out'],
  [{ message: 'operation error', cause: { message: 'sold out' } }, 'sold out'],
  [{ message: 'Handler error: INTERNAL', cause: { message: 'sold out' } }, 'sold out'],
  [{ message: 'Handler error: INTERNAL' }, 'Handler error: INTERNAL'],
  [{ message: 'order failed', cause: { message: 'sold out' } }, 'order failed'],
])('says of the failure %j its first own message', (failure, message) => {
  expect(summarizeRequest(PATH, response(500, {}, failure)).message).toBe(message);
});

it.each(['', 'oops', '{', '[]', 'null', '{"message":1}'])(
  'says nothing of the body %j, which is no failure',
  (body) => {
    expect(summarizeRequest(PATH, response(500, {}, body))).not.toHaveProperty('message');
  },
);
