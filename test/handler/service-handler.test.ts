import {
  HandlerError,
  HandlerStartOperationResult,
  OperationError,
  operation,
  service,
  serviceHandler,
} from 'nexus-rpc';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toHandlerError } from '../../src/handler/handler-errors.ts';
import { plainConversion } from '../../src/handler/plain-conversion.ts';
import {
  createServiceHandler,
  type LambdaContext,
  type ServiceHandlerOptions,
  type TemporalSide,
} from '../../src/index.ts';
import { recordingLogger } from './recording-logger.ts';
import { bodyBytes, bodyJson, context, httpEvent, invocation } from './requests.ts';

const shop = service('shop', {
  echo: operation<unknown, unknown>({ name: 'echo' }),
  fail: operation<{ how: string }, void>(),
  stored: operation<string, string>(),
  slow: operation<{ letGo: boolean }, string>(),
});

const seen: { headers?: Record<string, string>; requestId?: string; deadline?: Date; canceled: string[] } = {
  canceled: [],
};

const shopHandler = serviceHandler(shop, {
  async echo(ctx, input) {
    seen.headers = ctx.headers;
    seen.requestId = ctx.requestId;
    if (ctx.requestDeadline) seen.deadline = ctx.requestDeadline;
    ctx.outboundLinks.push(...ctx.inboundLinks);
    return input;
  },
  async fail(_ctx, { how }) {
    switch (how) {
      case 'failed':
        throw new OperationError('failed', 'out of stock', { cause: new Error('shelf 7 is empty') });
      case 'canceled':
        throw new OperationError('canceled', 'changed my mind');
      case 'conflict':
        throw new HandlerError('CONFLICT', 'ordered already', { cause: new Error('order 12') });
      case 'override':
        throw new HandlerError('BAD_REQUEST', 'later', { retryableOverride: true });
      case 'text':
        throw 'a text';
      default:
        throw new TypeError('a bug');
    }
  },
  stored: {
    async start(_ctx, token) {
      return HandlerStartOperationResult.async(token);
    },
    async cancel(_ctx, token) {
      seen.canceled.push(token);
    },
  },
  async slow(ctx, { letGo }) {
    return new Promise((resolve, reject) => {
      if (letGo) ctx.abortSignal.addEventListener('abort', () => reject(ctx.abortSignal.reason));
      else setTimeout(resolve, 20_000, 'at last');
    });
  },
});

const { lines, logger } = recordingLogger();

const handlerOf = (options: Partial<ServiceHandlerOptions> = {}) =>
  createServiceHandler({ services: [shopHandler], logger, ...options });
const handler = handlerOf();

beforeEach(() => {
  lines.length = 0;
  seen.canceled = [];
});

