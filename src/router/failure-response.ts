import type { HandlerErrorType } from 'nexus-rpc';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { formatFailureResponse } from '../nexus/response.ts';
import type { InvokeError, InvokeErrorReason } from './errors.ts';
import type { Refused } from './gate.ts';

type Headers = Pick<NexusHttpRequest, 'headers'>;

/** A failure of the router's own, in the form that this caller reads. */
export function failureResponse(
  type: HandlerErrorType,
  message: string,
  request: Headers,
  info: typeof FINAL | Record<never, never> = {},
): NexusHttpResponse {
  return formatFailureResponse(
    { message, nexusHandlerFailureInfo: { type, ...info } },
    { failureSupport: request.headers['temporal-nexus-failure-support'] === 'true' },
  );
}

const FINAL = { retryBehavior: 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE' } as const;

/** What a caller is told whose handler gave no answer. */
export function invokeFailure({ reason, message }: InvokeError, request: Headers): NexusHttpResponse {
  const response = failureResponse(TYPE_OF_REASON[reason], message, request, isTooLarge(reason) ? FINAL : {});
  return reason === 'throttled' ? after(THROTTLE_MS, response) : response;
}

function isTooLarge(reason: InvokeErrorReason): boolean {
  return reason === 'too-large' || reason === 'request-too-large';
}

/** Milliseconds after which a handler without capacity may be asked again; a caller with a backoff of its own has the say. */
export const THROTTLE_MS = 1_000;

/** Types that a caller tries again, but for what is too large: a new version of the handler may be on its way. */
const TYPE_OF_REASON: Record<InvokeErrorReason, HandlerErrorType> = {
  'no-handler': 'UNAVAILABLE',
  crashed: 'UNAVAILABLE',
  module: 'UNAVAILABLE',
  timeout: 'UPSTREAM_TIMEOUT',
  'bad-answer': 'INTERNAL',
  'too-large': 'INTERNAL',
  'request-too-large': 'INTERNAL',
  throttled: 'RESOURCE_EXHAUSTED',
  unreachable: 'UNAVAILABLE',
};

/** What a caller is told whose request is not let through: a limit is its own (429), an open circuit is the service's (503). */
export function refusal({ reason, message, retryAfterMs }: Refused, request: Headers): NexusHttpResponse {
  const isLimit = reason === 'rate' || reason === 'concurrency' || reason === 'throttled';
  return after(retryAfterMs, failureResponse(isLimit ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE', message, request));
}

/** `Retry-After` takes whole seconds (RFC 9110); 0 would ask for a retry at once. */
function after(ms: number, response: NexusHttpResponse): NexusHttpResponse {
  return { ...response, headers: { ...response.headers, 'retry-after': String(Math.max(1, Math.ceil(ms / 1_000))) } };
}
