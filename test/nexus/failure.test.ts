import { describe, expect, it } from 'vitest';
import {
  type Failure,
  fromNexusFailure,
  MAX_FAILURE_DEPTH,
  parseFailure,
  toNexusFailure,
} from '../../src/nexus/failure.ts';
import { asCanceled, toOldNexusFailure } from '../../src/nexus/old-failure.ts';
import type { ProtoFailure } from '../../src/nexus/proto-failure.ts';

const declined: ProtoFailure = {
  message: 'declined',
  source: 'TypeScriptSDK',
  stackTrace: 'at charge',
  applicationFailureInfo: {
    type: 'CardDeclined',
    nonRetryable: true,
    details: { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'NTE=' }] },
  },
  cause: { message: 'socket closed', stackTrace: 'at net' },
};
const base64url = (text: string) => Buffer.from(text).toString('base64url');

describe('the new form', () => {
  it('keeps message, stack trace and cause beside the details of a Temporal failure', () => {
    expect(toNexusFailure(declined)).toEqual({
      message: 'declined',
      stackTrace: 'at charge',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: { source: 'TypeScriptSDK', applicationFailureInfo: declined.applicationFailureInfo },
      cause: {
        message: 'socket closed',
        stackTrace: 'at net',
        metadata: { type: 'temporal.api.failure.v1.Failure' },
        details: {},
      },
    });
  });

  it.each([
    [undefined, {}],
    ['NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_UNSPECIFIED', {}],
    ['NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE', { retryableOverride: true }],
    ['NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE', { retryableOverride: false }],
  ] as const)('types a HandlerError, whose retry behaviour is %s', (retryBehavior, override) => {
    const info = { type: 'CONFLICT', ...(retryBehavior && { retryBehavior }) };
    expect(toNexusFailure({ message: 'taken', nexusHandlerFailureInfo: info })).toEqual({
      message: 'taken',
      metadata: { type: 'nexus.HandlerError' },
      details: { type: 'CONFLICT', ...override },
    });
  });

  it('carries the encrypted attributes of a HandlerError in base64url', () => {
    const encodedAttributes = { metadata: { encoding: 'YmluYXJ5L2VuY3J5cHRlZA==' }, data: '//8+' };
    const failure: ProtoFailure = {
      message: 'Encoded failure',
      nexusHandlerFailureInfo: { type: 'INTERNAL' },
      encodedAttributes,
    };
    expect(toNexusFailure(failure).details).toEqual({
      type: 'INTERNAL',
      encodedAttributes: base64url(JSON.stringify(encodedAttributes)),
    });
    expect(fromNexusFailure(toNexusFailure(failure))).toEqual(failure);
  });
});

describe('the old form', () => {
  it('has stack traces and causes inside the details, for servers that look nowhere else', () => {
    expect(toOldNexusFailure(declined)).toEqual({
      message: 'declined',
      stackTrace: 'at charge',
      metadata: { type: 'temporal.api.failure.v1.Failure' },
      details: {
        source: 'TypeScriptSDK',
        stackTrace: 'at charge',
        applicationFailureInfo: declined.applicationFailureInfo,
        cause: declined.cause,
      },
    });
  });

  it('leaves out every field that server 1.29 would refuse the failure for', () => {
    const future = {
      message: 'm',
      tomorrow: 1,
      encodedAttributes: { data: 'eA==', externalPayloads: [{ sizeBytes: '1' }] },
      applicationFailureInfo: {
        type: 'T',
        tomorrow: 1,
        details: { payloads: [{ data: 'eA==', externalPayloads: [] }], tomorrow: 1 },
      },
      cause: { message: 'c', canceledFailureInfo: { identity: 'w' }, tomorrow: { cause: 1 }, constructor: 1 },
    } as unknown as ProtoFailure;
    expect(toOldNexusFailure(future).details).toEqual({
      encodedAttributes: { data: 'eA==' },
      applicationFailureInfo: { type: 'T', details: { payloads: [{ data: 'eA==' }] } },
      cause: { message: 'c', canceledFailureInfo: {} },
    });
  });

  it('makes a CanceledFailure of any failure of a canceled operation, with its cause', () => {
    expect(asCanceled(declined)).toEqual({
      message: 'declined',
      source: 'TypeScriptSDK',
      stackTrace: 'at charge',
      canceledFailureInfo: {},
      cause: declined.cause,
    });
    const canceled = { message: 'm', canceledFailureInfo: { details: { payloads: [] } } };
    expect(asCanceled(canceled)).toBe(canceled);
  });
});