describe('a sync operation', () => {
  it('answers 200 with the result as JSON and nothing but one content header', async () => {
    const result = await handler(invocation('/shop/echo', { body: '{"a":[1,null,"é"]}' }), context());
    expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: false });
    expect(bodyJson(result)).toEqual({ a: [1, null, 'é'] });
    expect(Object.keys(result.headers).filter((name) => name.startsWith('content-'))).toEqual(['content-type']);
    expect(result.headers['content-type']).toBe('application/json');
  });

  it('takes null and bytes as they are, and nothing as undefined', async () => {
    const nullResult = await handler(invocation('/shop/echo', { body: 'null' }), context());
    expect(bodyBytes(nullResult).toString()).toBe('null');
    const bytes = new Uint8Array([0, 255, 128]);
    const binary = await handler(
      invocation('/shop/echo', { body: bytes, headers: { 'content-type': 'application/octet-stream' } }),
      context(),
    );
    expect(binary.headers['content-type']).toBe('application/octet-stream');
    expect(new Uint8Array(bodyBytes(binary))).toEqual(bytes);
    const nothing = await handler(invocation('/shop/echo'), context());
    expect(nothing).toMatchObject({ statusCode: 200, body: '' });
    expect(nothing.headers).not.toHaveProperty('content-type');
  });

  it('sees headers whatever their case, and its request id, and sends links back', async () => {
    const link = '<https://example.com/a?b=c>; type="example.Link"';
    const headers = {
      'my-header': 'x',
      'nexus-request-id': 'r-1',
      'nexus-link': link,
      authorization: 'Basic c2VjcmV0',
    };
    const result = await handler(invocation('/shop/echo', { headers }), context());
    expect(result.headers['nexus-link']).toBe(link);
    expect(seen.headers?.['My-Header']).toBe('x');
    expect(seen.headers?.authorization).toBeUndefined();
    expect(seen.requestId).toBe('r-1');
  });

  it('gets a request id of its own where the caller sent none', async () => {
    await handler(invocation('/shop/echo'), context());
    expect(seen.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('fails for good, with the size, where the result is over what Nexus carries', async () => {
    const large = handlerOf({
      services: [
        serviceHandler(service('s', { big: operation<void, string>() }), {
          big: async () => 'x'.repeat(2 * 1024 * 1024),
        }),
      ],
    });
    const result = await large(invocation('/s/big'), context());
    expect(result).toMatchObject({ statusCode: 500, headers: { 'nexus-request-retryable': 'false' } });
    expect(result.body).toContain('2097154 bytes');
    expect(lines).toMatchObject([{}, {}, { level: 'warn', message: expect.stringContaining('2097154 bytes') }]);
  });
});

describe('an async operation', () => {
  it('answers 201 with the token', async () => {
    const result = await handler(invocation('/shop/stored', { body: '"token-1"' }), context());
    expect(result.statusCode).toBe(201);
    expect(bodyJson(result)).toEqual({ token: 'token-1', state: 'running' });
  });

  it('fails for good where its token is no legal one', async () => {
    const result = await handler(invocation('/shop/stored', { body: '"to\\nken"' }), context());
    expect(result).toMatchObject({ statusCode: 500, headers: { 'nexus-request-retryable': 'false' } });
  });

  it.each([
    ['header', '/shop/stored/cancel', '', { 'nexus-operation-token': 't 1' }],
    ['query', '/shop/stored/cancel', 'token=t%201', {}],
    ['path', '/shop/stored/t%201/cancel', '', {}],
  ])('is canceled by the token from the %s, with 202', async (_where, path, query, headers) => {
    const result = await handler(invocation(path, { query, headers: headers as Record<string, string> }), context());
    expect(result).toMatchObject({ statusCode: 202, body: '' });
    expect(seen.canceled).toEqual(['t 1']);
  });

  it('answers an OperationError of its cancel as a retryable INTERNAL: nothing has ended', async () => {
    const ship = service('ship', { send: operation<void, void>() });
    const handlers = serviceHandler(ship, {
      send: {
        start: async () => HandlerStartOperationResult.async('t'),
        cancel: async () => {
          throw new OperationError('failed', 'at sea already');
        },
      },
    });
    const result = await handlerOf({ services: [handlers] })(
      invocation('/ship/send/cancel', { query: 'token=t' }),
      context(),
    );
    expect(result.statusCode).toBe(500);
    expect(result.headers).not.toHaveProperty('nexus-operation-state');
  });

  it('cannot be canceled where it has no cancel: 501', async () => {
    const result = await handler(
      invocation('/shop/echo/cancel', { headers: { 'nexus-operation-token': 't' } }),
      context(),
    );
    expect(result.statusCode).toBe(501);
  });
});

describe('a failing operation', () => {
  const failed = (how: string, headers: Record<string, string> = {}) =>
    handler(invocation('/shop/fail', { body: JSON.stringify({ how }), headers }), context());
  const newer = { 'temporal-nexus-failure-support': 'true' };

  it('answers an OperationError with 424, the state, and the cause inside, for servers old and new', async () => {
    const older = await failed('failed');
    expect(older).toMatchObject({
      statusCode: 424,
      headers: { 'nexus-operation-state': 'failed', 'content-type': 'application/json' },
    });
    expect(bodyJson(older)).toMatchObject({
      message: 'out of stock',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: {
        applicationFailureInfo: { type: 'OperationError', nonRetryable: true },
        cause: { message: 'shelf 7 is empty' },
      },
    });
    const typed = await failed('failed', newer);
    expect(typed).toMatchObject({ statusCode: 424, headers: { 'nexus-operation-state': 'failed' } });
    expect(bodyJson(typed)).toMatchObject({
      metadata: { type: 'nexus.OperationError' },
      details: { state: 'failed' },
      cause: { message: 'out of stock', cause: { message: 'shelf 7 is empty' } },
    });
  });

  it('answers a canceled OperationError as a CanceledFailure', async () => {
    const result = await failed('canceled');
    expect(result).toMatchObject({ statusCode: 424, headers: { 'nexus-operation-state': 'canceled' } });
    expect(bodyJson(result)).toMatchObject({ message: 'changed my mind', details: { canceledFailureInfo: {} } });
  });

  it('answers a HandlerError with the status of its type, its message and its cause', async () => {
    const typed = await failed('conflict', newer);
    expect(typed.statusCode).toBe(409);
    expect(bodyJson(typed)).toMatchObject({
      message: 'ordered already',
      metadata: { type: 'nexus.HandlerError' },
      details: { type: 'CONFLICT' },
      cause: { message: 'order 12' },
    });
    const older = await failed('conflict');
    expect(older.statusCode).toBe(409);
    expect(older.body).toContain('ordered already');
    expect(older.body).toContain('order 12');
  });

  it('gives a Temporal server too old for the status of CONFLICT one that it knows as final', async () => {
    const result = await failed('conflict', { 'user-agent': 'Nexus-go-sdk/v0.3.0' });
    expect(result).toMatchObject({ statusCode: 400, headers: { 'nexus-request-retryable': 'false' } });
  });

  it("says that the failure is the handler's, as a worker does", async () => {
    expect((await failed('conflict')).headers).toMatchObject({ 'temporal-nexus-failure-source': 'worker' });
  });

  it('says when its type is not what decides about a retry', async () => {
    const result = await failed('override', newer);
    expect(result).toMatchObject({ statusCode: 400, headers: { 'nexus-request-retryable': 'true' } });
    expect(bodyJson(result)).toMatchObject({ details: { type: 'BAD_REQUEST', retryableOverride: true } });
  });

  it('answers anything else that is thrown as a retryable INTERNAL, and logs it', async () => {
    const result = await failed('bug');
    expect(result.statusCode).toBe(500);
    expect(result.body).toContain('a bug');
    expect(lines).toContainEqual({
      level: 'warn',
      message: 'Nexus handler invocation failed',
      meta: expect.objectContaining({ service: 'shop', operation: 'fail', error: new TypeError('a bug') }),
    });
    expect((await failed('text')).body).toContain('a text');
  });
});

describe('a failure that cannot be sent as it is', () => {
  const failing = (error: Error, encodeError?: () => Promise<never>) => {
    const boom = service('boom', { go: operation<void, void>() });
    const go = async () => {
      throw error;
    };
    const conversion = { ...plainConversion, ...(encodeError && { encodeError }) };
    const side = {
      conversion,
      attributes: { namespace: 'n', taskQueue: 'q' },
      toHandlerError,
      deadlineReason: () => 'late',
    };
    const temporal: TemporalSide = { ...side, run: (_scope, call) => call() };
    return handlerOf({ services: [serviceHandler(boom, { go })], temporal })(invocation('/boom/go'), context());
  };

  it('is cut where it is over what Nexus carries, and keeps its type', async () => {
    const result = await failing(new HandlerError('CONFLICT', `secret ${'x'.repeat(3 * 1024 * 1024)}`));
    expect(result.statusCode).toBe(409);
    expect(result.body.length).toBeLessThan(3_000);
    expect(result.body).toContain('cut, with its cause and details');
  });

  it('says nothing of the error where the data converter, which may be there to encrypt it, fails', async () => {
    const broken = async () => {
      throw new Error('KMS is down');
    };
    for (const error of [new HandlerError('BAD_REQUEST', 'card 4111'), new OperationError('failed', 'card 4111')]) {
      const result = await failing(error, broken);
      expect(result.statusCode).toBe(500);
      expect(result.headers).not.toHaveProperty('nexus-request-retryable');
      expect(result.body).not.toContain('4111');
    }
  });
});

describe('a request for what is not there', () => {
  it.each([
    ['service', '/shopp/echo', "no service 'shopp' here; there is 'shop'"],
    ['operation', '/shop/ecco', "service 'shop' has no operation 'ecco'; it has 'echo', 'fail', 'stored', 'slow'"],
  ])('names the %s and those that are', async (_what, path, message) => {
    const result = await handler(invocation(path), context());
    expect(result.statusCode).toBe(404);
    expect(result.body).toContain(message);
    expect(result.body).not.toContain('stackTrace');
  });
});

describe('at the deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const slow = (letGo: boolean, retireEnvironment: () => void) =>
    handler(invocation('/shop/slow', { body: JSON.stringify({ letGo }) }), { ...context(), retireEnvironment });

  it('which is the reserve before the end of Request-Timeout, ctx.requestDeadline says so', async () => {
    await handler(invocation('/shop/echo', { headers: { 'request-timeout': '5s' } }), context());
    expect(seen.deadline).toEqual(new Date(Date.now() + 4_500));
  });

  it('a handler that lets go is answered with a retryable timeout before the caller gives up', async () => {
    const retireEnvironment = vi.fn<() => void>();
    const result = slow(true, retireEnvironment);
    await vi.advanceTimersByTimeAsync(9_500);
    expect(await result).toMatchObject({ statusCode: 520 });
    expect((await result).body).toContain("operation 'shop/slow' was not done within the 9500 ms it had");
    expect(retireEnvironment).not.toHaveBeenCalled();
  });

  it('a handler that does not is answered all the same, logged by name, and its environment retired after the answer', async () => {
    const retireEnvironment = vi.fn<() => void>();
    const result = slow(false, retireEnvironment);
    await vi.advanceTimersByTimeAsync(9_749);
    expect(retireEnvironment).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect((await result).statusCode).toBe(520);
    expect(retireEnvironment).toHaveBeenCalledOnce();
    expect(lines).toContainEqual({
      level: 'warn',
      message: expect.stringContaining('did not settle after its deadline'),
      meta: expect.objectContaining({ service: 'shop', operation: 'slow' }),
    });
  });

  it('an abandoned environment is retired, and the caller answered, whatever middlewares do', async () => {
    const retireEnvironment = vi.fn<() => void>();
    const fail = () => {
      throw new Error('a middleware fails');
    };
    const replace = (request: { context: LambdaContext }) => {
      request.context = { ...request.context };
    };
    for (const wrapped of [handlerOf().use({ after: fail, onError: fail }), handlerOf().before(replace)]) {
      const event = invocation('/shop/slow', { body: '{"letGo":false}', timeoutMs: 1_000 });
      const result = wrapped(event, { ...context(), retireEnvironment });
      await vi.advanceTimersByTimeAsync(1_000);
      expect((await result).statusCode).toBeGreaterThanOrEqual(500);
    }
    expect(retireEnvironment).toHaveBeenCalledTimes(2);
  });

  it('a data converter that hangs is not waited for', async () => {
    const hangs = () => new Promise<never>(() => {});
    const conversion = { decodeInput: async () => undefined, encodeOutput: hangs, encodeError: hangs };
    const attributes = { namespace: 'n', taskQueue: 'q' };
    const temporal: TemporalSide = {
      conversion,
      attributes,
      toHandlerError,
      deadlineReason: () => 'late',
      run: (_scope, call) => call(),
    };
    const retireEnvironment = vi.fn<() => void>();
    const result = handlerOf({ temporal })(invocation('/shop/echo', { timeoutMs: 1_000 }), {
      ...context(),
      retireEnvironment,
    });
    await vi.advanceTimersByTimeAsync(999);
    expect((await result).statusCode).toBe(520);
    expect(retireEnvironment).toHaveBeenCalledOnce();

    const guarded = handlerOf({ temporal }).before(() => {
      throw new HandlerError('UNAUTHORIZED', 'not on the list');
    });
    const refused = guarded(invocation('/shop/echo'), context());
    await vi.advanceTimersByTimeAsync(250);
    expect((await refused).statusCode).toBe(500);
    const malformed = await handlerOf({ temporal })(invocation('/shop/echo', { method: 'GET' }), context());
    expect(malformed.statusCode).toBe(400);
  });

  it('counts what a middleware takes of the time', async () => {
    const delayed = handlerOf().before(() => new Promise<void>((resolve) => setTimeout(resolve, 3_000)));
    const result = delayed(invocation('/shop/slow', { body: '{"letGo":true}', timeoutMs: 5_000 }), context());
    await vi.advanceTimersByTimeAsync(4_600);
    expect((await result).body).toContain('was not done within the 1600 ms it had');
  });

  it('what a handler throws instead of letting go has its line in the log', async () => {
    const rollback = operation<void, void>();
    const services = [
      serviceHandler(service('bank', { rollback }), {
        rollback: (ctx) =>
          new Promise((_resolve, reject) => {
            ctx.abortSignal.addEventListener('abort', () => reject(new TypeError('rollback failed')));
          }),
      }),
    ];
    const result = handlerOf({ services })(invocation('/bank/rollback', { timeoutMs: 1_000 }), context());
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await result).statusCode).toBe(520);
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { meta: { error: new TypeError('rollback failed') } },
    ]);
  });

  it('a request whose time is over never reaches its handler', async () => {
    seen.requestId = 'untouched';
    const result = await handler(invocation('/shop/echo', { headers: { 'request-timeout': '0ms' } }), context());
    expect(result.statusCode).toBe(520);
    expect(seen.requestId).toBe('untouched');
  });
});

