import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { InvokeAnswer } from '../../src/aws/invoke-outcome.ts';
import { createLambdaInvoker, type InvokeFunction, lambdaInvokeFunction } from '../../src/aws/lambda-invoker.ts';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { invocation } from '../handler/requests.ts';

const ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:shop-handler:live';
const ENDPOINT: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  functionArn: ARN,
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};
const INVOCATION: NexusInvocation = invocation('/a/b', { body: '"é"' });
const RESULT = { statusCode: 200, headers: {}, body: '1', isBase64Encoded: false };
const ANSWER: InvokeAnswer = { Payload: Buffer.from(JSON.stringify(RESULT)), $metadata: { requestId: 'r-1' } };

const throttle = () => Object.assign(new Error('Rate Exceeded.'), { name: 'TooManyRequestsException' });
const broken = (code: string) => Object.assign(new Error(code), { name: 'TimeoutError', code });
const refused = (code = 'ECONNREFUSED') => Object.assign(new Error(`connect ${code}`), { code });

/** An invoker of a function for which each attempt goes as `attempts` says, the last of them for all that follow. */
function setUp(...attempts: InvokeFunction[]) {
  const { lines, logger } = recordingLogger();
  const invoked: { readonly at: number; readonly functionArn: string; readonly payload: string }[] = [];
  const startedAt = Date.now();
  const invoker = createLambdaInvoker({
    async invokeFunction(functionArn, payload, signal) {
      invoked.push({ at: Date.now() - startedAt, functionArn, payload });
      const attempt = attempts[Math.min(invoked.length, attempts.length) - 1];
      return attempt ? attempt(functionArn, payload, signal) : ANSWER;
    },
    logger,
    random: () => 1,
  });
  return {
    lines,
    invoked,
    /** What comes of an invocation, with all the time that it may take. */
    async outcome(waitMs = 10_000, endpoint = ENDPOINT, sent = INVOCATION) {
      const outcome = invoker.invoke(endpoint, sent, waitMs).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(Math.max(0, waitMs));
      return outcome;
    },
  };
}

const fails =
  (error: () => Error): InvokeFunction =>
  async () => {
    throw error();
  };

/** Never answers, and gives up as the SDK does. */
const hangs: InvokeFunction = (_arn, _payload, signal) =>
  new Promise((_resolve, reject) => {
    const abort = () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  });

/** Is throttled when the signal fires. */
const throttledAt =
  (ms: number): InvokeFunction =>
  (_arn, _payload, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(throttle()));
      setTimeout(reject, ms + 1_000, new Error('it was not given up'));
    });

