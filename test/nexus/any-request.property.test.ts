import fc from 'fast-check';
import { HandlerError } from 'nexus-rpc';
import { expect, it } from 'vitest';
import { formatRequest } from '../../src/nexus/format-request.ts';
import { formatLinks } from '../../src/nexus/links.ts';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { type CancelRequest, parseRequest, type StartRequest } from '../../src/nexus/request.ts';
import { formatFailureResponse } from '../../src/nexus/response.ts';
import { capturedRequests } from './captures.ts';

const HEADERS = [
  ...new Set(capturedRequests.flatMap(({ headers }) => Object.keys(headers))),
  'content-encoding',
  'nexus-callback-__proto__',
  '__proto__',
];
const DECODED = [{ name: 'payments.v1', operations: ['charge', 'odd name/1'] }];

const dirt = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '%',
    '%ff',
    '%2F',
    '../',
    '/',
    '/cancel',
    '\r\n',
    '\0',
    ',',
    ';',
    '"',
    '<',
    '>',
    '=',
    '&callback=',
    '?',
  ),
  fc.constantFrom(
    'text/html',
    'application/x-temporal-payload',
    'application/json; charset=utf-8',
    '-1s',
    '9'.repeat(30),
  ),
);

type Mutation = (request: NexusHttpRequest) => NexusHttpRequest;

const splice = (text: string, at: number, count: number, put: string) => {
  const start = at % (text.length + 1);
  return text.slice(0, start) + put + text.slice(start + count);
};
const position = fc.nat({ max: 2000 });
const count = fc.nat({ max: 5 });

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.constantFrom(...HEADERS).map(
    (name): Mutation =>
      ({ headers, ...rest }) => {
        const { [name]: _, ...kept } = headers;
        return { ...rest, headers: kept };
      },
  ),
  fc.constantFrom(...HEADERS).map(
    (name): Mutation =>
      ({ headers, ...rest }) => ({
        ...rest,
        headers: { ...headers, [name]: `${headers[name]}, ${headers[name]}` },
      }),
  ),
  fc.tuple(fc.constantFrom(...HEADERS), position, count, dirt).map(
    ([name, at, length, put]): Mutation =>
      ({ headers, ...rest }) => ({
        ...rest,
        headers: Object.fromEntries([
          ...Object.entries(headers),
          [name, splice(String(headers[name] ?? ''), at, length, put)],
        ]),
      }),
  ),
  fc.tuple(dirt, dirt).map(
    ([name, value]): Mutation =>
      ({ headers, ...rest }) => ({ ...rest, headers: Object.fromEntries([...Object.entries(headers), [name, value]]) }),
  ),
  fc.tuple(position, count, dirt).map(
    ([at, length, put]): Mutation =>
      (request) => ({ ...request, path: splice(request.path, at, length, put) }),
  ),
  fc.tuple(position, count, dirt).map(
    ([at, length, put]): Mutation =>
      (request) => ({ ...request, query: splice(request.query, at, length, put) }),
  ),
  fc.tuple(position, fc.uint8Array({ maxLength: 6 })).map(
    ([at, put]): Mutation =>
      ({ body, ...rest }) => ({
        ...rest,
        body: Uint8Array.from([...body.subarray(0, at % (body.length + 1)), ...put, ...body.subarray(at)]),
      }),
  ),
  fc.constantFrom('GET', 'OPTIONS', 'post', '').map(
    (method): Mutation =>
      (request) => ({ ...request, method }),
  ),
);

const mutated = fc
  .tuple(fc.constantFrom(...capturedRequests), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([capture, mutations]) => mutations.reduce<NexusHttpRequest>((request, mutate) => mutate(request), capture));

const invented: fc.Arbitrary<NexusHttpRequest> = fc.record({
  method: fc.constant('POST'),
  path: fc.array(dirt, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  query: fc.array(dirt, { maxLength: 3 }).map((parts) => parts.join('&')),
  headers: fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...HEADERS), dirt), dirt), { maxLength: 5 })
    .map((entries): Record<string, string> => Object.fromEntries(entries)),
  body: fc.uint8Array({ maxLength: 40 }),
});

const anyRequest = fc.oneof({ weight: 4, arbitrary: mutated }, { weight: 1, arbitrary: invented });

it('parses any of 100,000 requests, or fails with a HandlerError that has an answer: 400 or 404', () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(anyRequest, fc.boolean(), (request, decoded) => {
      let outcome: string;
      try {
        outcome = parseRequest(request, decoded ? { decodedPath: DECODED } : {}).kind;
      } catch (error) {
        if (!(error instanceof HandlerError)) throw error;
        outcome = error.type;
        const failure = { message: error.message, nexusHandlerFailureInfo: { type: error.type } };
        const { status } = formatFailureResponse(failure, { failureSupport: decoded });
        if (status !== 400 && status !== 404) throw error;
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns: 100_000 },
  );
  // Each way out was taken often enough for the number to mean something.
  expect([...outcomes.keys()].sort()).toEqual(['BAD_REQUEST', 'NOT_FOUND', 'cancel', 'start']);
  expect(Math.min(...outcomes.values())).toBeGreaterThan(500);
}, 180_000);

/** What parses, and has nothing that can be received but not sent. */
const sendable = mutated
  .map(parsedOrUndefined)
  .filter(
    (parsed): parsed is StartRequest | CancelRequest =>
      parsed !== undefined &&
      !Object.values(parsed.headers).some((value) => /[^\0-\xff]/.test(value)) &&
      ![parsed.service, parsed.operation].some((name) => name === '.' || name === '..') &&
      (parsed.requestTimeoutMs ?? 0) >= 0 &&
      (parsed.kind === 'cancel' || (parsed.operationTimeoutMs ?? 0) >= 0),
  );

function parsedOrUndefined(request: NexusHttpRequest): StartRequest | CancelRequest | undefined {
  try {
    return parseRequest(request);
  } catch {
    return undefined;
  }
}

/** Less what formatting writes in another way. */
function essence(request: StartRequest | CancelRequest) {
  return { ...request, headers: {}, links: request.kind === 'start' && formatLinks(request.links) };
}

it('formats whatever it parsed, to what parses the same', () => {
  fc.assert(
    fc.property(sendable, (parsed) => {
      expect(essence(parseRequest(formatRequest(parsed)))).toEqual(essence(parsed));
    }),
    { numRuns: 5000 },
  );
}, 60_000);
