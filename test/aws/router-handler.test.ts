import { describe, expect, it, vi } from 'vitest';
import { createFlowMetrics } from '../../src/aws/flow-metrics.ts';
import { createRouterHandler, routerHandlerOfEnvironment } from '../../src/aws/router-handler.ts';
import type { Manage } from '../../src/aws/router-management.ts';
import type { LambdaHttpResult, NexusInvocation } from '../../src/handler/invocation.ts';
import type { EndpointView } from '../../src/router/endpoint-view.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { bodyBytes, bodyJson, context, httpEvent } from '../handler/requests.ts';

const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  callers: ['iam:arn:aws:iam::123456789012:role/Caller', 'basic:shop', 'jwt:ada'],
  functionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:shop:live',
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};
const RESULT: LambdaHttpResult = {
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: '"é"',
  isBase64Encoded: false,
};
const IAM = { iam: { userArn: 'arn:aws:sts::123456789012:assumed-role/Caller/session' } };
const BASIC = { lambda: { principal: 'basic:shop' } };

interface Parts {
  readonly authorizer?: object | undefined;
  readonly event?: object;
  readonly headers?: Record<string, string>;
  readonly remainingMs?: number;
  readonly domainName?: string;
}

/** The handler of a router that knows `shop` alone, whose handler answers RESULT. */
function setUp({
  invoke = async () => RESULT,
  view = {},
  endpoint = SHOP,
  manage,
}: {
  invoke?: () => Promise<LambdaHttpResult>;
  view?: Partial<EndpointView>;
  endpoint?: Endpoint;
  manage?: Manage;
} = {}) {
  const { lines, logger } = recordingLogger();
  const invoked: { readonly invocation: NexusInvocation; readonly waitMs: number }[] = [];
  const get = async (name: string) => (name === 'shop' ? endpoint : undefined);
  const router = createRouter({
    endpoints: { get, getLatest: get, settle: async () => {}, ...view },
    invoker: {
      invoke(_endpoint, invocation, waitMs) {
        invoked.push({ invocation, waitMs });
        return invoke();
      },
    },
    clock: { now: () => 0 },
  });
  const handler = createRouterHandler({ router, logger, ...(manage && { manage }) });
  return {
    handler,
    lines,
    invoked,
    /** Posts to this path as whomever the authorizer says. */
    post(rawPath: string, { authorizer = BASIC, event = {}, headers = {}, remainingMs, domainName }: Parts = {}) {
      const given = httpEvent(rawPath, { body: '{}', headers, ...(domainName !== undefined && { domainName }) });
      const requestContext = { ...given.requestContext, authorizer };
      return handler({ ...given, requestContext, ...event }, context(remainingMs));
    },
  };
}

const PATH = '/nexus/endpoints/shop/services/orders/place';

