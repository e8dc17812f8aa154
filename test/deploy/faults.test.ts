import { join } from 'node:path';
import {
  CreateAliasCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  GetAliasCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import type { HandlerErrorType } from 'nexus-rpc';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { cdkBootstrap, cdkDeploy } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { type AwsProxy, openAwsProxy, type ProxyMode } from './aws-proxy.ts';
import { openHangingServer } from './hanging-server.ts';
import { type Answer, awsClient, type CallOptions, type NexusCall, nexusCallOf } from './nexus-call.ts';
import { singleFileZip } from './single-file-zip.ts';

const root = join(import.meta.dirname, '../..');
/** What faulty code says of itself. It may be about a customer, and so is for the function's own log. */
const OWN_WORDS = 'the till is broken';

type EndpointName = 'faulty' | 'altered' | 'calm';

let emulator: Ministack;
/** What the router calls of DynamoDB, and of all other services of AWS. */
let registry: AwsProxy;
let lambda: AwsProxy;
/** Calls an operation of the service that all endpoints have. */
let call: NexusCall;
let aws: LambdaClient;
/** Names of the deployed functions. */
let functions: Record<EndpointName | 'router', string>;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  emulator = await startMinistack();
  ends.push(() => emulator.stop());
  registry = await openAwsProxy(emulator.url);
  ends.push(() => registry.close());
  lambda = await openAwsProxy(emulator.url);
  ends.push(() => lambda.close());
  await cdkBootstrap(emulator);
  const { Faults: outputs = {} } = await cdkDeploy({
    emulator,
    app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning test/deploy/apps/faults.ts',
    env: { REGISTRY_URL: registry.url, LAMBDA_URL: lambda.url },
    cwd: root,
  });
  const named = (name: string) => outputs[name] ?? expect.unreachable(`there is no output ${name}`);
  const callPath = nexusCallOf(emulator, named('ApiId'));
  call = (endpoint, operation, options) => callPath(endpoint, `faults/${operation}`, options);
  functions = {
    faulty: named('faultyFunction'),
    altered: named('alteredFunction'),
    calm: named('calmFunction'),
    router: named('Router'),
  };
  aws = new LambdaClient({
    endpoint: emulator.url,
    region: emulator.env.AWS_REGION,
    credentials: { accessKeyId: emulator.env.AWS_ACCESS_KEY_ID, secretAccessKey: emulator.env.AWS_SECRET_ACCESS_KEY },
  });
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** Calls as an old Temporal server does, and as a new one. */
const callInBothForms = (endpoint: string, operation: string, options: CallOptions = {}) =>
  Promise.all([false, true].map((failureSupport) => call(endpoint, operation, { ...options, failureSupport })));

async function expectGreeting(endpoint: EndpointName): Promise<void> {
  expect(await call(endpoint, 'greet')).toMatchObject({ status: 200, text: '{"message":"Hello, Ada!"}' });
}

/** What the caller gets. */
interface Outcome {
  readonly status: number;
  readonly type: HandlerErrorType;
  /** Default true. */
  readonly retryable?: boolean;
  /** FUNCTION stands for the name of the function with its alias, REQUEST for Lambda's id of the request, N for a number. */
  readonly message: string;
  readonly retryAfter?: string;
}

function expectOutcome({ status, headers, error, text }: Answer, expected: Outcome, endpoint?: EndpointName): void {
  const { message = '', type, retryable } = error ?? {};
  const seen = {
    status,
    type,
    retryable,
    message: message
      .replace(`${endpoint && functions[endpoint]}:live`, 'FUNCTION')
      .replace(/request [0-9a-f-]{36}$/, 'request REQUEST')
      .replace(/\d+ ms/, 'N ms'),
    retryAfter: headers['retry-after'],
  };
  expect(seen).toEqual({ retryable: true, retryAfter: undefined, ...expected });
  expect(text).not.toContain(OWN_WORDS);
}

/** Has the router's function start anew, with nothing in its cache. */
async function restartRouter(): Promise<void> {
  const FunctionName = functions.router;
  const { Environment: { Variables } = {} } = await aws.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const Environment = { Variables: { ...Variables, RESTARTED_AT: String(Date.now()) } };
  await aws.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment }));
  await waitUntilFunctionUpdatedV2({ client: aws, maxWaitTime: 10 }, { FunctionName });
}

const WHERE_TO_LOOK = 'the log of function FUNCTION says why, request REQUEST';
const crashed: Outcome = {
  status: 503,
  type: 'UNAVAILABLE',
  message: `the handler gave no answer (Runtime.HandlerError); ${WHERE_TO_LOOK}`,
};
const late = { status: 520, type: 'UPSTREAM_TIMEOUT' } as const;
const garbage = { status: 500, type: 'INTERNAL' } as const;

