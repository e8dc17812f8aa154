import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { functionName, invokeRequestError, neverRan, readInvokeAnswer } from '../../src/aws/invoke-outcome.ts';
import { InvokeError, type InvokeErrorReason } from '../../src/router/errors.ts';
import { toHttpResponse } from '../../src/router/lambda-result.ts';

const ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:shop-handler:live';
const REQUEST = '8f5d2c1e-0000-4000-8000-000000000000';

/** What Invoke answers with this payload; `FunctionError` as AWS sets it for whatever the function did not answer itself. */
const answerOf = (payload: string, FunctionError?: string) => ({
  ...(FunctionError !== undefined && { FunctionError }),
  Payload: Buffer.from(payload),
  $metadata: { requestId: REQUEST },
});

function failureOf(payload: string, FunctionError = 'Unhandled'): InvokeError {
  try {
    readInvokeAnswer(answerOf(payload, FunctionError), ARN);
  } catch (error) {
    if (error instanceof InvokeError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

it('passes the answer of a handler on', () => {
  const result = { statusCode: 200, headers: { a: 'b' }, body: 'é', isBase64Encoded: false };
  expect(readInvokeAnswer(answerOf(JSON.stringify(result)), ARN)).toEqual(result);
});

/** What the caller is told of each reason. */
const WHAT: Partial<Record<InvokeErrorReason, string>> = {
  crashed: 'the handler gave no answer',
  timeout: 'the handler ran into the timeout of its function',
  module: "the handler's module does not load",
  'too-large': "the handler's answer is larger than Lambda passes on",
};

describe('what a function ended with instead of an answer', () => {
  it.each<[InvokeErrorReason, string, string]>([
    ['crashed', 'Runtime.ExitError', `RequestId: ${REQUEST} Error: Runtime exited with error: exit status 3`],
    ['crashed', 'Runtime.ExitError', `RequestId: ${REQUEST} Error: Runtime exited with error: signal: killed`],
    ['crashed', 'Runtime.OutOfMemory', `RequestId: ${REQUEST} Error: Runtime exited with error: signal: killed`],
    ['crashed', 'Runtime.UnhandledPromiseRejection', 'Error: no stock'],
    ['crashed', 'Extension.Crash', `RequestId: ${REQUEST} Error: exit code 1`],
    ['crashed', 'TypeError', 'x is not a function'],
    ['crashed', 'MyError', 'Task timed out after 3.00 seconds'],
    ['timeout', 'Sandbox.Timedout', `RequestId: ${REQUEST} Error: Task timed out after 3.00 seconds`],
    [
      'module',
      'Runtime.ImportModuleError',
      "Error: Cannot find module 'left-pad'\nRequire stack:\n- /var/runtime/index.mjs",
    ],
    ['module', 'Runtime.UserCodeSyntaxError', "SyntaxError: Unexpected token '}'"],
    ['module', 'Runtime.HandlerNotFound', 'index.handler is undefined or not exported'],
    ['module', 'Runtime.MalformedHandlerName', 'Bad handler'],
    [
      'too-large',
      'Function.ResponseSizeTooLarge',
      'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    ],
    // As the emulator that the deploy tests run on says it.
    ['crashed', 'Runtime.HandlerError', 'Worker process died'],
    ['crashed', 'RuntimeError', 'Worker init failed: broken import'],
    ['timeout', 'Sandbox.Timedout', 'Task timed out after 3.00 seconds'],
  ])('is "%s" for %s', (reason, errorType, errorMessage) => {
    const failure = failureOf(JSON.stringify({ errorType, errorMessage, trace: [`${errorType}: ${errorMessage}`] }));
    expect(failure.reason).toBe(reason);
    expect(failure.message.startsWith(`${WHAT[reason]} (`)).toBe(true);
    expect(failure.message).toContain(
      `(${errorType}); the log of function shop-handler:live says why, request ${REQUEST}`,
    );
    expect(failure.message).not.toContain(errorMessage);
    expect(failure.cause).toEqual(new Error(`${errorType}: ${errorMessage}`));
  });

  it('is a timeout without a type, too, as Lambda said it for years', () => {
    const errorMessage = `2024-05-01T12:00:00.000Z ${REQUEST} Task timed out after 3.00 seconds`;
    expect(failureOf(JSON.stringify({ errorMessage })).reason).toBe('timeout');
  });

  it('is a crash where user code threw something else than an Error', () => {
    const failure = failureOf('{"errorType":"string","errorMessage":"card 4111","trace":[]}');
    expect(failure).toMatchObject({ reason: 'crashed', message: expect.stringMatching(/gave no answer \(string\);/) });
  });

  it.each([
    '',
    '{',
    'null',
    '7',
    '"text"',
    '[]',
    '{}',
    '{"errorType": null, "errorMessage": null}',
    '{"errorType": {"toString": 1}, "errorMessage": {"toString": 1}}',
    '{"errorType": ["Sandbox.Timedout"]}',
    '{"errorType": "card 4111 of Ada"}',
    JSON.stringify({ errorType: 'x'.repeat(101) }),
  ])('is a crash without a type where the payload is %j', (payload) => {
    expect(failureOf(payload)).toMatchObject({
      reason: 'crashed',
      message: `the handler gave no answer (an error without a type); the log of function shop-handler:live says why, request ${REQUEST}`,
    });
  });

  it.each(['E', '$Error', 'My.Error_2', 'x'.repeat(100)])('names the type %s, which can be one', (errorType) => {
    expect(failureOf(JSON.stringify({ errorType })).message).toContain(`(${errorType})`);
  });

  it('names no request where there is no id of one', () => {
    const answer = { FunctionError: 'Unhandled', Payload: Buffer.from('{}'), $metadata: {} };
    expect(() => readInvokeAnswer(answer, ARN)).toThrow(/says why$/);
  });

  it('is an InvokeError, whose message holds nothing that the function said, whatever that was', () => {
    const said = fc.string({ minLength: 12 });
    const payload = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ errorType: fc.jsonValue(), errorMessage: fc.jsonValue() }).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(payload, fc.constantFrom('Unhandled', 'Handled', ''), said, (text, functionError, message) => {
        expect(failureOf(text, functionError)).toBeInstanceOf(InvokeError);
        const failure = failureOf(JSON.stringify({ errorType: 'Error', errorMessage: message }));
        expect(failure.message.includes(message)).toBe(false);
      }),
    );
  });
});

it('leaves an answer that is no HTTP response to the router, which says so instead of failing', () => {
  const answers = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom('', '{', '"text"', '7', '[]', '{"statusCode":"200"}', '{"statusCode":200,"body":{}}'),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  fc.assert(
    fc.property(answers, (payload) => {
      const answer = readInvokeAnswer(answerOf(payload), ARN);
      let failure: unknown;
      try {
        toHttpResponse(answer);
      } catch (error) {
        failure = error;
      }
      expect(failure).toMatchObject({ name: 'InvokeError', reason: 'bad-answer' });
    }),
  );
  expect(readInvokeAnswer({ $metadata: {} }, ARN)).toBeUndefined();
});

/** An error of the AWS SDK. */
const sdkError = (name: string, members: object = {}) =>
  Object.assign(new Error(`${name} it was`), { name, ...members });

describe('what Invoke itself failed with', () => {
  it.each<[string, object, InvokeErrorReason, string]>([
    [
      'TooManyRequestsException',
      { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
      'throttled',
      'no capacity left (ReservedFunctionConcurrentInvocationLimitExceeded)',
    ],
    ['TooManyRequestsException', {}, 'throttled', 'no capacity left (throttled)'],
    ['ResourceNotFoundException', {}, 'no-handler', 'does not exist, or has not this alias; deploy it again'],
    ['AccessDeniedException', {}, 'no-handler', `allow its role lambda:InvokeFunction on ${ARN}`],
    ['RequestTooLargeException', {}, 'request-too-large', 'larger than function shop-handler:live can be given'],
    ['EC2ThrottledException', {}, 'unreachable', '(EC2ThrottledException)'],
    ['ResourceConflictException', {}, 'unreachable', '(ResourceConflictException)'],
    ['ServiceException', {}, 'unreachable', '(ServiceException)'],
    ['Error', { code: 'ECONNREFUSED' }, 'unreachable', '(ECONNREFUSED)'],
    // The SDK gives connections that broke, or were never made in time, this name.
    ['TimeoutError', { code: 'ECONNRESET' }, 'unreachable', '(ECONNRESET)'],
    ['TimeoutError', { code: 'EPIPE' }, 'unreachable', '(EPIPE)'],
    ['TimeoutError', {}, 'unreachable', '(TimeoutError)'],
  ])('%s %j is "%s"', (name, members, reason, message) => {
    const error = sdkError(name, members);
    const failure = invokeRequestError(error, ARN);
    expect(failure).toMatchObject({ reason, message: expect.stringContaining(message), cause: error });
    expect(failure.message).toContain('function shop-handler:live');
  });

  it.each([undefined, null, 'text', 7])('is "unreachable" for %s, too', (thrown) => {
    expect(invokeRequestError(thrown, ARN)).toMatchObject({
      reason: 'unreachable',
      message: expect.stringContaining('(no error name)'),
    });
  });
});

describe('neverRan', () => {
  it.each([
    ['TooManyRequestsException', undefined],
    ['Error', 'ECONNREFUSED'],
    ['Error', 'ENOTFOUND'],
    ['Error', 'EAI_AGAIN'],
  ])('is certain for %s %s', (name, code) => {
    expect(neverRan(sdkError(name, { code }))).toBe(true);
  });

  it.each([
    ['TimeoutError', 'ECONNRESET'],
    ['TimeoutError', 'EPIPE'],
    ['TimeoutError', 'ETIMEDOUT'],
    ['TimeoutError', undefined],
    ['AbortError', undefined],
    ['ServiceException', undefined],
    ['ThrottlingException', undefined],
    ['InvokeError', undefined],
  ])('is not for %s %s', (name, code) => {
    expect(neverRan(sdkError(name, { code }))).toBe(false);
  });

  it.each([undefined, null, 'ECONNREFUSED'])('is not for %s', (thrown) => {
    expect(neverRan(thrown)).toBe(false);
  });
});

it.each([
  [ARN, 'shop-handler:live'],
  ['arn:aws-cn:lambda:cn-north-1:123456789012:function:shop', 'shop'],
  ['arn:aws:lambda:eu-west-1:123456789012:function:shop:7', 'shop:7'],
  ['shop', 'shop'],
])('calls the function of %s %s', (arn, name) => {
  expect(functionName(arn)).toBe(name);
});