describe('fromNexusFailure', () => {
  it.each<[string, Failure, ProtoFailure]>([
    ['a plain failure', { message: 'm' }, { message: 'm' }],
    [
      'a plain failure with stack trace and cause',
      { message: 'm', stackTrace: 's', cause: { message: 'c' } },
      { message: 'm', stackTrace: 's', cause: { message: 'c' } },
    ],
    [
      'an old Temporal failure, whose stack trace and cause are in its details',
      {
        message: 'm',
        metadata: { type: 'temporal.api.failure.v1.Failure' },
        details: { message: 'ignored', stackTrace: 's', cause: { message: 'c' }, serverFailureInfo: {} },
      },
      { message: 'm', stackTrace: 's', cause: { message: 'c' }, serverFailureInfo: {} },
    ],
    [
      'a Temporal failure whose cause is inside and outside',
      {
        message: 'm',
        metadata: { type: 'temporal.api.failure.v1.Failure' },
        details: { cause: { message: 'inside' } },
        cause: { message: 'outside' },
      },
      { message: 'm', cause: { message: 'outside' } },
    ],
    [
      'an OperationError that failed',
      { message: 'm', metadata: { type: 'nexus.OperationError' }, details: { state: 'failed' } },
      { message: 'm', applicationFailureInfo: { type: 'OperationError', nonRetryable: true } },
    ],
    [
      'an OperationError that was canceled',
      { message: 'm', metadata: { type: 'nexus.OperationError' }, details: { state: 'canceled' } },
      { message: 'm', canceledFailureInfo: {} },
    ],
    [
      'an OperationError that only wraps its cause',
      {
        message: 'operation error',
        metadata: { type: 'nexus.OperationError', 'unwrap-error': 'true' },
        details: { state: 'failed' },
        cause: { message: 'c' },
      },
      { message: 'c' },
    ],
    [
      'a HandlerError without a retry behaviour',
      { message: 'm', metadata: { type: 'nexus.HandlerError' }, details: { type: 'NOT_FOUND' } },
      { message: 'm', nexusHandlerFailureInfo: { type: 'NOT_FOUND' } },
    ],
    [
      'a HandlerError without a type',
      { message: 'm', metadata: { type: 'nexus.HandlerError' } },
      { message: 'm', nexusHandlerFailureInfo: { type: '' } },
    ],
  ])('reads %s', (_, failure, expected) => {
    expect(fromNexusFailure(failure)).toEqual(expected);
  });

  it.each<Failure>([
    { message: 'm', metadata: { type: 'acme.Error' } },
    { message: 'm', details: { code: 51 } },
    { message: 'm', metadata: { k: 'v' }, details: { code: 51 }, cause: { message: 'c' } },
  ])('keeps a failure of a kind that Temporal does not know as the details of an ApplicationFailure', (failure) => {
    const { message, applicationFailureInfo: info } = fromNexusFailure(failure);
    const { message: _, ...rest } = failure;
    const [payload] = info?.details?.payloads ?? [];
    expect(message).toBe('m');
    expect(info?.type).toBe('NexusFailure');
    expect(payload?.metadata).toEqual({ encoding: 'anNvbi9wbGFpbg==' });
    expect(JSON.parse(Buffer.from(payload?.data ?? '', 'base64').toString())).toEqual(rest);
  });

  it('has no details for a failure whose metadata is empty', () => {
    expect(fromNexusFailure({ message: 'm', metadata: {} }).applicationFailureInfo).toEqual({ type: 'NexusFailure' });
  });

  it.each([
    [
      'details that are no object',
      { message: 'm', metadata: { type: 'temporal.api.failure.v1.Failure' }, details: 'x' },
    ],
    ['attributes that are no base64', handlerError('***')],
    ['attributes of an impossible length', handlerError('a')],
    ['attributes that are no JSON', handlerError(base64url('{'))],
    ['attributes that are no object', handlerError(base64url('[]'))],
  ])('fails when given %s', (_, failure) => {
    expect(() => fromNexusFailure(failure as unknown as Failure)).toThrow(TypeError);
  });
});

describe('parseFailure', () => {
  it('drops what is no part of a failure, and what is null', () => {
    const value = { message: 'm', stackTrace: null, metadata: null, details: null, cause: { message: null, extra: 1 } };
    expect(parseFailure(value)).toEqual({ message: 'm', cause: { message: '' } });
  });

  it.each([
    [null, 'failure must be an object; it is null'],
    [[], 'failure must be an object; it is an array'],
    ['m', 'failure must be an object; it is a string'],
    [{ message: 1 }, 'failure.message must be a string; it is a number'],
    [{ stackTrace: {} }, 'failure.stackTrace must be a string; it is a object'],
    [{ metadata: 'x' }, 'failure.metadata must be an object; it is a string'],
    [{ metadata: { type: 1 } }, 'failure.metadata.type must be a string; it is a number'],
    [{ cause: { cause: [] } }, 'failure.cause.cause must be an object; it is an array'],
  ])('fails when given %j', (value, message) => {
    expect(() => parseFailure(value)).toThrow(new TypeError(message));
  });

  it.each(['cause', 'details'])('fails when the %s nests without end', (member) => {
    let deep: Record<string, unknown> = { message: 'm' };
    for (let level = 0; level < 100_000; level++) deep = { [member]: deep };
    expect(() => parseFailure(deep)).toThrow(/deeper than 500 levels/);
  });

  it('takes causes up to its limit, and converts them', () => {
    let deep: Failure = { message: 'root' };
    for (let level = 0; level < MAX_FAILURE_DEPTH - 1; level++) deep = { message: 'm', cause: deep };
    expect(JSON.stringify(toNexusFailure(fromNexusFailure(parseFailure(deep))))).toContain('root');
  });
});

function handlerError(encodedAttributes: string): Failure {
  return { message: 'm', metadata: { type: 'nexus.HandlerError' }, details: { encodedAttributes } };
}