interface Fault extends Outcome, Pick<CallOptions, 'timeoutS' | 'withinS'> {
  readonly fault: string;
  readonly operation: string;
}

const faults: Fault[] = [
  {
    fault: 'has a middleware that answers something else',
    operation: 'answerObject',
    ...garbage,
    message:
      "the handler's answer is no HTTP response: statusCode must be a number from 200 to 599, got undefined; " +
      'look at the middlewares of function FUNCTION, request REQUEST',
  },
  {
    fault: 'has a middleware that answers nothing',
    operation: 'answerNull',
    ...garbage,
    message:
      "the handler's answer is no HTTP response: expected an object, got null; " +
      'look at the middlewares of function FUNCTION, request REQUEST',
  },
  {
    fault: 'answers more than Nexus passes on',
    operation: 'answerLarge',
    ...garbage,
    retryable: false,
    message: 'the result is 2097154 bytes; a Nexus result can have 2097152',
  },
  {
    fault: 'never settles in the time of its caller',
    operation: 'hang',
    timeoutS: 3.5,
    ...late,
    message: "operation 'faults/hang' was not done within the N ms it had",
  },
  {
    fault: 'never settles in the time of its function',
    operation: 'hang',
    ...late,
    message: "operation 'faults/hang' was not done within the N ms it had",
  },
  {
    fault: 'blocks its event loop for the time of its caller',
    operation: 'block',
    timeoutS: 1.5,
    // The 75 ms that the router keeps are too few for an emulator on a busy machine; the function is ended after 3 s.
    withinS: 2.9,
    ...late,
    message: 'function FUNCTION gave no answer within the time that the caller gave',
  },
  {
    fault: 'blocks its event loop for the time of its function',
    operation: 'block',
    ...late,
    message: `the handler ran into the timeout of its function (Sandbox.Timedout); ${WHERE_TO_LOOK}`,
  },
  { fault: 'exits', operation: 'exit', ...crashed },
  { fault: 'leaves a rejection to nobody', operation: 'leaveRejection', ...crashed },
  { fault: 'runs out of memory', operation: 'fillMemory', ...crashed },
  { fault: 'answers what JSON cannot say', operation: 'answerCycle', ...crashed },
];

describe('the caller of a handler', () => {
  it.each(faults)(
    'that $fault gets $status $type, and the next one its answer',
    async ({ fault: _, operation, timeoutS = 10, withinS = timeoutS, ...outcome }) => {
      for (const answer of await callInBothForms('faulty', operation, { timeoutS, withinS })) {
        expectOutcome(answer, outcome, 'faulty');
      }
      await expectGreeting('faulty');
    },
  );

  it.each(['throwError', 'throwText'])('that fails in words of its own gets them: %s', async (operation) => {
    for (const answer of await callInBothForms('faulty', operation)) {
      expect(answer.status).toBe(500);
      expect(answer.error).toMatchObject({ type: 'INTERNAL', retryable: true });
      expect(answer.text).toContain(OWN_WORDS);
    }
  });

  it('that answers bytes gets these', async () => {
    const body = Uint8Array.from({ length: 256 }, (_, n) => n);
    const contentType = 'application/octet-stream';
    const answer = await call('faulty', 'reverse', { body, contentType });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': contentType } });
    expect(answer.body).toEqual(body.toReversed());
  });

  it('that crashed finds the reason in the log of the function that it is told of', async () => {
    const { error } = await call('faulty', 'exit');
    const [, FunctionName = ''] = /the log of function ([^ ]+):live says why/.exec(error?.message ?? '') ?? [];
    const { LoggingConfig } = await aws.send(new GetFunctionConfigurationCommand({ FunctionName }));
    const response = await awsClient(emulator, 'logs').fetch(emulator.url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.FilterLogEvents' },
      body: JSON.stringify({ logGroupName: LoggingConfig?.LogGroup }),
    });
    expect(await response.text()).toContain(OWN_WORDS);
  });
});

/** Points the alias of the function `altered` at another version; returns what points it back. */
async function pointAlias(FunctionVersion: string | undefined): Promise<() => Promise<unknown>> {
  const alias = { FunctionName: functions.altered, Name: 'live' };
  const { FunctionVersion: before } = await aws.send(new GetAliasCommand(alias));
  await aws.send(new UpdateAliasCommand({ ...alias, FunctionVersion }));
  return () => aws.send(new UpdateAliasCommand({ ...alias, FunctionVersion: before }));
}

