import { expect, it } from 'vitest';
import { createContractReader } from '../../src/aws/contract-reader.ts';
import type { InvokeAnswer } from '../../src/aws/invoke-outcome.ts';
import { SimulatedTime } from './simulated-time.ts';

const VERSION = 'arn:aws:lambda:eu-west-1:111122223333:function:Shop:7';
const CONTRACT = { nexusContract: 1, services: [{ name: 'orders', operations: ['place', 'cancel'] }] };

function answerOf(payload: unknown, more: Partial<InvokeAnswer> = {}): InvokeAnswer {
  return { Payload: new TextEncoder().encode(JSON.stringify(payload)), $metadata: { requestId: 'r-1' }, ...more };
}

/** What Invoke throws, as the SDK names it. */
function awsError(name: string, message = 'no more was said'): Error {
  return Object.assign(new Error(message), { name });
}

/** A reader whose invocations end as listed, the last one for ever; each takes a second. */
function setUp(...outcomes: readonly (InvokeAnswer | Error)[]) {
  const time = new SimulatedTime();
  const startedAt = time.now();
  const invocations: { at: number; functionArn: string; payload: string }[] = [];
  const read = createContractReader({
    async invokeFunction(functionArn, payload, signal) {
      const outcome = outcomes[Math.min(invocations.length, outcomes.length - 1)]!;
      invocations.push({ at: time.now() - startedAt, functionArn, payload });
      await time.wait(1_000);
      signal.throwIfAborted();
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    wait: (ms) => time.wait(ms),
  });
  return {
    invocations,
    /** What comes of a read that has a minute. */
    async outcome(): Promise<unknown> {
      const late = new AbortController();
      const outcome = read(VERSION, late.signal).catch((error: Error) => error.message);
      await time.pass(59_500);
      late.abort(new Error('the 60000 ms are over'));
      await time.pass(30_000);
      return outcome;
    },
  };
}

it('returns what the handler says that it has', async () => {
  const { outcome, invocations } = setUp(answerOf(CONTRACT));
  expect(await outcome()).toEqual(CONTRACT.services);
  expect(invocations).toEqual([{ at: 0, functionArn: VERSION, payload: '{"nexusContract":1}' }]);
});

it('takes members that it does not know, and leaves them out', async () => {
  const services = [{ ...CONTRACT.services[0], queued: ['place'] }];
  expect(await setUp(answerOf({ ...CONTRACT, services, nexusLambda: '9' })).outcome()).toEqual(CONTRACT.services);
});

it('takes a handler without services, which the gate refuses', async () => {
  expect(await setUp(answerOf({ ...CONTRACT, services: [] })).outcome()).toEqual([]);
});

it.each<[answer: unknown, found: string]>([
  [undefined, 'no JSON'],
  [null, 'null'],
  ['ok', '"ok"'],
  [[], '[]'],
  [{}, 'an object with no members'],
  [{ services: CONTRACT.services }, 'an object with services'],
  [{ statusCode: 400, headers: {}, body: '' }, 'an HTTP response of status 400'],
  [{ ...CONTRACT, nexusContract: 2 }, 'a contract of format 2, where 1 is known,'],
  [{ nexusContract: 1 }, 'a contract without a list of services'],
  [{ nexusContract: 1, services: {} }, 'a contract without a list of services'],
  ...[null, { name: 'a' }, { name: '', operations: [] }, { name: '\ud800', operations: [] }].map(
    (service): [unknown, string] => [
      { nexusContract: 1, services: [CONTRACT.services[0], service] },
      'a contract whose services[1] is no name with a list of names',
    ],
  ),
  ...[7, 'a', [7], [''], ['a', 'a']].map((operations): [unknown, string] => [
    { nexusContract: 1, services: [{ name: 'orders', operations }] },
    'a contract whose services[0] is no name with a list of names',
  ]),
  [{ nexusContract: 1, services: [...CONTRACT.services, ...CONTRACT.services] }, 'a contract that has a service twice'],
])('fails when the answer is %j', async (payload, found) => {
  const { outcome, invocations } = setUp(payload === undefined ? { $metadata: {} } : answerOf(payload));
  expect(await outcome()).toBe(
    `cannot read the operations of function Shop:7: it answered ${found} where it was asked for its operations; is this a ` +
      'handler made by createServiceHandler of nexus-lambda, of the version that deploys it, and does nothing wrap it that ' +
      'changes its answers?',
  );
  expect(invocations).toHaveLength(1);
});

it.each([
  [
    { errorType: 'Runtime.ImportModuleError', errorMessage: "Error: Cannot find module 'nexus-rpc'" },
    "the handler's module does not load (Runtime.ImportModuleError); the log of function Shop:7 says why, request r-1; it " +
      "says Runtime.ImportModuleError: Error: Cannot find module 'nexus-rpc'",
  ],
  [
    { errorType: 'Sandbox.Timedout', errorMessage: 'Task timed out after 3.00 seconds' },
    'the handler ran into the timeout of its function (Sandbox.Timedout); the log of function Shop:7 says why, request ' +
      'r-1; it says Sandbox.Timedout: Task timed out after 3.00 seconds',
  ],
  [
    { errorType: 'TypeError', errorMessage: 'x'.repeat(1_000) },
    'the handler gave no answer (TypeError); the log of function Shop:7 says why, request r-1; it says TypeError: ' +
      `${'x'.repeat(289)}…`,
  ],
])('passes on what the function says of its error, once: %j', async (payload, why) => {
  const { outcome, invocations } = setUp(answerOf(payload, { FunctionError: 'Unhandled' }));
  expect(await outcome()).toBe(`cannot read the operations of function Shop:7: ${why}`);
  expect(invocations).toHaveLength(1);
});

it('tries again with a growing wait while the function has no capacity or is not ready', async () => {
  const throttled = awsError('TooManyRequestsException');
  const pending = awsError('ResourceConflictException');
  const { outcome, invocations } = setUp(
    throttled,
    pending,
    throttled,
    throttled,
    throttled,
    throttled,
    answerOf(CONTRACT),
  );
  expect(await outcome()).toEqual(CONTRACT.services);
  expect(invocations.map(({ at }) => at)).toEqual([0, 1_500, 3_500, 6_500, 11_500, 20_500, 29_500]);
});

it.each([
  'TooManyRequestsException',
  'EC2ThrottledException',
  'ResourceConflictException',
  'ResourceNotReadyException',
  'SnapStartNotReadyException',
])('tries again as long as there is time after %s', async (name) => {
  const { outcome, invocations } = setUp(...Array(7).fill(awsError(name)), answerOf(CONTRACT));
  expect(await outcome()).toEqual(CONTRACT.services);
  expect(invocations).toHaveLength(8);
});

it.each([
  [
    'TooManyRequestsException',
    'it has no capacity left (TooManyRequestsException: no more was said); free some, or raise its reserved concurrency, ' +
      'and deploy again',
  ],
  [
    'ResourceConflictException',
    'Lambda still makes it ready (ResourceConflictException: no more was said); its state and StateReason ' +
      '(lambda get-function) say what is missing',
  ],
])('says after the last wait that the time is over, and what was in the way: %s', async (name, why) => {
  const { outcome, invocations } = setUp(awsError(name));
  expect(await outcome()).toBe(`cannot read the operations of function Shop:7: ${why}; the 60000 ms are over`);
  expect(invocations.at(-1)!.at).toBeLessThan(59_500);
});

it('says that the time is over where it is in the middle of an invocation', async () => {
  const late = new AbortController();
  const read = createContractReader({
    invokeFunction: (_functionArn, _payload, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(awsError('AbortError')))),
    wait: () => Promise.resolve(),
  });
  const outcome = read(VERSION, late.signal);
  late.abort(new Error('the 60000 ms are over'));
  await expect(outcome).rejects.toThrow(/^cannot read the operations of function Shop:7: the 60000 ms are over$/);
});

