import { HandlerError } from 'nexus-rpc';
import { innermostMessage } from '../nexus/innermost-message.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { parseCancelResponse } from '../nexus/parse-response.ts';
import { STATUS_OPERATION_UNSUCCESSFUL } from '../nexus/status.ts';
import type { InvokeError } from './errors.ts';
import type { DeliveryResult } from './gate.ts';

/** What an answer says about its handler. A retryable HandlerError is one of it, or of what it calls, that does not work. */
export function resultOfResponse(response: NexusHttpResponse): DeliveryResult {
  // An OperationError is an operation's own end, and says that the handler works.
  if (response.status < 300 || response.status === STATUS_OPERATION_UNSUCCESSFUL) return { kind: 'succeeded' };
  try {
    parseCancelResponse(response);
  } catch (error) {
    // What is no Nexus answer is an error of type UNKNOWN, which is retryable.
    if (!(error instanceof HandlerError) || error.retryable) {
      return { kind: 'failed', message: innermostMessage(error) ?? String(error) };
    }
  }
  return { kind: 'succeeded' };
}

/** What it says about a handler that it gave no answer. */
export function resultOfError({ reason, message }: InvokeError): DeliveryResult {
  switch (reason) {
    // Lambda's own limit, or ours: the function may be well.
    case 'throttled':
      return { kind: 'unjudged' };
    // Another call may be answered with less.
    case 'too-large':
      return { kind: 'succeeded' };
    default:
      return { kind: 'failed', message };
  }
}