/** What happens to a function after its deploy, each with what mends it. */
const alterations: (Outcome & { alteration: string; alter: () => Promise<() => Promise<unknown>> })[] = [
  {
    alteration: 'has a version that throws at import',
    status: 503,
    type: 'UNAVAILABLE',
    // On AWS the name of the error, or Runtime.ImportModuleError.
    message: `the handler gave no answer (RuntimeError); ${WHERE_TO_LOOK}`,
    async alter() {
      const FunctionName = functions.altered;
      const ZipFile = singleFileZip('index.js', `throw new Error('${OWN_WORDS}');`);
      await aws.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }));
      await waitUntilFunctionUpdatedV2({ client: aws, maxWaitTime: 10 }, { FunctionName });
      const { Version } = await aws.send(new PublishVersionCommand({ FunctionName }));
      return pointAlias(Version);
    },
  },
  {
    alteration: 'has its concurrency reserved at 0',
    status: 429,
    type: 'RESOURCE_EXHAUSTED',
    message: 'function FUNCTION has no capacity left (ReservedFunctionConcurrentInvocationLimitExceeded)',
    retryAfter: '1',
    async alter() {
      const FunctionName = functions.altered;
      // Where an alias names a published version, the emulator lets all through.
      const back = await pointAlias('$LATEST');
      await aws.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
      return async () => {
        await aws.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
        await back();
      };
    },
  },
  {
    alteration: 'has lost its alias',
    status: 503,
    type: 'UNAVAILABLE',
    message: 'function FUNCTION does not exist, or has not this alias; deploy it again',
    async alter() {
      const alias = { FunctionName: functions.altered, Name: 'live' };
      const { FunctionVersion } = await aws.send(new GetAliasCommand(alias));
      await aws.send(new DeleteAliasCommand(alias));
      return () => aws.send(new CreateAliasCommand({ ...alias, FunctionVersion }));
    },
  },
];

describe('the caller of a function', () => {
  it.each(alterations)(
    'that $alteration gets $status $type, and its answer when that is mended; others theirs all the time',
    async ({ alteration: _, alter, ...outcome }) => {
      await expectGreeting('altered');
      const mend = await alter();
      for (const answer of await callInBothForms('altered', 'greet')) expectOutcome(answer, outcome, 'altered');
      await expectGreeting('calm');
      await mend();
      await expectGreeting('altered');
    },
  );
});

const unreachable = { status: 503, type: 'UNAVAILABLE' } as const;

/** What may become of the router's call of Lambda, and how often the handler may have run then. */
const invokeFaults: (Outcome & { mode: ProxyMode; invokes: number; timeoutS?: number; withinS?: number })[] = [
  // Never made, and so tried again; the proxy sees none of it.
  { mode: 'refuse', invokes: 0, ...unreachable, message: 'function FUNCTION could not be invoked (ECONNREFUSED)' },
  { mode: 'fail', invokes: 1, ...unreachable, message: 'function FUNCTION could not be invoked (InternalServerError)' },
  { mode: 'lose answers', invokes: 1, ...unreachable, message: 'function FUNCTION could not be invoked (ECONNRESET)' },
  {
    mode: 'hang',
    invokes: 1,
    timeoutS: 2,
    // As above: of those 2 s, 100 ms are the router's for the way back.
    withinS: 10,
    ...late,
    message: 'function FUNCTION gave no answer within the time that the caller gave',
  },
];

describe('while Lambda lets the router down', () => {
  it.each(invokeFaults)(
    'with "$mode" the caller gets $status $type, the handler runs no more than once, and afterwards all is well',
    async ({ mode, invokes, timeoutS = 10, withinS = timeoutS, ...outcome }) => {
      await expectGreeting('calm');
      onTestFinished(() => lambda.setMode('pass'));
      await lambda.setMode(mode);
      lambda.takeCalls();
      const answer = await call('calm', 'greet', { timeoutS, withinS });
      expectOutcome(answer, outcome, 'calm');
      expect(lambda.takeCalls()).toHaveLength(invokes);
      await lambda.setMode('pass');
      await expectGreeting('calm');
    },
  );
});

const unread: Outcome = {
  ...unreachable,
  message: 'the registry of endpoints could not be read; the log of the router says why',
};