describe('a request', () => {
  it.each([
    ['IAM', IAM, 'iam:arn:aws:iam::123456789012:role/Caller'],
    ['our Lambda function', BASIC, 'basic:shop'],
    ['a JWT', { jwt: { claims: { sub: 'ada' } } }, 'jwt:ada'],
  ])('that %s let in is passed on in the name of its principal', async (_who, authorizer, principal) => {
    const { post, invoked } = setUp();
    const result = await post(PATH, { authorizer });
    expect(result).toEqual(RESULT);
    expect(invoked).toEqual([
      {
        invocation: {
          nexusInvocation: 1,
          endpoint: 'shop',
          principal,
          timeoutMs: 28_800,
          gateway: 'http-api',
          request: {
            method: 'POST',
            path: '/orders/place',
            query: '',
            headers: { 'content-type': 'application/json' },
            body: 'e30=',
          },
        },
        waitMs: 29_800,
      },
    ]);
  });

  it('passes query, method and prefix of a route as they are', async () => {
    const { post, invoked } = setUp();
    await post(`/basic${PATH}`, { event: { rawQueryString: 'callback=http%3A%2F%2Fx&a=b' } });
    expect(invoked[0]?.invocation.request).toMatchObject({
      path: '/orders/place',
      query: 'callback=http%3A%2F%2Fx&a=b',
    });
  });

  it('says that it came by a Function URL', async () => {
    const { post, invoked } = setUp();
    await post(PATH, { domainName: 'abc.lambda-url.eu-west-1.on.aws' });
    expect(invoked[0]?.invocation.gateway).toBe('function-url');
  });

  it('that nobody authenticated gets a Nexus failure of status 401, and reaches nothing', async () => {
    const get = vi.fn<EndpointView['get']>(async () => SHOP);
    const { post, invoked } = setUp({ view: { get } });
    for (const authorizer of [null, {}, { lambda: null }, { lambda: { principal: 'iam:arn:aws:iam::1:root' } }]) {
      const result = await post(PATH, { authorizer: authorizer as object });
      expect(result).toMatchObject({ statusCode: 401, headers: { 'content-type': 'application/json' } });
      expect(bodyJson(result)).toMatchObject({ message: expect.stringContaining('has no authorizer') });
    }
    expect(get).not.toHaveBeenCalled();
    expect(invoked).toEqual([]);
  });

  it('that nobody authenticated gets it in the form that its caller reads', async () => {
    const headers = { 'Temporal-Nexus-Failure-Support': 'true' };
    const result = await setUp().post(PATH, { authorizer: {}, headers });
    expect(bodyJson(result)).toMatchObject({
      metadata: { type: 'nexus.HandlerError' },
      details: { type: 'UNAUTHENTICATED' },
    });
  });

  it('of a principal that is not among the callers gets 403', async () => {
    const { post, invoked } = setUp();
    const result = await post(PATH, { authorizer: { lambda: { principal: 'basic:bank' } } });
    expect(result.statusCode).toBe(403);
    expect(invoked).toEqual([]);
  });

  it('for an endpoint that is not there gets 404, and no names of others', async () => {
    const result = await setUp().post('/nexus/endpoints/bank/services/a/b');
    expect(result.statusCode).toBe(404);
    expect(bodyJson(result)).toMatchObject({ message: 'no endpoint is named "bank"' });
  });

  it('reaches the endpoint that the gateway saw, and not one whose name is escaped once more', async () => {
    const { post, invoked } = setUp();
    for (const name of ['%73hop', 'sho%70', '%73%68%6f%70']) {
      expect((await post(`/nexus/endpoints/${name}/services/orders/place`)).statusCode).toBe(404);
    }
    expect((await post('/nexus/endpoints/%zz/services/orders/place')).statusCode).toBe(404);
    expect(invoked).toEqual([]);
  });

  it('for a path that is none of ours gets 404, with the beginning of it and the paths that there are', async () => {
    const path = `/${'x'.repeat(200)}`;
    const result = await setUp().post(path);
    expect(result.statusCode).toBe(404);
    expect(bodyJson(result)).toMatchObject({
      message: expect.stringContaining(`nothing is at "${path.slice(0, 200)}…"; there is POST /nexus/endpoints/`),
    });
    const short = path.slice(0, 200);
    expect(bodyJson(await setUp().post(short))).toMatchObject({ message: expect.stringContaining(`at "${short}";`) });
  });

  it('takes its credentials no further', async () => {
    const { post, invoked } = setUp();
    const headers = {
      Authorization: 'Basic c2hvcDpzM2NyZXQ=',
      Cookie: 'session=s3cret',
      'X-Amz-Security-Token': 's3cret',
      'x-amz-date': '20260101T000000Z',
      'Proxy-Authorization': 's3cret',
      'X-Tenant': 'a',
    };
    await post(PATH, { headers });
    expect(invoked[0]?.invocation.request.headers).toEqual({ 'content-type': 'application/json', 'x-tenant': 'a' });
    expect(JSON.stringify(invoked)).not.toContain('c2hvcDpz');
  });

  it('carries bytes, there and back', async () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    const body = bytes.toString('base64');
    const octets = { 'content-type': 'application/octet-stream' };
    const binary = { statusCode: 200, headers: octets, body, isBase64Encoded: true };
    const { post, invoked } = setUp({ invoke: async () => binary });
    const result = await post(PATH, { event: { body, isBase64Encoded: true } });
    expect(invoked[0]?.invocation.request.body).toBe(body);
    expect(result).toMatchObject({ headers: octets, isBase64Encoded: true });
    expect(bodyBytes(result)).toEqual(bytes);
  });

  it('may have no body', async () => {
    const { post, invoked } = setUp();
    await post(PATH, { event: { body: undefined } });
    expect(invoked[0]?.invocation.request.body).toBe('');
  });
});

