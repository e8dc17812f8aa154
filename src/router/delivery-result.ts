import { HandlerError } from 'nexus-rpc';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { parseStartResponse } from '../nexus/parse-response.ts';
import { InvokeError, type InvokeErrorReason } from './errors.ts';
import type { DeliveryResult } from './gate.ts';

/** In less time a handler cannot be asked to answer: that it did not is its caller's doing. */
export const SHORTEST_JUDGED_MS = 1_000;

const SUCCEEDED: DeliveryResult = { kind: 'succeeded' };
const UNJUDGED: DeliveryResult = { kind: 'unjudged' };

/**
 * What an answer of a handler says about the handler, or the error where it gave none.
 *
 * Failed: a retryable HandlerError, RESOURCE_EXHAUSTED among them; no answer, or none of Nexus. Succeeded: all else that it
 * answered, an OperationError and what its caller got wrong included. Unjudged: it gave back more than Lambda passes on, or
 * had less than a second, and did not answer in it. Not reached: there is none, it had no capacity, or was to be given more
 * than Lambda passes on.
 *
 * @param waitMs milliseconds that it was given
 */
export function deliveryResultOf(answer: NexusHttpResponse | InvokeError, waitMs: number): DeliveryResult {
  return answer instanceof InvokeError ? resultOfError(answer, waitMs) : resultOfResponse(answer, waitMs);
}

function resultOfError({ reason, message }: InvokeError, waitMs: number): DeliveryResult {
  if (reason === 'timeout' && waitMs < SHORTEST_JUDGED_MS) return UNJUDGED;
  return KIND[reason] === 'failed' ? { kind: 'failed', message } : { kind: KIND[reason] };
}

const KIND: Readonly<Record<InvokeErrorReason, Exclude<DeliveryResult['kind'], 'succeeded'>>> = {
  crashed: 'failed',
  module: 'failed',
  timeout: 'failed',
  'bad-answer': 'failed',
  unreachable: 'failed',
  'too-large': 'unjudged',
  'no-handler': 'not-reached',
  'request-too-large': 'not-reached',
  throttled: 'not-reached',
};

function resultOfResponse(response: NexusHttpResponse, waitMs: number): DeliveryResult {
  if (response.status < 300) return SUCCEEDED; // not parsed: its body may have megabytes
  try {
    parseStartResponse(response);
  } catch (error) {
    if (error instanceof HandlerError && error.retryable) {
      const isLate = error.type === 'REQUEST_TIMEOUT' || error.type === 'UPSTREAM_TIMEOUT';
      if (isLate && waitMs < SHORTEST_JUDGED_MS) return UNJUDGED;
      return { kind: 'failed', message: `${error.type}: ${error.message}` };
    }
  }
  return SUCCEEDED;
}
