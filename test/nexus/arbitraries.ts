import fc from 'fast-check';
import type { Link } from 'nexus-rpc';
import type { Completion } from '../../src/nexus/completion.ts';
import type { Payload } from '../../src/nexus/payload.ts';
import type { JsonPayload, ProtoFailure } from '../../src/nexus/proto-failure.ts';
import type { CancelRequest, StartRequest } from '../../src/nexus/request.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const wellFormed = (constraints: { minLength?: number; maxLength?: number }) =>
  fc.string({ unit: 'binary', ...constraints });

/** Keys of an object that are also members of every object. */
const TRAPS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

const printable = (constraints: { minLength?: number; maxLength?: number }) =>
  fc.string({ unit: 'grapheme-ascii', ...constraints }).filter((text) => text === text.trim());

export const name = fc.oneof(
  { weight: 3, arbitrary: wellFormed({ minLength: 1, maxLength: 30 }).filter((text) => !/^\.\.?$/.test(text)) },
  fc.constantFrom('a/b', 'my svc/v1', '100%', '%2F', '../etc', 'cancel', 'ü', ...TRAPS),
);

export const token = printable({ minLength: 1, maxLength: 60 }).filter((text) => !/^\.\.?$/.test(text));

export const milliseconds = fc.integer({ min: 0, max: 2 ** 43 });

const segment = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_. %,;<>"ü?#&=+'), maxLength: 12 });

export const link: fc.Arbitrary<Link> = fc
  .record({
    base: fc.constantFrom('temporal:///namespaces/', 'https://example.com/', 'http://[::1]:8080/'),
    path: fc.array(segment, { maxLength: 4 }),
    query: fc.dictionary(segment, segment, { maxKeys: 3 }),
    type: fc.string({ unit: fc.constantFrom(...'abcXYZ019._/'), minLength: 1, maxLength: 40 }),
  })
  .map(({ base, path, query, type }) => ({
    url: new URL(`${base}${path.map(encodeURIComponent).join('/')}?${new URLSearchParams(query)}`),
    type,
  }));

const key = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 10 }),
  wellFormed({ maxLength: 6 }),
  fc.constantFrom(...TRAPS, 'encoding', 'messageType', 'type', 'length', 'language'),
);
const bytes = fc.uint8Array({ maxLength: 200 });
const metadata = (entries: fc.Arbitrary<[string, Uint8Array][]>) => entries.map((all) => Object.fromEntries(all));

/** Payloads of any metadata, and not only such as a converter makes. */
export const anyPayload: fc.Arbitrary<Payload> = fc.record({
  metadata: metadata(fc.array(fc.tuple(key, bytes), { maxLength: 4 })),
  data: bytes,
});

const encoded = (encoding: string, data: fc.Arbitrary<Uint8Array>, more: Record<string, string> = {}) =>
  data.map((content) => ({
    metadata: Object.fromEntries(Object.entries({ encoding, ...more }).map(([name, value]) => [name, utf8(value)])),
    data: content,
  }));
const json = fc.json().map(utf8);

/** Payloads of every encoding that Temporal knows a content for, and any others. */
export const payload: fc.Arbitrary<Payload> = fc.oneof(
  encoded('json/plain', json),
  encoded('json/protobuf', json, { messageType: 'acme.v1.Order' }),
  encoded('binary/protobuf', bytes, { messageType: 'acme.v1.Order' }),
  encoded('binary/plain', bytes),
  encoded('binary/null', fc.constant(new Uint8Array())),
  encoded('binary/null', bytes),
  encoded('binary/encrypted', bytes, { 'encryption-key-id': 'k1' }),
  encoded('json/plain', json, { extra: 'x' }),
  encoded('json/protobuf', json, { messageType: 'odd "name"' }),
  encoded('unknown/nexus-content', bytes, { type: 'text/html', language: 'en' }),
  encoded('unknown/nexus-content', bytes, { type: 'application/json' }),
  encoded('unknown/nexus-content', bytes, { length: '3' }),
  encoded('unknown/nexus-content', bytes, { type: 'text/html\r\nx-injected: 1' }),
  anyPayload,
);

const headerName = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abcxyz019-_.'), minLength: 1, maxLength: 12 }).map((text) => `x-${text}`),
  fc.constantFrom(...TRAPS.map((trap) => trap.toLowerCase())),
);
const headerValue = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 30 })
  .filter((text) => text === text.trim() && !text.includes('\x7f'));

export const headers = fc.array(fc.tuple(headerName, headerValue), { maxLength: 4 }).map(Object.fromEntries<string>);

