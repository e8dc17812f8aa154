import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { getClient, log, metricMeter, operationInfo } from '@temporalio/nexus';
import { operation, service, serviceHandler } from 'nexus-rpc';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import { temporal } from '../../src/temporal/index.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { bodyJson, context, invocation } from '../handler/requests.ts';

const { lines, logger } = recordingLogger();

const counted: { name: string; value: number; tags: unknown }[] = [];
const meter = {
  createCounter: (name: string) => ({ add: (value: number, tags: unknown) => counted.push({ name, value, tags }) }),
} as never;

/** Accepts connections and never says a word. */
let silent: Server;
let lateCall: Promise<unknown>;
let late: Promise<unknown>;
let letLateGo: () => void;

const svc = service('svc', {
  info: operation<void, unknown>(),
  observe: operation<void, void>(),
  call: operation<void, void>(),
  callAfterwards: operation<void, void>(),
  linger: operation<void, void>(),
});
const handlers = serviceHandler(svc, {
  async info() {
    return { ...operationInfo(), clientNamespace: getClient().options.namespace };
  },
  async observe() {
    log.info('hello', { a: 1 });
    metricMeter.createCounter('calls').add(1);
  },
  async call() {
    await getClient().workflow.start('any', { taskQueue: 'q', workflowId: 'w' });
  },
  async callAfterwards({ abortSignal }) {
    await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    lateCall = getClient().workflow.start('any', { taskQueue: 'q', workflowId: 'w' });
    await lateCall;
  },
  async linger() {
    late = new Promise<void>((resolve) => {
      letLateGo = resolve;
    }).then(() => getClient());
    await late;
  },
});

let handler: ReturnType<typeof createServiceHandler>;

beforeAll(async () => {
  silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const side = temporal({ address, namespace: 'orders', taskQueue: 'order-queue', metricMeter: meter });
  handler = createServiceHandler({ services: [handlers], temporal: side, logger });
});
afterAll(() => void silent.close());

describe('a handler that uses @temporalio/nexus', () => {
  it('finds where it runs, and a client of the same namespace', async () => {
    const result = await handler(invocation('/svc/info', { endpoint: 'shop' }), context());
    expect(bodyJson(result)).toEqual({
      namespace: 'orders',
      taskQueue: 'order-queue',
      endpoint: 'shop',
      clientNamespace: 'orders',
    });
  });

  it('logs and counts with the attributes of its operation', async () => {
    await handler(invocation('/svc/observe'), context());
    const attributes = { namespace: 'orders', taskQueue: 'order-queue', service: 'svc', operation: 'observe' };
    expect(lines).toContainEqual({
      level: 'info',
      message: 'hello',
      meta: { ...attributes, a: 1, sdkComponent: 'nexus' },
    });
    expect(counted).toEqual([{ name: 'calls', value: 1, tags: attributes }]);
  });

  it('has its client calls cut at the deadline, and is answered with a timeout', async () => {
    const retireEnvironment = vi.fn<() => void>();
    const result = await handler(invocation('/svc/call', { timeoutMs: 500 }), { ...context(), retireEnvironment });
    expect(result.statusCode).toBe(520);
    // It let go with the signal, and not when the gRPC deadline came.
    expect(retireEnvironment).not.toHaveBeenCalled();
    expect(result.body).toMatch(/operation 'svc\/call' was not done within the (400|3\d\d) ms it had/);
  });

  it('has its client calls go on when the operation is canceled: what they start is canceled by its token', async () => {
    const canceling = new AbortController();
    let answered = false;
    const answer = handler(invocation('/svc/call', { timeoutMs: 500 }), { ...context(), canceled: canceling.signal });
    void answer.then(() => {
      answered = true;
    });
    canceling.abort(new DOMException('the operation was canceled', 'AbortError'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answered).toBe(false);
    expect((await answer).statusCode).toBe(520);
  });

  it('has client calls that it starts after its deadline ended, too', async () => {
    await handler(invocation('/svc/callAfterwards', { timeoutMs: 500 }), { ...context(), retireEnvironment() {} });
    await expect(lateCall).rejects.toMatchObject({ cause: { code: 4 } });
  });

  it('loses client and context when it was given up', async () => {
    const retirement = Promise.withResolvers<void>();
    const result = await handler(invocation('/svc/linger', { timeoutMs: 100 }), {
      ...context(),
      retireEnvironment: retirement.resolve,
    });
    await retirement.promise;
    expect(result.statusCode).toBe(520);
    letLateGo();
    await expect(late).rejects.toThrow('Not in a Nexus handler context: the request deadline has passed');
  });
});

describe('outside a handler', () => {
  it('there is no context', () => {
    expect(() => getClient()).toThrow('Not in a Nexus handler context');
  });
});
