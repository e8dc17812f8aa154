import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createEndpointView, HARD_AGE_MS, SOFT_AGE_MS } from '../../src/router/endpoint-view.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  callers: ['basic:shop'],
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};
const ANSWER = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };

/** A router in front of a registry, and of a handler that answers at once, each of which may be made to hang. */
function setUp() {
  const hanging = { registry: false, handler: false };
  const clock = { now: () => Date.now() };
  const registry = {
    async get(name: string, signal?: AbortSignal) {
      if (!hanging.registry) return name === SHOP.name ? SHOP : undefined;
      return new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
    },
  };
  const handlerMs: number[] = [];
  const router = createRouter({
    endpoints: createEndpointView({ registry, clock, onStale: () => {} }),
    invoker: {
      async invoke(_endpoint, { timeoutMs }, waitMs) {
        handlerMs.push(timeoutMs);
        if (!hanging.handler) return ANSWER;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        throw new InvokeError('timeout', 'gave no answer');
      },
    },
    clock,
  });
  return {
    hanging,
    handlerMs,
    /** How a request of this time ends, and after how many milliseconds. */
    async call(timeout: string, { endpoint = 'shop', principal = 'basic:shop' } = {}) {
      const startedAt = Date.now();
      const request = {
        method: 'POST',
        path: `/nexus/endpoints/${endpoint}/services/orders/place`,
        query: '',
        headers: { 'request-timeout': timeout },
        body: new Uint8Array(),
      };
      const done = router(request, { principal, gateway: 'http-api' }).then(
        ({ status }) => ({ status, afterMs: Date.now() - startedAt }),
        (error: Error) => ({ error: error.message, afterMs: Date.now() - startedAt }),
      );
      await vi.advanceTimersByTimeAsync(30_000);
      return done;
    },
  };
}

it.each([
  ['100ms', 50],
  ['1500ms', 750],
  ['10s', 2_000],
])('gives up a registry that hangs after half of a Request-Timeout of %s, two seconds at most', async (timeout, ms) => {
  const { call, hanging } = setUp();
  hanging.registry = true;
  expect(await call(timeout)).toEqual({ error: expect.stringMatching(/^no answer within /), afterMs: ms });
});

it('gives up the second look before a denial in time, too', async () => {
  const { call, hanging } = setUp();
  expect(await call('1s', { principal: 'basic:bank' })).toEqual({ status: 403, afterMs: 0 });
  hanging.registry = true;
  // The view is older than what serves without a look: half of the time for the first look, half of what is left for the second.
  expect(await call('1s', { principal: 'basic:bank' })).toMatchObject({ error: expect.any(String), afterMs: 750 });
});

it('leaves the handler the other half where an older view serves', async () => {
  const { call, hanging, handlerMs } = setUp();
  await call('1s');
  hanging.registry = true;
  await vi.advanceTimersByTimeAsync(HARD_AGE_MS);
  expect(await call('1s')).toEqual({ status: 200, afterMs: 500 });
  expect(handlerMs.at(-1)).toBe(500 * 0.95 * 0.8);
});

it.each(['100ms', '1s', '1500ms', '10s'])(
  'answers within a Request-Timeout of %s where registry and handler hang',
  async (timeout) => {
    const { call, hanging } = setUp();
    await call(timeout);
    Object.assign(hanging, { registry: true, handler: true });
    await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
    const { afterMs, ...answer } = await call(timeout);
    expect(answer).toEqual({ status: 520 });
    expect(afterMs).toBeLessThan(
      timeout.endsWith('ms') ? Number.parseInt(timeout, 10) : Number.parseInt(timeout, 10) * 1_000,
    );
  },
);
