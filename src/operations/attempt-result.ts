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
    const message = innermostMessage(error) ?? String(error);
    const failure = failureOf(error, message);
    if (failure === undefined) return { kind: 'failed', retryable: true, message, failure: { message } };
    if (error instanceof OperationError) {
      return { kind: 'ended', outcome: { state: error.state, failure, links: [], at } };
    }
    const retryable = error instanceof HandlerError ? error.retryable : true;
    return { kind: 'failed', retryable, message, failure };
  }
}

/** As a direct caller would have got it; `undefined` where a caller could not read it. */
function failureOf(error: unknown, message: string): ProtoFailure | undefined {
  const { originalFailure } = error as { originalFailure?: Failure };
  if (originalFailure === undefined) return { message };
  try {
    return fromNexusFailure(originalFailure);
  } catch {
    return undefined;
  }
}