describe('a router that cannot read the registry', () => {
  it('asks its callers to try again, within their time, and serves them when it can', async () => {
    await restartRouter();
    onTestFinished(() => registry.setMode('pass'));
    for (const mode of ['refuse', 'fail', 'lose answers', 'hang'] as const) {
      await registry.setMode(mode);
      for (const timeoutS of [1.5, 10]) expectOutcome(await call('calm', 'greet', { timeoutS }), unread);
    }
    await registry.setMode('pass');
    await expectGreeting('calm');
  });

  it('serves the endpoints that it knows, and says of no other that there is none', async () => {
    await restartRouter();
    onTestFinished(() => registry.setMode('pass'));
    await expectGreeting('calm');
    await expectGreeting('altered');
    await expectGreeting('faulty');

    await registry.setMode('fail');
    registry.takeCalls();
    // After five seconds each is read again beside a request, after two where it failed lately.
    const readAgain = (endpoint: 'faulty' | 'calm') =>
      vi.waitFor(
        async () => {
          await expectGreeting(endpoint);
          const calls = registry.takeCalls();
          expect(calls).not.toEqual([]);
          return calls;
        },
        { timeout: 10_000, interval: 250 },
      );
    await readAgain('faulty');
    expectOutcome(await call('unknown', 'greet'), unread);
    await registry.setMode('refuse');
    await expectGreeting('altered');
    expectOutcome(await call('unknown', 'greet'), unread);
    await registry.setMode('hang');
    registry.takeCalls();
    expect(await readAgain('calm')).toHaveLength(1);
    expectOutcome(await call('unknown', 'greet'), unread);
    // The second on another connection, when the first had half of the time.
    expect(registry.takeCalls()).toHaveLength(2);

    await registry.setMode('pass');
    expect(await call('unknown', 'greet')).toMatchObject({
      status: 404,
      error: { type: 'NOT_FOUND', retryable: false },
    });
    for (const endpoint of ['calm', 'altered', 'faulty'] as const) await expectGreeting(endpoint);
  });
});

it('makes one call of AWS for a warm direct call, the invoke; the registry is read every five seconds at most', async () => {
  await restartRouter();
  const startedAt = performance.now();
  await expectGreeting('calm');
  registry.takeCalls();
  lambda.takeCalls();
  for (let count = 0; count < 20; count++) await expectGreeting('calm');
  const reads = registry.takeCalls();
  expect(reads.length).toBeLessThanOrEqual((performance.now() - startedAt) / 5_000);
  expect(new Set(reads)).toEqual(new Set(reads.length > 0 ? ['DynamoDB_20120810.Query'] : []));
  const invokesCalm = expect.stringMatching(
    new RegExp(`^POST /2015-03-31/functions/[^/]+${encodeURIComponent(`:${functions.calm}:live`)}/invocations$`),
  );
  expect(lambda.takeCalls()).toEqual(new Array(20).fill(invokesCalm));
});

describe('an endpoint whose handlers hang under load', () => {
  it('leaves the times of another one where they were', async () => {
    const downstream = await openHangingServer();
    onTestFinished(() => downstream.close());
    const before = await timesOf(15, () => expectGreeting('calm'));

    const hanging = new Set<Promise<Answer>>();
    for (let count = 0; count < 15; count++) {
      const answer = call('altered', 'waitFor', { timeoutS: 29, body: JSON.stringify({ url: downstream.url }) });
      hanging.add(answer);
      answer.finally(() => hanging.delete(answer)).catch(() => {});
    }
    await vi.waitFor(() => expect(downstream.waiting()).toBe(15), { timeout: 25_000, interval: 100 });
    await expectGreeting('calm'); // may start an environment of the router, as all are taken
    const during = await timesOf(15, () => expectGreeting('calm'));
    expect(hanging.size).toBe(15);

    // No measurement: what waits for a handler that hangs takes as long as that, more than ten seconds here. A machine
    // that is busy with something else does not reach the bound.
    expect(percentile(50, during)).toBeLessThan(3 * percentile(50, before) + 500);
    expect(percentile(99, during)).toBeLessThan(3 * percentile(99, before) + 2_000);

    const answers = [...hanging];
    downstream.release();
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
  });
});

describe('the caller of a function that was deleted', () => {
  it('gets 503 UNAVAILABLE, and others their answers', async () => {
    await expectGreeting('altered');
    await aws.send(new DeleteFunctionCommand({ FunctionName: functions.altered }));
    const message = 'function FUNCTION does not exist, or has not this alias; deploy it again';
    for (const answer of await callInBothForms('altered', 'greet')) {
      expectOutcome(answer, { ...unreachable, message }, 'altered');
    }
    await expectGreeting('calm');
  });
});

/** Milliseconds that each of so many runs took, one after the other. */
async function timesOf(count: number, run: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const startedAt = performance.now();
    await run();
    times.push(performance.now() - startedAt);
  }
  return times;
}

function percentile(percent: number, values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? Number.NaN;
}
