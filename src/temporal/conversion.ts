import type { LoadedDataConverter } from '@temporalio/common';
import { ApplicationFailure, CancelledFailure, fromPayloadWithTypeInfo } from '@temporalio/common';
import {
  decodeOptionalSingle,
  encodeErrorToFailure,
  encodeToPayload,
} from '@temporalio/common/lib/internal-non-workflow/codec-helpers.js';
import { HandlerError, OperationError, type TypeInfo } from 'nexus-rpc';
import type { DataConversion } from '../handler/data-conversion.ts';
import type { Payload } from '../nexus/payload.ts';
import { failureToJson } from './failure-json.ts';

/** The conversion of a worker: payload codecs, payload converter and failure converter of the SDK. */
export function sdkConversion(dataConverter: LoadedDataConverter): DataConversion {
  return {
    decodeInput: (payload, type) => decodeInput(dataConverter, payload, type),
    async encodeOutput(value, type) {
      const { metadata, data } = await encodeToPayload(dataConverter, value, undefined, type as never);
      return { metadata: metadata ?? {}, data: data ?? new Uint8Array() };
    },
    async encodeError(error) {
      return failureToJson(await encodeErrorToFailure(dataConverter, inTemporalsTerms(error)));
    },
  };
}

async function decodeInput(
  dataConverter: LoadedDataConverter,
  payload: Payload,
  type: TypeInfo | undefined,
): Promise<unknown> {
  const decoded = await decodeOptionalSingle(dataConverter.payloadCodecs, payload).catch((error: unknown) => {
    throw inputError(error, 'INTERNAL', 'Payload codec failed to decode Nexus operation input');
  });
  if (decoded === null || decoded === undefined) return undefined;
  try {
    return fromPayloadWithTypeInfo(dataConverter.payloadConverter, decoded, undefined, type as never);
  } catch (error) {
    throw inputError(error, 'BAD_REQUEST', 'Payload converter failed to decode Nexus operation input');
  }
}

/** A converter that says what is wrong with the input is believed; any other failure has the type of its stage. */
function inputError(error: unknown, type: 'INTERNAL' | 'BAD_REQUEST', message: string): unknown {
  if (error instanceof ApplicationFailure) {
    const invalid = error.nonRetryable === true && error.type === 'PayloadValidationError';
    return invalid ? new HandlerError('BAD_REQUEST', 'Invalid operation input', { cause: error }) : error;
  }
  return error instanceof HandlerError ? error : new HandlerError(type, message, { cause: error });
}

/** Temporal knows no OperationError: a canceled operation is a CancelledFailure, a failed one a final ApplicationFailure. */
function inTemporalsTerms(error: unknown): unknown {
  if (!(error instanceof OperationError)) return error;
  const { state, message, cause, stack } = error;
  const failure =
    state === 'canceled'
      ? new CancelledFailure(message, undefined, cause)
      : ApplicationFailure.create({ message, type: 'OperationError', nonRetryable: true, cause });
  if (stack !== undefined) failure.stack = stack;
  return failure;
}