describe('the callback of a start that is delivered directly', () => {
  const START = `/basic${PATH}`;
  const allowing = { ...SHOP, allowedCallbacks: [{ origin: 'https://temporal.example.com:7243' }] };
  const withCallback = (url: string) => ({ event: { rawQueryString: `callback=${encodeURIComponent(url)}` } });

  it.each(['https://temporal.example.com:7243/namespaces/default/nexus/callback', 'temporal://system'])(
    'is passed on where its endpoint allows it, or there is nothing to send: %s',
    async (url) => {
      const { post, invoked } = setUp({ endpoint: allowing });
      expect((await post(START, withCallback(url))).statusCode).toBe(200);
      expect(invoked).toHaveLength(1);
    },
  );

  it.each([
    'https://temporal.example.com/callback',
    'http://temporal.example.com:7243/callback',
    'https://temporal.example.com:7243@evil.example.com/',
    'http://169.254.169.254/latest/meta-data/',
    'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next',
    'file:///etc/passwd',
  ])('is refused where its endpoint does not allow it, and no handler hears of it: %s', async (url) => {
    const { post, invoked } = setUp({ endpoint: allowing });
    const result = await post(START, withCallback(url));
    expect(result.statusCode).toBe(400);
    expect(bodyJson(result)).toMatchObject({ message: expect.stringMatching(/^(?:completions may not|the callback)/) });
    expect(invoked).toEqual([]);
  });

  it('is passed on, whatever it is, where its endpoint names none', async () => {
    const { post, invoked } = setUp();
    expect((await post(START, withCallback('http://127.0.0.1:9001/'))).statusCode).toBe(200);
    expect(invoked).toHaveLength(1);
  });
});

describe('a request to the management API', () => {
  const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: new TextEncoder().encode('1') };

  it('is answered by that, in the name of whoever was let in and of the way that it came', async () => {
    const manage = vi.fn<Manage>(async () => answer);
    const { post, invoked } = setUp({ manage });
    const rawPath = '/basic/nexus/manage/operations/count';
    expect(await post(rawPath, { domainName: 'abc.lambda-url.eu-west-1.on.aws' })).toMatchObject({ body: '1' });
    expect(manage).toHaveBeenCalledWith(expect.objectContaining({ method: 'POST', path: rawPath }), {
      principal: 'basic:shop',
      gateway: 'function-url',
    });
    await post(PATH);
    expect(manage).toHaveBeenCalledTimes(1);
    expect(invoked).toHaveLength(1);
  });

  it('that nobody authenticated does not get to it', async () => {
    const manage = vi.fn<Manage>(async () => answer);
    expect((await setUp({ manage }).post('/nexus/manage/operations', { authorizer: {} })).statusCode).toBe(401);
    expect(manage).not.toHaveBeenCalled();
  });

  it('gets 503 where the store does not answer, and the log has why', async () => {
    const { post, lines } = setUp({ manage: () => Promise.reject(new Error('throttled')) });
    const result = await post('/nexus/manage/operations');
    expect(result.statusCode).toBe(503);
    expect(bodyJson(result)).toMatchObject({ message: expect.stringContaining('the log of the router says why') });
    expect(lines).toMatchObject([{ level: 'error', message: 'what is managed could not be read or written' }]);
  });
});

describe('the time of a request', () => {
  it.each([
    ['10s', 60_000, 9_800, 8_800],
    ['10s', 5_000, 4_300, 3_440],
    ['1h', 60_000, 29_800, 28_800],
    [undefined, 20_500, 19_800, 18_800],
    ['10s', 300, 0, 0],
  ])(
    'with Request-Timeout %s and %d ms until Lambda ends the router, is %d ms, and %d for the handler',
    async (timeout, remainingMs, waitMs, handlerMs) => {
      const { post, invoked } = setUp();
      await post(PATH, { remainingMs, ...(timeout !== undefined && { headers: { 'Request-Timeout': timeout } }) });
      expect(invoked).toMatchObject([{ waitMs, invocation: { timeoutMs: handlerMs } }]);
    },
  );
});