it('waits for a permission of the same deploy to be known, and names it where it is missing', async () => {
  const denied = awsError('AccessDeniedException', 'User: x is not authorized');
  const late = setUp(denied, denied, denied, denied, denied, answerOf(CONTRACT));
  expect(await late.outcome()).toEqual(CONTRACT.services);
  const never = setUp(denied);
  expect(await never.outcome()).toBe(
    'cannot read the operations of function Shop:7: the registration function may not invoke it (AccessDeniedException: ' +
      `User: x is not authorized); allow its role lambda:InvokeFunction on ${VERSION}`,
  );
  expect(never.invocations).toHaveLength(6);
});

it('fails at once where there is no such function', async () => {
  const { outcome, invocations } = setUp(awsError('ResourceNotFoundException'));
  expect(await outcome()).toMatch(/: it does not exist \(ResourceNotFoundException: .*\); deploy the stack /);
  expect(invocations).toHaveLength(1);
});

it('fails after three attempts where nobody knows what is in the way', async () => {
  const { outcome, invocations } = setUp(new Error('socket hang up'));
  const why = 'it could not be invoked (Error: socket hang up)';
  expect(await outcome()).toBe(`cannot read the operations of function Shop:7: ${why}`);
  expect(invocations).toHaveLength(3);
});

it('keeps the error as its cause, for the log', async () => {
  const missing = awsError('ResourceNotFoundException');
  const read = createContractReader({ invokeFunction: () => Promise.reject(missing), wait: () => Promise.resolve() });
  await expect(read(VERSION, new AbortController().signal)).rejects.toMatchObject({ cause: missing });
});
