import {
  ApplicationFailure,
  CancelledFailure,
  DefaultFailureConverter,
  defaultDataConverter,
  type LoadedDataConverter,
  type Payload as SdkPayload,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/common';
import proto from '@temporalio/proto';
import { patchProtobufRoot } from '@temporalio/proto/lib/patch-protobuf-root.js';
import { decodePayload, handlerErrorToProto, operationErrorToProto } from '@temporalio/worker/lib/nexus/conversions.js';
import fc from 'fast-check';
import { HandlerError, OperationError } from 'nexus-rpc';
import type { Type } from 'protobufjs';
import { toJson } from 'protobufjs/ext/protojson.js';
import { describe, expect, it } from 'vitest';
import { plainConversion } from '../../src/handler/plain-conversion.ts';
import type { Payload } from '../../src/nexus/payload.ts';
import { sdkConversion } from '../../src/temporal/conversion.ts';
import { failureToJson } from '../../src/temporal/failure-json.ts';

const encoder = new TextEncoder();
const payload = (encoding: string, data: string): Payload => ({
  metadata: { encoding: encoder.encode(encoding) },
  data: encoder.encode(data),
});

const withCodec = (decode: (payloads: SdkPayload[]) => Promise<SdkPayload[]>): LoadedDataConverter => ({
  ...defaultDataConverter,
  payloadCodecs: [{ encode: async (payloads) => payloads, decode }],
});
const throwing = (error: unknown) =>
  withCodec(async () => {
    throw error;
  });

describe('operation input', () => {
  const inputs: [string, LoadedDataConverter, Payload][] = [
    ['JSON', defaultDataConverter, payload('json/plain', '{"a":1}')],
    ['nothing', defaultDataConverter, payload('binary/null', '')],
    ['bytes', defaultDataConverter, payload('binary/plain', 'abc')],
    ['broken JSON', defaultDataConverter, payload('json/plain', '{')],
    ['an encoding that no converter knows', defaultDataConverter, payload('odd/encoding', 'x')],
    ['a codec that fails', throwing(new Error('wrong key')), payload('json/plain', '1')],
    [
      'a codec that says the payload is invalid',
      throwing(ApplicationFailure.nonRetryable('invalid', 'PayloadValidationError')),
      payload('json/plain', '1'),
    ],
    [
      'a codec that throws a HandlerError',
      throwing(new HandlerError('UNAUTHORIZED', 'no key for you')),
      payload('json/plain', '1'),
    ],
  ];

  it.each(inputs)('is read as on a worker: %s', async (_what, dataConverter, input) => {
    const settle = (reading: Promise<unknown>) =>
      reading.then(
        (value) => ({ value }),
        (error: HandlerError) => ({
          name: error.constructor.name,
          type: error.type,
          message: error.message,
          retryable: error.retryable,
        }),
      );
    const ours = await settle(sdkConversion(dataConverter).decodeInput(input, undefined));
    expect(ours).toEqual(await settle(decodePayload(dataConverter, input)));
  });

  it('goes through the transfer type of its definition', async () => {
    const type = {
      transferTypeConverter: {
        fromTransferType: (value: unknown) => new Date(String(value)),
        toTransferType: (value: unknown) => (value as Date).toISOString(),
      },
    };
    for (const conversion of [plainConversion, sdkConversion(defaultDataConverter)]) {
      const encoded = await conversion.encodeOutput(new Date(0), type);
      expect(await conversion.decodeInput(encoded, type)).toEqual(new Date(0));
    }
  });
});

const errors: [string, Error][] = [
  [
    'a HandlerError with a cause',
    new HandlerError('CONFLICT', 'taken', { cause: new Error('row 7'), retryableOverride: true }),
  ],
  [
    'an ApplicationFailure with details',
    new HandlerError('INTERNAL', undefined, { cause: ApplicationFailure.nonRetryable('no', 'Type', { a: 1 }, null) }),
  ],
  [
    'a CancelledFailure with details',
    new HandlerError('INTERNAL', undefined, { cause: new CancelledFailure('stop', ['why']) }),
  ],
  [
    'a text as its cause',
    new HandlerError('INTERNAL', 'm', { cause: new Error('outer', { cause: new RangeError('inner') }) }),
  ],
];

/** The SDK cuts its own frames out of stacks; this host's are left in. */
const withoutStacks = (failure: unknown) =>
  JSON.parse(JSON.stringify(failure, (key, value) => (key === 'stackTrace' ? undefined : value)));

describe('errors', () => {
  it.each(errors)('are written as a worker writes them: %s', async (_what, error) => {
    const theirs = failureToJson(await handlerErrorToProto(defaultDataConverter, error as HandlerError));
    expect(await sdkConversion(defaultDataConverter).encodeError(error)).toEqual(theirs);
  });

  it.each(errors)('are written the same without the SDK: %s', async (_what, error) => {
    const plain = withoutStacks(await plainConversion.encodeError(error));
    expect(plain).toEqual(withoutStacks(await sdkConversion(defaultDataConverter).encodeError(error)));
  });

  it.each(['failed', 'canceled'] as const)('an OperationError %s is what Temporal knows it as', async (state) => {
    const error = new OperationError(state, 'over', { cause: ApplicationFailure.retryable('inner', 'T', 1) });
    const theirs = failureToJson(await operationErrorToProto(defaultDataConverter, error));
    expect(await sdkConversion(defaultDataConverter).encodeError(error)).toEqual(theirs);
    expect(withoutStacks(await plainConversion.encodeError(error))).toEqual(withoutStacks(theirs));
  });

  it('an error that is its own cause ends', async () => {
    const error = new Error('loop');
    error.cause = error;
    expect(await plainConversion.encodeError(error)).toMatchObject({ message: 'loop', cause: { message: 'loop' } });
  });

  it('have their messages and stacks encrypted where the failure converter says so', async () => {
    const dataConverter = {
      ...defaultDataConverter,
      failureConverter: new DefaultFailureConverter({ encodeCommonAttributes: true }),
    };
    const failure = await sdkConversion(dataConverter).encodeError(new HandlerError('INTERNAL', 'secret'));
    expect(failure).toMatchObject({
      message: 'Encoded failure',
      encodedAttributes: { metadata: { encoding: expect.any(String) } },
    });
    expect(JSON.stringify(failure)).not.toContain('secret');
  });
});

describe('a failure as JSON', () => {
  const type = (patchProtobufRoot(proto as never) as unknown as { lookupType(name: string): Type }).lookupType(
    'temporal.api.failure.v1.Failure',
  );
  const { Failure } = proto.temporal.api.failure.v1;

  it('is what protobufjs makes of it as protojson', () => {
    const details = fc
      .uint8Array({ maxLength: 20 })
      .map((data) => ({ payloads: [{ metadata: { encoding: encoder.encode('binary/plain') }, data }] }));
    const info = fc.oneof(
      fc.record({
        applicationFailureInfo: fc.record({
          type: fc.string(),
          nonRetryable: fc.boolean(),
          details,
          nextRetryDelay: fc.record({ seconds: fc.nat(), nanos: fc.nat(999_999_999) }),
        }),
      }),
      fc.record({ canceledFailureInfo: fc.record({ details }) }),
      fc.record({
        timeoutFailureInfo: fc.record({ timeoutType: fc.integer({ min: 1, max: 4 }), lastHeartbeatDetails: details }),
      }),
      fc.constant({ terminatedFailureInfo: {} }),
      fc.record({
        nexusOperationExecutionFailureInfo: fc.record({
          scheduledEventId: fc.nat(),
          endpoint: fc.string(),
          operationToken: fc.string(),
        }),
      }),
    );
    const failure = fc
      .array(fc.tuple(fc.string(), fc.string(), info), { minLength: 1, maxLength: 4 })
      .map((chain) =>
        chain.reduceRight<object | undefined>(
          (cause, [message, stackTrace, more]) => ({ message, stackTrace, ...more, ...(cause && { cause }) }),
          undefined,
        ),
      );
    fc.assert(
      fc.property(failure, (message) => {
        const expected = toJson(type, Failure.fromObject(message as object)) as object;
        expect(normal(failureToJson(message as never))).toEqual(normal(expected));
      }),
    );
  });

  it('keeps what other failures of the SDK say', async () => {
    const cause = new TimeoutFailure('late', undefined, 'SCHEDULE_TO_CLOSE');
    const failure = await sdkConversion(defaultDataConverter).encodeError(new TerminatedFailure('ended', cause));
    expect(failure).toMatchObject({
      terminatedFailureInfo: {},
      cause: { timeoutFailureInfo: { timeoutType: 'TIMEOUT_TYPE_SCHEDULE_TO_CLOSE' } },
    });
  });

  /** protojson leaves out what has its default value, and writes a Duration's fraction in 0, 3, 6 or 9 digits. */
  function normal(value: unknown): unknown {
    return JSON.parse(
      JSON.stringify(value, (key, member) => {
        if (member === '' || member === false || member === '0') return undefined;
        return key === 'nextRetryDelay' ? Number.parseFloat(member) : member;
      }),
    );
  }
});
