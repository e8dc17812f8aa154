import { describe, expect, it } from 'vitest';
import { invokeRequestError, readInvokeAnswer, tooLate } from '../../src/aws/invoke-outcome.ts';
import { credentialsFinding, noAwsCredentials } from '../../src/doctor/credentials-hop.ts';
import type { Deployment } from '../../src/doctor/deployment.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { handlerFindings } from '../../src/doctor/handler-hop.ts';
import { readAnswer } from '../../src/doctor/read-answer.ts';
import { routeFinding } from '../../src/doctor/route-hop.ts';
import { notAmongCallers, unauthenticated } from '../../src/handler/access.ts';
import type { InvokeError } from '../../src/router/errors.ts';
import { failureResponse } from '../../src/router/failure-response.ts';
import { basic, basicWithout, dev, jwt, signed } from './deployments.ts';

type Seen = Parameters<typeof readAnswer>[0];

/** The first of the three hops that is not well, as the walk would come to it. */
function judge(seen: Seen, deployment: Deployment): Finding & { readonly typed: string } {
  const answer = readAnswer(seen);
  const handler = answer.from === 'handler' || answer.from === 'nexus' ? handlerFindings(answer) : [];
  const findings = [credentialsFinding(answer, deployment), routeFinding(answer, deployment), ...handler];
  const finding = findings.find(({ status }) => status === 'fail') ?? findings[0]!;
  const shown = JSON.stringify(findings);
  expect(shown).not.toContain('s3cret');
  return { ...finding, typed: finding.type?.join('\n') ?? '' };
}

const http = (status: number, body: unknown, headers: Record<string, string> = {}): Seen => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** A failure as router and handler write it. */
function nexus(type: Parameters<typeof failureResponse>[0], message: string): Seen {
  const { status, headers, body } = failureResponse(type, message, {
    headers: { 'temporal-nexus-failure-support': 'true' },
  });
  return http(status, new TextDecoder().decode(body), headers);
}

const ARN = 'arn:aws:lambda:eu-west-1:1:function:Shop-Handler:live';
const invokeFailure = (error: unknown) => nexus('UNAVAILABLE', (error as InvokeError).message);
const thrown = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
};
const functionError = (errorType: string) =>
  thrown(() =>
    readInvokeAnswer(
      {
        FunctionError: 'Unhandled',
        Payload: new TextEncoder().encode(JSON.stringify({ errorType, errorMessage: 'no s3cret' })),
        $metadata: { requestId: 'request-1' },
      },
      ARN,
    ),
  );

describe('credentials', () => {
  it.each<[string, Seen, Deployment, { says: string; why: string; typed: string }]>([
    [
      'a wrong password',
      http(403, { message: 'Forbidden' }),
      basic,
      {
        says: 'refused with 403: Forbidden',
        why: 'The password of user "shop" is not the one',
        typed: 'https://shop:PASSWORD@abc.execute-api.eu-west-1.amazonaws.com/basic/nexus/endpoints/shop/services',
      },
    ],
    [
      'no password',
      http(401, { message: 'Unauthorized' }),
      basicWithout,
      { says: 'refused with 401: Unauthorized', why: 'The route takes HTTP Basic', typed: '//shop:PASSWORD@' },
    ],
    [
      'an expired token',
      http(401, { message: 'Unauthorized' }),
      jwt,
      { says: '401', why: 'The token has expired', typed: '--bearer TOKEN' },
    ],
    [
      'a signature without a permission',
      http(403, { message: 'Forbidden' }),
      signed,
      { says: '403', why: 'no policy of theirs allows execute-api:Invoke', typed: 'aws sts get-caller-identity' },
    ],
    [
      'expired AWS credentials',
      http(403, { message: 'The security token included in the request is expired' }),
      signed,
      { says: 'is expired', why: 'The AWS credentials have expired.', typed: 'aws sso login' },
    ],
    [
      "a Function URL's denial",
      http(403, { Message: 'Forbidden' }),
      signed,
      { says: 'refused with 403: Forbidden', why: 'no policy', typed: 'grantInvoke' },
    ],
    [
      'a user that is not on the list',
      nexus('UNAUTHORIZED', notAmongCallers('basic:shop', 'shop').message),
      basic,
      { says: '"basic:shop" is not among the callers', why: 'not on the list', typed: "NexusCaller.basic('shop')" },
    ],
    [
      'a role that is not on the list',
      nexus('UNAUTHORIZED', notAmongCallers('iam:arn:aws:iam::1:role/Backend', 'shop').message),
      signed,
      { says: 'not among the callers', why: 'on the list', typed: "NexusCaller.iam('arn:aws:iam::1:role/Backend')" },
    ],
    [
      'a route without an authorizer',
      nexus('UNAUTHENTICATED', unauthenticated().message),
      signed,
      { says: 'nobody authenticated this request', why: 'authenticates nobody', typed: 'npx cdk deploy' },
    ],
  ])('name %s', (_what, seen, deployment, { says, why, typed }) => {
    expect(judge(seen, deployment)).toMatchObject({
      hop: 'credentials',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
      typed: expect.stringContaining(typed),
    });
  });

  it('name a password that went to a route for signatures, whichever way that refuses it', () => {
    const misdirected = { target: signed.target, auth: basic.auth };
    const refusals = [
      http(401, { message: 'Unauthorized' }),
      http(403, { message: 'Forbidden' }),
      nexus('UNAUTHENTICATED', unauthenticated().message),
    ];
    for (const seen of refusals) {
      expect(judge(seen, misdirected)).toMatchObject({
        hop: 'credentials',
        why: expect.stringContaining('they go to the one under /basic'),
        typed: expect.stringContaining('.amazonaws.com/basic/nexus/endpoints/shop/services'),
      });
    }
  });

  it('name what is missing before anything can be signed', () => {
    expect(noAwsCredentials('the package @aws-sdk/x is not installed; run: npm i @aws-sdk/x')).toMatchObject({
      hop: 'credentials',
      type: ['npm i @aws-sdk/x'],
    });
    expect(noAwsCredentials('Could not load credentials from any providers')).toMatchObject({
      says: 'there are no AWS credentials: Could not load credentials from any providers',
      type: ['aws sso login', 'aws sts get-caller-identity'],
    });
  });
});

