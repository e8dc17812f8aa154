import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { HandlerStartOperationResult, operation, service, serviceHandler } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { createServiceHandler, type LambdaHttpResult, type NexusInvocation } from '../../src/index.ts';
import { bodyBytes, context, httpEvent, invocation } from './requests.ts';

interface Captured {
  readonly request?: {
    readonly target: string;
    readonly headers: readonly (readonly [string, string])[];
    readonly bodyBase64: string;
  };
}

/** Requests that real Temporal servers sent. */
const captured = ['1.29.1', '1.32.1'].flatMap((version) => {
  const file = join(import.meta.dirname, `../fixtures/captures/temporal-${version}.json`);
  return (JSON.parse(readFileSync(file, 'utf8')) as Captured[]).flatMap(({ request }) => {
    if (!request?.target.includes('/services/')) return [];
    const [path = '', query = ''] = request.target.split('/services')[1]?.split('?') ?? [];
    const headers = Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
    return [{ path, query, headers, body: new Uint8Array(Buffer.from(request.bodyBase64, 'base64')) }];
  });
});

// Handlers that never fail, so that every failure in an answer is one that we made.
const handler = createServiceHandler({
  services: [
    serviceHandler(
      service('payments.v1', {
        charge: operation<unknown, unknown>(),
        store: operation<unknown, void>(),
        odd: operation<unknown, unknown>({ name: 'odd name/1' }),
      }),
      {
        charge: { start: async (_ctx, input) => HandlerStartOperationResult.sync(input), cancel: async () => {} },
        store: { start: async () => HandlerStartOperationResult.async('token'), cancel: async () => {} },
        odd: async (_ctx, input) => input,
      },
    ),
  ],
  logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
});

/** 500 is not among them: nothing that a caller sends is our error. */
const STATUS = new Set([200, 201, 202, 400, 404, 501, 520]);

function expectNexusAnswer(result: LambdaHttpResult): void {
  expect(STATUS).toContain(result.statusCode);
  for (const [name, value] of Object.entries(result.headers)) {
    expect(name).toMatch(/^[a-z0-9-]+$/);
    expect(value).toMatch(/^[\t\x20-\x7e\x80-\xff]*$/);
  }
  if (result.statusCode < 300) return;
  expect(result.headers['content-type']).toBe('application/json');
  expect(JSON.parse(bodyBytes(result).toString())).toMatchObject({ message: expect.stringMatching(/./) });
}

const HEADER_NAMES = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'nexus-request-id',
  'nexus-link',
  'nexus-operation-token',
  'nexus-callback-temporal-callback-token',
  'request-timeout',
  'operation-timeout',
  'temporal-nexus-failure-support',
  '__proto__',
  'constructor',
];
const HEADER_VALUES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; format=protobuf; message-type="a.B"',
  'application/x-protobuf; message-type="a.B"',
  'application/x-temporal-payload',
  'application/octet-stream',
  'text/html',
  '10s',
  '0ms',
  '1m30.5s',
  '-1h',
  '<temporal:///a>; type="b"',
  '<not a url',
  'true',
];
const value = fc.oneof(fc.constantFrom(...HEADER_VALUES), fc.string(), fc.string({ unit: 'binary' }));
const name = fc.oneof(fc.constantFrom(...HEADER_NAMES), fc.stringMatching(/^[a-z-]{1,12}$/));
const segment = fc.oneof(
  fc.constantFrom('payments.v1', 'charge', 'store', 'cancel', 'token', '', '.', '..', '%2F', '%', '%ff', '%00'),
  fc.string(),
);
const path = fc.oneof(
  fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
  fc.constantFrom(
    '/payments.v1/charge',
    '/payments.v1/store',
    '/payments.v1/store/cancel',
    '/payments.v1/store/t/cancel',
  ),
  fc.string(),
);
const arbitrary = fc.record({
  path,
  query: fc.oneof(fc.constantFrom('', 'token=t', 'callback=http%3A%2F%2Fx%2Fy', 'callback=%zz', 'token='), fc.string()),
  headers: fc.dictionary(name, value, { maxKeys: 6 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.json().map((json) => new TextEncoder().encode(json)),
  ),
});
/** A captured request with one or two things garbled. */
const garbled = fc
  .tuple(
    fc.constantFrom(...captured),
    fc.array(fc.tuple(name, fc.option(value, { nil: undefined })), { maxLength: 2 }),
    fc.option(path, { nil: undefined }),
    fc.uint8Array({ maxLength: 8 }),
  )
  .map(([request, changes, otherPath, tail]) => {
    const headers: Record<string, string> = { ...request.headers };
    for (const [key, changed] of changes) {
      if (changed === undefined) delete headers[key];
      else headers[key] = changed;
    }
    return { ...request, headers, path: otherPath ?? request.path, body: new Uint8Array([...request.body, ...tail]) };
  });
const request = fc.oneof(arbitrary, garbled);
const method = fc.oneof(
  { weight: 9, arbitrary: fc.constant('POST') },
  { weight: 1, arbitrary: fc.constantFrom('GET', 'PUT', 'DELETE', '') },
);

describe('whatever is sent, a Nexus answer comes back', () => {
  it('answers each request of a real server with success', async () => {
    expect(captured.length).toBeGreaterThan(10);
    for (const each of captured) {
      const result = await handler(invocation(each.path, each), context());
      expect(result.statusCode).toBeLessThan(300);
    }
  });

  it('from the router: 90,000 arbitrary requests', async () => {
    await fc.assert(
      fc.asyncProperty(request, method, async (parts, verb) => {
        const event: NexusInvocation = invocation(parts.path, { ...parts, method: verb });
        expectNexusAnswer(await handler(event, context()));
      }),
      { numRuns: 90_000 },
    );
  }, 240_000);

  it('from a gateway: 10,000 arbitrary requests', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ path: below, query, headers, body }) => {
        const event = { ...httpEvent(`/nexus/endpoints/shop/services${below}`, { headers }), rawQueryString: query };
        expectNexusAnswer(
          await handler({ ...event, body: Buffer.from(body).toString('base64'), isBase64Encoded: true }, context()),
        );
      }),
      { numRuns: 10_000 },
    );
  }, 120_000);
});