describe('a Lambda invoker', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('invokes the function of the endpoint with the invocation as JSON, and returns its answer', async () => {
    const { outcome, invoked, lines } = setUp();
    expect(await outcome()).toEqual(RESULT);
    expect(invoked.map(({ functionArn }) => functionArn)).toEqual([ARN]);
    expect(JSON.parse(invoked[0]?.payload ?? '')).toEqual(INVOCATION);
    expect(lines).toEqual([]);
  });

  it.each([
    ['a throttle', throttle],
    ['a connection that was refused', refused],
    ['a name that was not found', () => refused('ENOTFOUND')],
    ['a name server that did not answer', () => refused('EAI_AGAIN')],
  ])('tries again after %s, and says nothing of it', async (_what, error) => {
    const { outcome, invoked, lines } = setUp(fails(error), fails(error), async () => ANSWER);
    expect(await outcome()).toEqual(RESULT);
    expect(invoked.map(({ at }) => at)).toEqual([0, 50, 150]);
    expect(lines).toEqual([]);
  });

  it('gives up after the third attempt', async () => {
    const { outcome, invoked } = setUp(fails(throttle));
    expect(await outcome()).toMatchObject({ name: 'InvokeError', reason: 'throttled' });
    expect(invoked).toHaveLength(3);
  });

  it('spreads the attempts of many routers over half of the delay', async () => {
    const { logger } = recordingLogger();
    const at: number[] = [];
    const invokeFunction: InvokeFunction = async () => {
      at.push(Date.now());
      throw throttle();
    };
    const invoker = createLambdaInvoker({ invokeFunction, logger, random: () => 0 });
    const failed = invoker.invoke(ENDPOINT, INVOCATION, 1_000).catch(() => {});
    await vi.advanceTimersByTimeAsync(1_000);
    await failed;
    expect(at.map((time) => time - at[0]!)).toEqual([0, 25, 75]);
  });

  it.each([
    ['a connection that was reset', () => broken('ECONNRESET')],
    ['a connection that broke', () => broken('EPIPE')],
    ['a connection that fell silent', () => broken('ETIMEDOUT')],
    ['an error of Lambda', () => Object.assign(new Error('oops'), { name: 'ServiceException', $fault: 'server' })],
    ['an error of any other kind', () => new TypeError('x is not a function')],
  ])('never tries again after %s: the handler may have run', async (_what, error) => {
    const { outcome, invoked } = setUp(fails(error), async () => ANSWER);
    expect(await outcome()).toMatchObject({ name: 'InvokeError', reason: 'unreachable' });
    expect(invoked).toHaveLength(1);
  });

  it('does not try again what the function itself failed with', async () => {
    const { outcome, invoked } = setUp(async () => ({
      FunctionError: 'Unhandled',
      Payload: Buffer.from('{"errorType":"TooManyRequestsException","errorMessage":"card 4111"}'),
      $metadata: {},
    }));
    expect(await outcome()).toMatchObject({ reason: 'crashed' });
    expect(invoked).toHaveLength(1);
  });

  it('gives a function up when the time is over', async () => {
    const { outcome, lines } = setUp(hangs);
    expect(await outcome(2_000)).toMatchObject({
      reason: 'timeout',
      message: 'function shop-handler:live gave no answer within the time that the caller gave',
    });
    expect(lines).toHaveLength(1);
  });

  it('says of a function that was given up that it goes on, and warns of none that is promoted then', async () => {
    const promotable = { ...INVOCATION, promotion: { cutOffMs: 1_000, draft: {} } };
    const { outcome, lines } = setUp(hangs);
    expect(await outcome(2_000, ENDPOINT, promotable)).toMatchObject({ reason: 'timeout', goesOn: true });
    expect(lines).toEqual([]);
  });

  it.each<[string, InvokeFunction, number]>([
    ['was throttled until the time was over', fails(throttle), 49],
    ['was throttled as the time was over', throttledAt(2_000), 2_000],
    [
      'ran into its own timeout',
      async () => ({
        FunctionError: 'Unhandled',
        Payload: Buffer.from('{"errorType":"Sandbox.Timedout"}'),
        $metadata: {},
      }),
      10_000,
    ],
    ['lost its connection', fails(() => broken('ECONNRESET')), 10_000],
  ])('says of a function that %s that nothing goes on', async (_what, invoke, waitMs) => {
    expect(await setUp(invoke).outcome(waitMs)).toMatchObject({ name: 'InvokeError', goesOn: false });
  });

  it('waits until then, and no shorter', async () => {
    const slow: InvokeFunction = () => new Promise((resolve) => setTimeout(resolve, 1_999, ANSWER));
    expect(await setUp(slow).outcome(2_000)).toEqual(RESULT);
  });

  it('makes no attempt when the time ends between two of them, nor without any time', async () => {
    const { outcome, invoked } = setUp(fails(throttle), async () => ANSWER);
    expect(await outcome(49)).toMatchObject({ reason: 'throttled' });
    expect(invoked).toHaveLength(1);
    const late = setUp();
    for (const waitMs of [0, -1]) expect(await late.outcome(waitMs)).toMatchObject({ reason: 'timeout' });
    expect(late.invoked).toEqual([]);
  });

  it('leaves no timer behind when it is done before the time is over', async () => {
    const { logger } = recordingLogger();
    const invokerOf = (invokeFunction: InvokeFunction) =>
      createLambdaInvoker({ invokeFunction, logger, random: () => 1 });
    await invokerOf(async () => ANSWER).invoke(ENDPOINT, INVOCATION, 10_000);
    expect(vi.getTimerCount()).toBe(0);
    await expect(invokerOf(fails(() => broken('EPIPE'))).invoke(ENDPOINT, INVOCATION, 10_000)).rejects.toThrow();
    expect(vi.getTimerCount()).toBe(0);
    const throttled = expect(invokerOf(fails(throttle)).invoke(ENDPOINT, INVOCATION, 49)).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(49);
    await throttled;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says once of each failure what it was of, and its cause', async () => {
    const reset = broken('ECONNRESET');
    const { outcome, lines } = setUp(
      fails(throttle),
      fails(throttle),
      fails(() => reset),
    );
    const failure = await outcome();
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'the handler gave no answer',
        meta: {
          endpoint: 'shop',
          functionArn: ARN,
          reason: 'unreachable',
          message: (failure as Error).message,
          cause: reset,
        },
      },
    ]);
  });

  it('keeps what the function said of itself for the log', async () => {
    const { outcome, lines } = setUp(async () => ({
      FunctionError: 'Unhandled',
      Payload: Buffer.from('{"errorType":"Error","errorMessage":"card 4111"}'),
      $metadata: {},
    }));
    expect((await outcome()) as Error).not.toHaveProperty('message', expect.stringContaining('4111'));
    expect(lines[0]?.meta).toMatchObject({ cause: new Error('Error: card 4111') });
  });

  it('fails for an endpoint that names no function, says how it gets one, and logs it', async () => {
    const { functionArn: _, ...nameless } = ENDPOINT;
    const { outcome, invoked, lines } = setUp();
    expect(await outcome(1_000, nameless)).toMatchObject({
      reason: 'no-handler',
      message: expect.stringContaining('endpoint "shop" names no function that serves it; deploy it with addEndpoint'),
    });
    expect(invoked).toEqual([]);
    expect(lines).toMatchObject([{ level: 'warn', meta: { endpoint: 'shop', reason: 'no-handler' } }]);
  });
});