describe('the route', () => {
  const silence = (code: string): Seen => ({ kind: 'no-answer', code, message: 'it broke', waitedMs: 15_000 });

  it.each<[string, Seen, Deployment, { says: string; why: string; typed: string }]>([
    [
      'an unknown endpoint of a gateway',
      nexus('NOT_FOUND', 'no endpoint is named "shop"'),
      basic,
      { says: 'no endpoint is named "shop"', why: 'not known', typed: "gateway.addEndpoint('shop', { … })" },
    ],
    [
      'an unknown endpoint of the dev server, which names others',
      nexus('NOT_FOUND', 'no endpoint is named "shop"; there is "store"'),
      dev,
      { says: 'there is "store"', why: 'not known', typed: 'http://127.0.0.1:9233/nexus/endpoints/store/services' },
    ],
    [
      "a path that is none of the router's",
      nexus('NOT_FOUND', 'nothing is at "/x"; there is POST /nexus/endpoints/…'),
      dev,
      {
        says: 'nothing is at "/x"',
        why: 'A router answers there',
        typed: 'http://127.0.0.1:9233/nexus/endpoints/shop/services',
      },
    ],
    [
      'a path that is no route of the API',
      http(404, { message: 'Not Found' }),
      basic,
      { says: 'Not Found (404)', why: '/basic exists where', typed: '//shop:PASSWORD@' },
    ],
    [
      'a redirect',
      http(301, '', { location: 'https://www.shop.example/' }),
      dev,
      { says: 'redirected to https://www.shop.example/ (301)', why: 'does not follow', typed: 'doctor --url' },
    ],
    [
      'a page of something else',
      http(200, '<!doctype html>\n<title>Shop</title>', { 'content-type': 'text/html' }),
      dev,
      {
        says: 'something else answers there: 200 text/html: <!doctype html> <title>Shop</title>',
        why: 'a proxy',
        typed: '',
      },
    ],
    [
      'JSON of something else',
      http(200, '[1]'),
      dev,
      { says: 'something else answers there: 200 application/json: [1]', why: 'none of a Nexus endpoint', typed: '' },
    ],
    [
      'a throttle of API Gateway',
      http(429, { message: 'Too Many Requests' }),
      signed,
      { says: 'throttled before our code', why: "API Gateway's own limit", typed: 'aws service-quotas' },
    ],
    [
      'an authorizer that fails',
      http(500, { message: 'Internal Server Error' }),
      basic,
      {
        says: 'the front door failed: Internal Server Error (500)',
        why: 'the authorizer or the router',
        typed: 'Checks HTTP Basic',
      },
    ],
    [
      'a proxy that fails',
      http(502, '<html>Bad Gateway</html>', { 'content-type': 'text/html' }),
      dev,
      { says: '(502)', why: 'A proxy in front', typed: '' },
    ],
    [
      'a registry that cannot be read',
      nexus('UNAVAILABLE', 'the registry of endpoints could not be read; the log of the router says why'),
      signed,
      { says: 'the registry of endpoints', why: 'cannot read its table', typed: 'aws logs tail' },
    ],
    [
      'a silence',
      silence('ETIMEDOUT'),
      dev,
      { says: 'no HTTP answer within 15 s', why: 'nothing answers', typed: '--timeout' },
    ],
    [
      'another protocol',
      silence('HPE_INVALID_CONSTANT'),
      dev,
      { says: 'no HTTP of this kind', why: 'TLS', typed: 'scheme' },
    ],
    [
      'a lost connection',
      silence('EPIPE'),
      dev,
      { says: 'the request broke off: it broke (EPIPE)', why: 'lost', typed: '' },
    ],
  ])('names %s', (_what, seen, deployment, { says, why, typed }) => {
    expect(judge(seen, deployment)).toMatchObject({
      hop: 'route',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
      typed: expect.stringContaining(typed),
    });
  });

  it('of a handler that answers leads to the endpoint', () => {
    const answer = readAnswer(http(200, { nexusLambda: '0.1.0', services: [] }));
    expect(routeFinding(answer, basic)).toEqual({
      hop: 'route',
      status: 'ok',
      says: '/basic/nexus/endpoints/shop/services leads to endpoint "shop"',
    });
    expect(credentialsFinding(answer, basic).says).toBe('HTTP Basic as user "shop" is let in');
  });
});

