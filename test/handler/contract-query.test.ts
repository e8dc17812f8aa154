import { operation, service, serviceHandler } from 'nexus-rpc';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import { bodyJson, context, httpEvent, invocation } from './requests.ts';

const QUERY = { nexusContract: 1 } as const;

function setUp() {
  const shop = service('my shop/v1', { place: operation<unknown, unknown>({ name: 'place it' }), look: operation() });
  const bank = service('bank', {});
  return createServiceHandler({
    services: [
      serviceHandler(shop, { place: async (_ctx, input) => input, look: async () => undefined }),
      serviceHandler(bank, {}),
    ],
  });
}

it('answers a deploy with its services and operations, by the names that callers use, and nothing of its own', async () => {
  expect(await setUp()(QUERY, context())).toEqual({
    nexusContract: 1,
    services: [
      { name: 'my shop/v1', operations: ['place it', 'look'] },
      { name: 'bank', operations: [] },
    ],
  });
});

it('answers before the middlewares, which see requests only', async () => {
  const before = vi.fn<() => void>(() => {
    throw new Error('no such tenant');
  });
  const handler = setUp().use({ before, after: before, onError: () => {} });
  expect(await handler(QUERY, context())).toHaveProperty('services');
  expect(before).not.toHaveBeenCalled();
});

it('answers where the function is called by an API of its own, too', async () => {
  process.env.NEXUS_COLLOCATED_ENDPOINTS = '{"shop": []}';
  onTestFinished(() => void delete process.env.NEXUS_COLLOCATED_ENDPOINTS);
  expect(await setUp()(QUERY, context())).toHaveProperty('services');
});

it.each([{ nexusContract: 2 }, { nexusContract: '1' }, { nexusContract: true }, {}, null, 'nexusContract'])(
  'takes %j for no query, and for no request',
  async (event) => {
    await expect(setUp()(event as unknown, context())).rejects.toThrow('this event is no Nexus request');
  },
);

it('takes no query from a caller: the body of a request is the input of its operation', async () => {
  const body = JSON.stringify(QUERY);
  const path = '/my%20shop%2Fv1/place%20it';
  const handler = setUp();
  expect(bodyJson(await handler(invocation(path, { body }), context()))).toEqual(QUERY);
  expect(bodyJson(await handler(httpEvent(`/nexus/endpoints/e1/services${path}`, { body }), context()))).toEqual(QUERY);
});