describe('the AWS SDK as an InvokeFunction', () => {
  const variables = {
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_LAMBDA: '',
  };
  const requests: { path: string; body: string }[] = [];
  let respond: (request: IncomingMessage, response: ServerResponse) => void;
  let server: Server;

  beforeAll(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      requests.push({ path: request.url ?? '', body });
      respond(request, response);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    variables.AWS_ENDPOINT_URL_LAMBDA = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    requests.length = 0;
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  });
  afterEach(() => void vi.unstubAllEnvs());

  const random = vi.fn<() => number>(() => 0);
  const invoke = (waitMs = 10_000) => {
    const { logger } = recordingLogger();
    random.mockClear();
    const invoker = createLambdaInvoker({ invokeFunction: lambdaInvokeFunction(), logger, random });
    return invoker.invoke(ENDPOINT, INVOCATION, waitMs);
  };

  it('invokes the alias as part of the function that a policy names', async () => {
    respond = (_request, response) => response.end(JSON.stringify(RESULT));
    expect(await invoke()).toEqual(RESULT);
    expect(requests).toEqual([
      { path: `/2015-03-31/functions/${encodeURIComponent(ARN)}/invocations`, body: JSON.stringify(INVOCATION) },
    ]);
  });

  it('reads the error of a function, with the id of the request to look for in its log', async () => {
    respond = (_request, response) => {
      response.writeHead(200, { 'x-amz-function-error': 'Unhandled', 'x-amzn-requestid': 'r-7' });
      response.end('{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r-7 Error: exit status 3"}');
    };
    await expect(invoke()).rejects.toMatchObject({
      reason: 'crashed',
      message: expect.stringMatching(/\(Runtime\.ExitError\).*, request r-7$/),
    });
  });

  it('has a throttle tried again by the invoker, which knows its reason', async () => {
    respond = (_request, response) => {
      response.writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException', 'content-type': 'application/json' });
      response.end('{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}');
    };
    await expect(invoke()).rejects.toMatchObject({
      reason: 'throttled',
      message: expect.stringContaining('(ConcurrentInvocationLimitExceeded)'),
    });
    expect(requests).toHaveLength(3);
  });

  it.each<[string, typeof respond]>([
    ['an error of Lambda', (_request, response) => response.writeHead(500).end('{}')],
    ['a connection that was reset', (request) => request.socket.resetAndDestroy()],
    ['a connection that was closed', (request) => request.socket.destroy()],
  ])('does not try again after %s, nor takes it for a timeout', async (_what, answer) => {
    respond = answer;
    await expect(invoke()).rejects.toMatchObject({ reason: 'unreachable' });
    expect(requests).toHaveLength(1);
  });

  it('has a refused connection tried again', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_LAMBDA', 'http://127.0.0.1:1');
    await expect(invoke()).rejects.toMatchObject({
      reason: 'unreachable',
      message: expect.stringContaining('(ECONNREFUSED)'),
    });
    expect(random).toHaveBeenCalledTimes(2);
  });

  it('keeps a connection for the next request, but for one that may have been forgotten while the environment slept', async () => {
    const connections = new Set<unknown>();
    respond = (request, response) => {
      // As a load balancer does with a connection that it has forgotten.
      if (connections.has(request.socket) && Date.now() > sleptFrom) request.socket.resetAndDestroy();
      else response.end(JSON.stringify(RESULT));
      connections.add(request.socket);
    };
    let sleptFrom = Number.POSITIVE_INFINITY;
    const invokeFunction = lambdaInvokeFunction();
    const call = () => invokeFunction(ARN, '{}', new AbortController().signal);
    await call();
    await call();
    expect(connections.size).toBe(1);
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    sleptFrom = Date.now();
    vi.setSystemTime(sleptFrom + 60_000);
    expect(await call()).toMatchObject({ StatusCode: 200 });
    expect(connections.size).toBe(2);
  });

  it('gives the request up when the time is over', async () => {
    const closed = Promise.withResolvers<void>();
    // On a busy machine it may be given up before it has come.
    respond = ({ socket }) => (socket.destroyed ? closed.resolve() : void socket.once('close', closed.resolve));
    await expect(invoke(1_000)).rejects.toMatchObject({ reason: 'timeout' });
    await closed.promise;
    expect(requests).toHaveLength(1);
  });
});