const common = {
  service: name,
  operation: name,
  requestTimeoutMs: fc.option(milliseconds, { nil: undefined }),
  headers,
  failureSupport: fc.boolean(),
};

export const startRequest: fc.Arbitrary<StartRequest> = fc.record({
  kind: fc.constant('start' as const),
  ...common,
  requestId: fc.option(printable({ minLength: 1, maxLength: 40 }), { nil: undefined }),
  callbackUrl: fc.option(fc.oneof(fc.webUrl({ withQueryParameters: true }), fc.constant('temporal://system')), {
    nil: undefined,
  }),
  callbackHeaders: headers,
  links: fc.array(link, { maxLength: 3 }),
  // A caller that is not Temporal may not send what Temporal could not read itself.
  payload: payload.filter(
    ({ metadata: { encoding } }) => !encoding || !/^unknown/.test(String.fromCharCode(...encoding)),
  ),
  operationTimeoutMs: fc.option(milliseconds, { nil: undefined }),
});

export const cancelRequest: fc.Arbitrary<CancelRequest> = fc.record({
  kind: fc.constant('cancel' as const),
  ...common,
  token,
});

const base64 = bytes.map((all) => Buffer.from(all).toString('base64'));
const jsonPayload: fc.Arbitrary<JsonPayload> = fc.record({
  metadata: fc.constant({ encoding: 'anNvbi9wbGFpbg==' }),
  data: base64,
});
const payloads = fc.record({ payloads: fc.array(jsonPayload, { maxLength: 2 }) });
const text = wellFormed({ maxLength: 30 });

const info = fc.oneof(
  fc.constant({}),
  fc.record({
    applicationFailureInfo: fc.record(
      { type: text, nonRetryable: fc.boolean(), details: payloads, nextRetryDelay: fc.constant('3s') },
      { requiredKeys: [] },
    ),
  }),
  fc.record({ canceledFailureInfo: fc.record({ details: payloads }, { requiredKeys: [] }) }),
  fc.constant({ timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_START_TO_CLOSE' } }),
  fc.constant({ terminatedFailureInfo: {} }),
  fc.constant({ serverFailureInfo: { nonRetryable: true } }),
  fc.constant({ activityFailureInfo: { scheduledEventId: '5', activityType: { name: 'pay' }, activityId: '1' } }),
  fc.constant({ childWorkflowExecutionFailureInfo: { workflowExecution: { workflowId: 'w', runId: 'r' } } }),
  fc.constant({ nexusOperationExecutionFailureInfo: { endpoint: 'e', service: 's', operation: 'o' } }),
  fc.record({
    nexusHandlerFailureInfo: fc.record(
      {
        type: fc.constantFrom('BAD_REQUEST', 'INTERNAL', 'CONFLICT', 'FUTURE_TYPE'),
        retryBehavior: fc.constantFrom(
          'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE',
          'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE',
        ),
      },
      { requiredKeys: ['type'] },
    ),
  }),
);

/** Temporal failures with causes, as protojson of an API that every server knows; messages are always present. */
export const protoFailure: fc.Arbitrary<ProtoFailure> = fc.letrec<{ failure: ProtoFailure }>((tie) => ({
  failure: fc
    .tuple(
      fc.record(
        {
          message: text,
          stackTrace: wellFormed({ minLength: 1, maxLength: 40 }),
          encodedAttributes: jsonPayload,
          cause: fc.option(tie('failure'), { maxDepth: 3, nil: undefined }),
        },
        { requiredKeys: ['message'] },
      ),
      info,
    )
    .map(([{ cause, ...own }, one]) => ({ ...own, ...one, ...(cause && { cause }) }) as ProtoFailure),
})).failure;

const date = (unitMs: number) =>
  fc
    .integer({ min: -30_000_000_000, max: 253_000_000_000 })
    .map((seconds) => new Date(seconds * 1000 + (unitMs === 1 ? 123 : 0)));

const envelope = {
  token: fc.option(token, { nil: undefined }),
  startTime: fc.option(date(1000), { nil: undefined }),
  closeTime: fc.option(date(1), { nil: undefined }),
  links: fc.array(link, { maxLength: 2 }),
  callbackHeaders: headers,
};

export const completion: fc.Arbitrary<Completion> = fc.oneof(
  fc.record({ state: fc.constant('succeeded' as const), payload, ...envelope }),
  fc.record({ state: fc.constant('failed' as const), failure: protoFailure, ...envelope }),
  fc.record({
    state: fc.constant('canceled' as const),
    failure: text.map((message): ProtoFailure => ({ message, canceledFailureInfo: {} })),
    ...envelope,
  }),
);