describe('the handler', () => {
  const LOGS = 'aws logs tail "$(aws lambda get-function-configuration --function-name Shop-Handler ';

  it.each<[string, Seen, { says: string; why: string; typed: string }]>([
    [
      'a module that does not load on Lambda',
      invokeFailure(functionError('Runtime.ImportModuleError')),
      { says: 'does not load (Runtime.ImportModuleError)', why: 'fails when it is imported', typed: LOGS },
    ],
    [
      'a module that does not load in the dev server',
      nexus('UNAVAILABLE', "the handlers' module does not load: Error: no DATABASE_URL"),
      { says: 'no DATABASE_URL', why: 'fails when it is imported', typed: 'the terminal of nexus-lambda dev' },
    ],
    [
      "a function's timeout",
      invokeFailure(functionError('Sandbox.Timedout')),
      { says: 'ran into the timeout', why: 'does not come to an answer', typed: LOGS },
    ],
    [
      'a late answer',
      invokeFailure(tooLate(ARN)),
      { says: 'gave no answer within', why: 'does not come to', typed: LOGS },
    ],
    [
      'a throttled function',
      invokeFailure(
        invokeRequestError(
          { name: 'TooManyRequestsException', Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
          ARN,
        ),
      ),
      {
        says: 'has no capacity left',
        why: 'is in use',
        typed: 'aws lambda get-function-concurrency --function-name Shop-Handler',
      },
    ],
    [
      'a function that is gone',
      invokeFailure(invokeRequestError({ name: 'ResourceNotFoundException' }, ARN)),
      { says: 'does not exist', why: 'is gone', typed: 'aws lambda list-aliases --function-name Shop-Handler' },
    ],
    [
      'a router that may not invoke',
      invokeFailure(invokeRequestError({ name: 'AccessDeniedException' }, ARN)),
      { says: 'may not invoke', why: 'lacks a permission', typed: 'npx cdk deploy' },
    ],
    [
      'a handler that crashes',
      invokeFailure(functionError('Runtime.ExitError')),
      { says: 'the handler gave no answer (Runtime.ExitError)', why: 'UNAVAILABLE', typed: LOGS },
    ],
    [
      'a handler of before this command',
      nexus('NOT_FOUND', "no service 'nexus-lambda.doctor' here; there is 'greeting'"),
      { says: "there is 'greeting'", why: 'does not know this command', typed: 'npm install nexus-lambda@latest' },
    ],
  ])('names %s', (_what, seen, { says, why, typed }) => {
    expect(judge(seen, basic)).toMatchObject({
      hop: 'handler',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
      typed: expect.stringContaining(typed),
    });
  });

  it('is told apart from its credentials for Temporal', () => {
    const seen = nexus('UNAVAILABLE', 'the credentials for Temporal cannot be used; the log of the handler says why');
    expect(judge(seen, basic)).toMatchObject({
      hop: 'handler-temporal',
      typed: expect.stringContaining('describe-secret'),
    });
  });

  it('that answers is shown with what it serves', () => {
    const check = { nexusLambda: '0.1.0', services: [{ name: 'cart', operations: ['open', 'close'] }] };
    const answer = readAnswer(http(200, check));
    expect(answer).toEqual({ from: 'handler', check });
    expect(handlerFindings({ from: 'handler', check })).toEqual([
      { hop: 'handler', status: 'ok', says: 'nexus-lambda 0.1.0 serves cart (open, close)' },
      {
        hop: 'handler-temporal',
        status: 'skip',
        says: 'the handler was given no Temporal: its operations answer by themselves',
      },
    ]);
  });
});
