import { operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it, vi } from 'vitest';
import { collocatedAccess } from '../../src/handler/collocated.ts';
import { createServiceHandler } from '../../src/index.ts';
import { recordingLogger } from './recording-logger.ts';
import { bodyJson, context, httpEvent, invocation } from './requests.ts';

const ROLE = 'iam:arn:aws:iam::123456789012:role/Caller';
const ENDPOINTS = { shop: [ROLE, 'basic:shop', 'jwt:ada'], open: ['iam:*'], closed: [] };

const ran = vi.fn<() => void>();
const echo = service('echo', { hello: operation<void, string>() });
const services = [
  serviceHandler(echo, {
    hello: async () => {
      ran();
      return 'hello';
    },
  }),
];

/** A handler as it starts where the variable has this value, or is not set. */
function startWith(value: string | undefined) {
  const before = process.env.NEXUS_COLLOCATED_ENDPOINTS;
  if (value === undefined) delete process.env.NEXUS_COLLOCATED_ENDPOINTS;
  else process.env.NEXUS_COLLOCATED_ENDPOINTS = value;
  try {
    return createServiceHandler({ services, logger: recordingLogger().logger });
  } finally {
    if (before === undefined) delete process.env.NEXUS_COLLOCATED_ENDPOINTS;
    else process.env.NEXUS_COLLOCATED_ENDPOINTS = before;
  }
}

const IAM = { iam: { userArn: 'arn:aws:sts::123456789012:assumed-role/Caller/session' } };
const OTHER_ROLE = { iam: { userArn: 'arn:aws:sts::123456789012:assumed-role/Other/session' } };
const BASIC = { lambda: { principal: 'basic:shop' } };
const JWT = { jwt: { claims: { sub: 'ada' } } };

/** An event of the API for an operation of this endpoint, from whomever the authorizer let in. */
function eventFor(endpoint: string, authorizer?: object, prefix = '') {
  const event = httpEvent(`${prefix}/nexus/endpoints/${endpoint}/services/echo/hello`);
  return { ...event, requestContext: { ...event.requestContext, ...(authorizer && { authorizer }) } };
}

describe('a function that an API calls without a router', () => {
  const handler = startWith(JSON.stringify(ENDPOINTS));

  it.each([
    ['a role', 'shop', IAM],
    ['a user of a password', 'shop', BASIC],
    ['the subject of a token', 'shop', JWT],
    ['whomever IAM lets through', 'open', OTHER_ROLE],
  ])('answers %s that is among the callers of its endpoint', async (_who, endpoint, authorizer) => {
    const result = await handler(eventFor(endpoint, authorizer, '/basic'), context());
    expect(bodyJson(result)).toBe('hello');
  });

  it.each([
    ['a role that is not listed', 'shop', OTHER_ROLE, 403],
    ['a user that is not listed', 'open', BASIC, 403],
    ['a subject that is not listed', 'open', JWT, 403],
    ['anybody at an endpoint without callers', 'closed', IAM, 403],
    ['anybody at an endpoint of another function', 'bank', IAM, 404],
    ['anybody at an endpoint that is named like a method', 'toString', IAM, 404],
    ['whom no authorizer let in', 'shop', undefined, 401],
    ['whom no authorizer let in, at an endpoint that is not there', 'bank', undefined, 401],
    ['whom an authorizer let in that is not ours', 'open', { lambda: { principal: 'iam:arn:aws:iam::1:root' } }, 401],
  ])('refuses %s, and runs nothing', async (_who, endpoint, authorizer, status) => {
    ran.mockClear();
    const result = await handler(eventFor(endpoint, authorizer), context());
    expect(result).toMatchObject({ statusCode: status, headers: { 'content-type': 'application/json' } });
    expect(ran).not.toHaveBeenCalled();
  });

  it('says whom it refused, where, and who can change it, and shows nothing of its code', async () => {
    const result = await handler(eventFor('shop', OTHER_ROLE), context());
    expect(result.body).toContain(
      '\\"iam:arn:aws:iam::123456789012:role/Other\\" is not among the callers of endpoint \\"shop\\"; whoever deploys',
    );
    expect(result.body).not.toContain('.ts:');
  });

  it('lets in by the endpoint that it serves, and not by one that is named further on', async () => {
    const path = '/nexus/endpoints/open/endpoints/shop/services/echo/hello';
    const event = { ...eventFor('open', IAM), rawPath: path };
    expect(await handler(event, context())).toMatchObject({ statusCode: 404 });
  });

  it('refuses before the middlewares, one of which may answer', async () => {
    const before = vi.fn<() => object>(() => ({
      statusCode: 200,
      headers: {},
      body: 'cached',
      isBase64Encoded: false,
    }));
    const cached = startWith(JSON.stringify(ENDPOINTS)).before(before);
    expect(await cached(eventFor('shop', OTHER_ROLE), context())).toMatchObject({ statusCode: 403 });
    expect(before).not.toHaveBeenCalled();
    expect(await cached(eventFor('shop', IAM), context())).toMatchObject({ statusCode: 200, body: 'cached' });
  });

  it('answers an invocation of a router, which has checked the caller', async () => {
    for (const endpoint of ['shop', 'closed', 'bank']) {
      expect(bodyJson(await handler(invocation('/echo/hello', { endpoint }), context()))).toBe('hello');
    }
  });
});

it('without the variable answers whomever the API or Function URL in front of it lets through', async () => {
  const handler = startWith(undefined);
  for (const authorizer of [undefined, IAM, { lambda: null }]) {
    expect(bodyJson(await handler(eventFor('any', authorizer), context()))).toBe('hello');
  }
});

it.each([
  '',
  'shop',
  '{',
  'null',
  '7',
  '"shop"',
  '[]',
  '["shop"]',
  '{}',
  '{"shop": "iam:*"}',
  '{"shop": {"0": "iam:*"}}',
  '{"shop": ["iam:*", 7]}',
  '{"shop": ["iam:*"], "bank": null}',
  '{"shop": ["basic:*"]}',
  '{"shop": ["shop"]}',
])('fails when it starts with %j in the variable, naming it and what it takes', (value) => {
  const error = `NEXUS_COLLOCATED_ENDPOINTS is ${JSON.stringify(value)}; it takes a JSON object of endpoint names and lists of callers`;
  expect(() => startWith(value)).toThrow(error);
  expect(() => collocatedAccess({ NEXUS_COLLOCATED_ENDPOINTS: value })).toThrow(TypeError);
});