describe('events of AWS', () => {
  const path = '/nexus/endpoints/shop/services/shop/echo';

  it('answers an API Gateway HTTP API event and a Function URL event', async () => {
    for (const domainName of ['abc.execute-api.eu-west-1.amazonaws.com', 'abc.lambda-url.eu-west-1.on.aws']) {
      const result = await handler(httpEvent(path, { body: '1', domainName }), context());
      expect(bodyJson(result)).toBe(1);
    }
  });

  it('sends "nothing" as what a gateway cannot add a type to: a payload for Temporal, null for others', async () => {
    const other = await handler(httpEvent(path), context());
    expect(other).toMatchObject({ body: 'null', headers: { 'content-type': 'application/json' } });
    const temporal = await handler(httpEvent(path, { headers: { 'User-Agent': 'temporalio/server' } }), context());
    expect(temporal.headers['content-type']).toBe('application/x-temporal-payload');
    expect(bodyBytes(temporal).toString('latin1')).toContain('binary/null');
  });

  it('finds an operation whose name the gateway has decoded', async () => {
    const odd = handlerOf({
      services: [
        serviceHandler(service('my svc/v1', { 'a/b': operation<void, string>() }), { 'a/b': async () => 'found' }),
      ],
    });
    for (const name of ['my svc/v1/a/b', 'my%20svc%2Fv1/a%2Fb']) {
      expect(bodyJson(await odd(httpEvent(`/nexus/endpoints/shop/services/${name}`), context()))).toBe('found');
    }
  });

  it('takes a token from an escaped path of a Function URL as it was sent', async () => {
    const url = { domainName: 'abc.lambda-url.eu-west-1.on.aws' };
    await handler(httpEvent('/nexus/endpoints/shop/services/shop/stored/a%2Fb%20c/cancel', url), context());
    expect(seen.canceled).toEqual(['a/b c']);
  });

  it('refuses an event that is no Nexus request, so that a wrong trigger shows', async () => {
    await expect(handler({ Records: [{ eventSource: 'aws:sns' }] }, context())).rejects.toThrow(
      'got an object with Records',
    );
  });
});

