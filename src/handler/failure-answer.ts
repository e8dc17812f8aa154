import { HandlerError, OperationError } from 'nexus-rpc';
import type { NexusHttpResponse } from '../nexus/message.ts';
import type { ProtoFailure } from '../nexus/proto-failure.ts';
import { MAX_BODY_BYTES } from '../nexus/request.ts';
import { formatFailureResponse, isTemporalCaller } from '../nexus/response.ts';
import type { LambdaRequest } from './lambda-event.ts';
import type { Logger } from './logger.ts';
import { plainConversion } from './plain-conversion.ts';
import type { TemporalSide } from './temporal-side.ts';

const MAX_MESSAGE_LENGTH = 1000;

/**
 * The answer for an error. Its words leave only through the user's data converter, which may be there to encrypt them;
 * where that fails, or takes longer than `withinMs`, a fixed text stands for them.
 */
export async function failureAnswer(
  error: HandlerError | OperationError,
  { request }: Pick<LambdaRequest, 'request'>,
  { temporal, logger }: { readonly temporal: TemporalSide | undefined; readonly logger: Logger },
  withinMs?: number,
): Promise<NexusHttpResponse> {
  const failureSupport = request.headers['temporal-nexus-failure-support'] === 'true';
  const temporalCaller = isTemporalCaller(request.headers);
  const format = (failure: ProtoFailure, operationState?: 'failed' | 'canceled') =>
    formatFailureResponse(failure, { failureSupport, temporalCaller, operationState, fromHandler: true });
  const conversion = temporal?.conversion ?? plainConversion;
  const encode = (what: Error) => within(withinMs, conversion.encodeError(what));
  const state = error instanceof OperationError ? error.state : undefined;
  try {
    const whole = format(await encode(error), state);
    if (whole.body.length <= MAX_BODY_BYTES) return whole;
    logger.warn(`a failure of ${whole.body.length} bytes was cut; an answer can have ${MAX_BODY_BYTES}`, { error });
    return format(await encode(cut(error)), state);
  } catch (cause) {
    // As on a worker: the fault of a codec passes, so the operation is not ended by it.
    logger.warn('the data converter failed on the error of an operation', { error, cause });
    const type = error instanceof HandlerError && error.type === 'UPSTREAM_TIMEOUT' ? error.type : 'INTERNAL';
    const replacement = new HandlerError(type, 'the data converter failed on the error of the operation', {
      stackTrace: '',
    });
    return format(await plainConversion.encodeError(replacement));
  }
}

/** A codec may ask a key service that does not answer; the caller is answered all the same. */
async function within<T>(ms: number | undefined, encoding: Promise<T>): Promise<T> {
  if (ms === undefined) return encoding;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than the ${Math.round(ms)} ms that were left`)), ms);
  });
  try {
    return await Promise.race([encoding, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is left of an error that is too large to be sent: the caller can still tell what it was. */
function cut(error: HandlerError | OperationError): Error {
  const message = `${error.message.slice(0, MAX_MESSAGE_LENGTH)} [cut, with its cause and details: more than ${MAX_BODY_BYTES} bytes]`;
  if (error instanceof OperationError) return new OperationError(error.state, message, { stackTrace: '' });
  const { type, retryableOverride } = error;
  return new HandlerError(type, message, { retryableOverride, stackTrace: '' });
}
