import { HandlerError, OperationError } from 'nexus-rpc';
import { jsonPayload } from '../handler/plain-failure.ts';
import { type Failure, fromNexusFailure } from '../nexus/failure.ts';
import { innermostMessage } from '../nexus/innermost-message.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { parseStartResponse } from '../nexus/parse-response.ts';
import type { ProtoFailure } from '../nexus/proto-failure.ts';
import type { StoredLink } from './record.ts';
import type { AttemptResult } from './transitions.ts';

/** What a handler's answer to a start means for the operation. Never throws: an answer that is none is a failed attempt. */
export function attemptResultOf(response: NexusHttpResponse, at: number): AttemptResult {
  try {
    const started = parseStartResponse(response);
    const links = started.links.map(({ url, type }): StoredLink => ({ url: String(url), type }));
    if (started.kind === 'async') return { kind: 'handed-over', token: started.token, links };
    return { kind: 'ended', outcome: { state: 'succeeded', payload: jsonPayload(started.payload), links, at } };
  } catch (error) {
    const failure = failureOf(error);
    if (error instanceof OperationError) {
      return { kind: 'ended', outcome: { state: error.state, failure, links: [], at } };
    }
    const retryable = error instanceof HandlerError ? error.retryable : true;
    return { kind: 'failed', retryable, failure, message: messageOf(error) };
  }
}

/** The failure as it came over the wire: what the caller would have got of a direct start. */
function failureOf(error: unknown): ProtoFailure {
  const { originalFailure } = error as { originalFailure?: Failure };
  return originalFailure === undefined ? { message: messageOf(error) } : fromNexusFailure(originalFailure);
}

function messageOf(error: unknown): string {
  return innermostMessage(error) ?? String(error);
}