describe('middleware and interceptors', () => {
  it('runs middy middlewares around the operation', async () => {
    const order: string[] = [];
    const wrapped = handlerOf().use({
      before: () => void order.push('before'),
      after: (request) => {
        order.push(`after ${request.response?.statusCode}`);
      },
    });
    await wrapped(invocation('/shop/echo'), context());
    expect(order).toEqual(['before', 'after 200']);
  });

  it('answers a middleware that throws with the Nexus failure of its error', async () => {
    const guarded = handlerOf().before(() => {
      throw new HandlerError('UNAUTHORIZED', 'not on the list');
    });
    const result = await guarded(invocation('/shop/echo'), context());
    expect(result.statusCode).toBe(403);
    expect(result.body).toContain('not on the list');
  });

  it('runs inbound interceptors from the first to the last, which may change input and result', async () => {
    const name = (label: string) => () => ({
      inbound: {
        async startOperation(
          call: { ctx: never; input: unknown },
          next: (call: never) => Promise<{ result: { value: unknown } }>,
        ) {
          const { result } = await next({ ...call, input: `${call.input}>${label}` } as never);
          return { result: { ...result, value: `${result.value}<${label}` } };
        },
        async cancelOperation(call: { ctx: never; token: string }, next: (call: never) => Promise<void>) {
          await next({ ...call, token: `${label}-${call.token}` } as never);
        },
      },
    });
    const intercepted = handlerOf({ interceptors: { nexus: [name('a'), name('b')] as never } });
    const result = await intercepted(invocation('/shop/echo', { body: '"in"' }), context());
    expect(bodyJson(result)).toBe('in>a>b<b<a');
    await intercepted(invocation('/shop/stored/cancel', { query: 'token=t' }), context());
    expect(seen.canceled).toEqual(['b-a-t']);
  });

  it('lets outbound interceptors add to the attributes of log lines', async () => {
    const tenant = () => ({
      outbound: {
        getLogAttributes: (given: object, next: (given: never) => never) => next({ ...given, tenant: 't1' } as never),
      },
    });
    await handlerOf({ interceptors: { nexus: [tenant] as never } })(
      invocation('/shop/fail', { body: '{"how":"bug"}' }),
      context(),
    );
    expect(lines.find(({ level }) => level === 'warn')?.meta).toMatchObject({ service: 'shop', tenant: 't1' });
  });
});

describe('createServiceHandler fails when', () => {
  it.each([
    ['there is no service', [], 'no service handlers given'],
    ['one is no service handler', [{}], 'services[0] is no nexus-rpc service handler'],
    [
      'two have one name',
      [shopHandler, serviceHandler(service('shop', {}), {})],
      "two service handlers are named 'shop'",
    ],
  ])('%s', (_case, services, message) => {
    expect(() => createServiceHandler({ services: services as never })).toThrow(message);
  });
});