describe('a failure', () => {
  it('of the handler says why, and the caller may try again', async () => {
    const invoke = async () => {
      throw new InvokeError('throttled', 'function shop:live has no capacity left');
    };
    const result = await setUp({ invoke }).post(PATH);
    expect(result).toMatchObject({ statusCode: 429, headers: { 'retry-after': '1' } });
    expect(bodyJson(result)).toMatchObject({ message: 'function shop:live has no capacity left' });
  });

  it('of the registry is a 503 that the caller may try again, with its reason in the log alone', async () => {
    const down = new Error('ProvisionedThroughputExceededException of table nexus-123');
    const get = async () => {
      throw down;
    };
    const { post, lines, invoked } = setUp({ view: { get } });
    const result = await post(PATH, { headers: { Authorization: 'Basic c2hvcDpzM2NyZXQ=' } });
    expect(result).toMatchObject({ statusCode: 503, headers: { 'content-type': 'application/json' } });
    expect(result.headers).not.toHaveProperty('nexus-request-retryable');
    expect(bodyJson(result)).toMatchObject({
      message: 'the registry of endpoints could not be read; the log of the router says why',
    });
    expect(lines).toEqual([
      {
        level: 'error',
        message: 'the router failed',
        meta: { path: PATH, principal: 'basic:shop', error: down },
      },
    ]);
    expect(invoked).toEqual([]);
  });

  it('of the registry denies nobody that the last view does not list', async () => {
    const getLatest = async () => {
      throw new Error('down');
    };
    const { post } = setUp({ view: { getLatest } });
    const result = await post(PATH, { authorizer: { lambda: { principal: 'basic:new' } } });
    expect(result.statusCode).toBe(503);
  });

  it('gives reads of the registry a moment before the environment is frozen', async () => {
    const settle = vi.fn<() => Promise<void>>(async () => {});
    await setUp({ view: { settle } }).post(PATH);
    expect(settle).toHaveBeenCalledOnce();
  });
});

it.each([
  ['an invocation of a router', { nexusInvocation: 1, endpoint: 'shop' }],
  ['a batch of messages', { Records: [{ eventSource: 'aws:sqs' }] }],
  ['an event of payload format 1.0', { version: '1.0', path: PATH, requestContext: {} }],
  ['an event without a path', { version: '2.0', requestContext: { http: { method: 'POST' } } }],
  ['a test of the console', { key1: 'value1' }],
  ['nothing', null],
])('fails, so that the wrong trigger shows, when it gets %s', async (_what, event) => {
  const { handler, invoked } = setUp();
  await expect(handler(event, context())).rejects.toThrow(
    'the router takes events of an API Gateway HTTP API or a Function URL',
  );
  expect(invoked).toEqual([]);
});

it('does not start without the name of its table, and says which variable holds it', () => {
  vi.stubEnv('NEXUS_TABLE_NAME', '');
  expect(() => routerHandlerOfEnvironment()).toThrow(/^NEXUS_TABLE_NAME is not set; it takes the name of the table/);
  vi.stubEnv('NEXUS_TABLE_NAME', 'nexus');
  expect(routerHandlerOfEnvironment()).toBeTypeOf('function');
  vi.unstubAllEnvs();
});

describe('what flow control said', () => {
  it('of a circuit that somebody opened by hand is written before the answer', async () => {
    const { logger } = recordingLogger();
    const written: string[] = [];
    const flow = createFlowMetrics({ gateway: 't', logger, clock: Date, write: (line) => written.push(line) });
    const manage: Manage = async () => {
      const change = { from: 'closed', to: 'open', why: 'the bank moves', by: 'iam:ops' } as const;
      flow.emit({ kind: 'circuit-changed', endpoint: 'shop', ...change });
      return { status: 200, headers: {}, body: new Uint8Array() };
    };
    const event = httpEvent('/nexus/manage/circuits/shop/trip', { body: '{}' });
    const authorized = { ...event, requestContext: { ...event.requestContext, authorizer: IAM } };
    const router = async () => Promise.reject(new Error('a request to the management API'));
    const handler = createRouterHandler({ router, manage, logger, flow });
    expect(await handler(authorized, context())).toMatchObject({ statusCode: 200 });
    expect(written.map((line) => JSON.parse(line))).toMatchObject([{ Status: 'open', CircuitTransitions: 1 }]);
  });

  it.each([
    ['answered', async () => ({ status: 200, headers: {}, body: new Uint8Array() }), 200],
    ['failed', () => Promise.reject(new Error('no table')), 503],
  ])(
    'is written before a request that was %s has its answer, and leaves time for that',
    async (_what, router, status) => {
      const settled: (number | undefined)[] = [];
      const flow = {
        async settle(withinMs?: number) {
          await new Promise((resolve) => setImmediate(resolve));
          settled.push(withinMs);
        },
      };
      const handler = createRouterHandler({ router, logger: recordingLogger().logger, flow });
      const event = httpEvent(PATH, { body: '{}' });
      const authorized = { ...event, requestContext: { ...event.requestContext, authorizer: BASIC } };
      expect(await handler(authorized, context(700))).toMatchObject({ statusCode: status });
      expect(settled).toEqual([500]);
    },
  );
});
