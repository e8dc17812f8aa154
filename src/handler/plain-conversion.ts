import { HandlerError, type TypeInfo } from 'nexus-rpc';
import type { Payload } from '../nexus/payload.ts';
import type { DataConversion } from './data-conversion.ts';
import { plainFailure } from './plain-failure.ts';

/** The conversion of services that use no Temporal SDK: the three encodings that every SDK reads without settings. */
export const plainConversion: DataConversion = {
  async decodeInput(payload, type) {
    return fromTransfer(decodeValue(payload), type);
  },
  async encodeOutput(value, type) {
    return encodeValue(type?.transferTypeConverter ? type.transferTypeConverter.toTransferType(value) : value);
  },
  async encodeError(error) {
    return plainFailure(error, encodeValue);
  },
};

function decodeValue(payload: Payload): unknown {
  const encoding = text(payload.metadata.encoding);
  switch (encoding) {
    case 'binary/null':
      return undefined;
    case 'binary/plain':
      return payload.data;
    case 'json/plain':
      try {
        return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload.data));
      } catch (cause) {
        throw new HandlerError('BAD_REQUEST', `the input is no JSON: ${(cause as Error).message}`, { stackTrace: '' });
      }
    default:
      throw new HandlerError(
        'BAD_REQUEST',
        `the input has encoding '${encoding ?? ''}'; this handler reads json/plain, binary/plain and binary/null. ` +
          "Others need the caller's data converter: createServiceHandler({ temporal: temporal({ dataConverter }) })",
        { stackTrace: '' },
      );
  }
}

function fromTransfer(value: unknown, type: TypeInfo | undefined): unknown {
  if (!type?.transferTypeConverter) return value;
  try {
    return type.transferTypeConverter.fromTransferType(value);
  } catch (cause) {
    if (cause instanceof HandlerError) throw cause;
    throw new HandlerError('BAD_REQUEST', 'the input does not convert to the type of the operation', { cause });
  }
}

function encodeValue(value: unknown): Payload {
  if (value === undefined) return payload('binary/null', new Uint8Array());
  if (value instanceof Uint8Array) return payload('binary/plain', value);
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined)
    throw new TypeError(`a ${typeof value} cannot be the result of an operation; return JSON, bytes or nothing`);
  return payload('json/plain', new TextEncoder().encode(json));
}

function payload(encoding: string, data: Uint8Array): Payload {
  return { metadata: { encoding: new TextEncoder().encode(encoding) }, data };
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
