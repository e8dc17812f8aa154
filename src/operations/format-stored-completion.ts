import { type CompletionRequest, formatCompletion } from '../nexus/completion.ts';
import type { OperationRecord } from './record.ts';
import { fromStoredLink, fromStoredPayload } from './stored-payload.ts';

/**
 * The completion of an operation that has ended, as it goes to its callback.
 *
 * @throws TypeError for an operation that has no outcome or no callback, and for an outcome that HTTP cannot carry.
 */
export function formatStoredCompletion(record: OperationRecord): CompletionRequest {
  const { token, callback, outcome, acceptedAt } = record;
  if (outcome === undefined) throw new TypeError(`the operation has no outcome yet: it is ${record.state}`);
  if (callback === undefined) throw new TypeError('the operation has no callback: its caller polls');
  const envelope = {
    token,
    startTime: new Date(acceptedAt),
    closeTime: new Date(outcome.at),
    links: outcome.links.map(fromStoredLink),
    callbackHeaders: callback.headers,
  };
  return formatCompletion(
    outcome.state === 'succeeded'
      ? { ...envelope, state: outcome.state, payload: fromStoredPayload(outcome.payload) }
      : { ...envelope, state: outcome.state, failure: outcome.failure },
  );
}
