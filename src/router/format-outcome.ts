import type { Gateway } from '../handler/invocation.ts';
import { HEADER } from '../nexus/headers.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { formatFailureResponse, formatStartResponse, isTemporalCaller } from '../nexus/response.ts';
import type { Outcome } from '../operations/record.ts';
import { fromStoredLink, fromStoredPayload } from '../operations/stored-payload.ts';

/** The outcome of an operation as a synchronous start would have answered it, for whoever sent this request. */
export function formatOutcome(
  outcome: Outcome,
  { headers }: Pick<NexusHttpRequest, 'headers'>,
  gateway: Gateway | undefined,
): NexusHttpResponse {
  if (outcome.state !== 'succeeded') {
    const failureSupport = headers[HEADER.failureSupport] === 'true';
    return formatFailureResponse(outcome.failure, { failureSupport, operationState: outcome.state });
  }
  // Every gateway adds a type to what has none.
  const emptyBodyAs = gateway === undefined ? 'nothing' : isTemporalCaller(headers) ? 'temporal-payload' : 'json-null';
  const links = outcome.links.map(fromStoredLink);
  return formatStartResponse({ kind: 'sync', payload: fromStoredPayload(outcome.payload), links }, { emptyBodyAs });
}