describe('a hostile request gets the Nexus error that says why', () => {
  const hostile: [string, Parameters<typeof invocation>, number, RegExp][] = [
    [
      'a body of 2 MiB and one byte',
      [
        '/payments.v1/charge',
        { body: new Uint8Array(2 * 1024 * 1024 + 1), headers: { 'content-type': 'application/octet-stream' } },
      ],
      400,
      /2097152/,
    ],
    ['100 KB of headers', ['/payments.v1/charge', { headers: { 'x-large': 'x'.repeat(100 * 1024) } }], 400, /header/],
    [
      'bad UTF-8 in JSON',
      [
        '/payments.v1/charge',
        { body: new Uint8Array([0x22, 0xff, 0x22]), headers: { 'content-type': 'application/json' } },
      ],
      400,
      /UTF-8/,
    ],
    ['bad UTF-8 in a name', ['/payments.v1/%ff', {}], 400, /UTF-8|percent/],
    ['../ in a path', ['/../../payments.v1/charge', {}], 404, /./],
    ['an escaped slash in a name', ['/payments.v1%2Fcharge', {}], 404, /./],
    [
      'a header injected through a token',
      ['/payments.v1/store/cancel', { query: 'token=a%0d%0aset-cookie:x' }],
      400,
      /token/,
    ],
    [
      'an unknown content type',
      ['/payments.v1/charge', { body: '<x/>', headers: { 'content-type': 'text/html' } }],
      400,
      /application\/json/,
    ],
    [
      'the content type that curl sends by itself',
      ['/payments.v1/charge', { body: '{}', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
      400,
      /--json/,
    ],
    [
      'a compressed body',
      ['/payments.v1/charge', { body: '{}', headers: { 'content-encoding': 'gzip' } }],
      400,
      /encoding/i,
    ],
    [
      'a malformed timeout',
      ['/payments.v1/charge', { body: '{}', headers: { 'request-timeout': 'soon' } }],
      400,
      /request-timeout/i,
    ],
    ['broken JSON', ['/payments.v1/charge', { body: '{"a":' }], 400, /JSON/],
    ['GET', ['/payments.v1/charge', { method: 'GET' }], 400, /POST/],
  ];

  it.each(hostile)('%s', async (_what, [path_, parts], status, message) => {
    const result = await handler(invocation(path_, parts), context());
    expect(result.statusCode).toBe(status);
    expect((JSON.parse(result.body) as { message: string }).message).toMatch(message);
    expect(result.body).not.toContain('/src/');
    expectNexusAnswer(result);
  });
});
