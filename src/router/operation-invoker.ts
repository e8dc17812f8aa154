import { HandlerError } from 'nexus-rpc';
import type { Logger } from '../handler/logger.ts';
import { parseCancelResponse } from '../nexus/parse-response.ts';
import { attemptInvocation, cancelInvocation } from '../operations/accept-start.ts';
import { attemptResultOf } from '../operations/attempt-result.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { InvokeError } from './errors.ts';
import { toHttpResponse } from './lambda-result.ts';
import type { Clock, Endpoint, EndpointRegistry, Invoker } from './ports.ts';

export interface OperationInvokerDeps {
  readonly registry: Pick<EndpointRegistry, 'get'>;
  readonly invoker: Invoker;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Calls the handler of an operation that was accepted earlier. */
export interface OperationInvoker {
  /** Makes one attempt. Never rejects: where there was no answer, the attempt failed. */
  attempt(record: OperationRecord, canceled: AbortSignal): Promise<AttemptResult>;
  /** Cancels what the operation was handed over to. Rejects where it should be tried again. */
  cancel(record: OperationRecord, innerToken: string): Promise<void>;
}

/** The longest that a function on Lambda runs, and so an attempt here. */
export const LONGEST_ATTEMPT_MS = 900_000;

const CANCEL_TIMEOUT_MS = 10_000;

export function createOperationInvoker({ registry, invoker, clock, logger }: OperationInvokerDeps): OperationInvoker {
  /** An endpoint that was taken out since: its operations were accepted, and its module may still be there. */
  async function endpointOf({ endpoint: name, namespace, taskQueue }: OperationRecord): Promise<Endpoint> {
    const target = { namespace, taskQueue };
    return (await registry.get(name)) ?? { name, target, services: [], version: 0, createdAt: 0, lastModifiedAt: 0 };
  }

  return {
    async attempt(record, canceled) {
      const now = clock.now();
      const timeoutMs = Math.max(0, Math.min(LONGEST_ATTEMPT_MS, (record.expiresAt ?? Number.POSITIVE_INFINITY) - now));
      try {
        const invocation = attemptInvocation(record, { now, timeoutMs });
        const answer = await invoker.invoke(await endpointOf(record), invocation, timeoutMs, canceled);
        return attemptResultOf(toHttpResponse(answer), clock.now());
      } catch (error) {
        if (error instanceof InvokeError && error.reason === 'crashed') return { kind: 'crashed' };
        const message = error instanceof Error ? error.message : String(error);
        return { kind: 'failed', retryable: true, message, failure: { message } };
      }
    },

    async cancel(record, innerToken) {
      try {
        const invocation = cancelInvocation(record, innerToken, CANCEL_TIMEOUT_MS);
        const answer = await invoker.invoke(await endpointOf(record), invocation, CANCEL_TIMEOUT_MS);
        parseCancelResponse(toHttpResponse(answer));
      } catch (error) {
        // What cannot be canceled any more, or never could, is not tried again.
        if (!(error instanceof HandlerError) || error.retryable) throw error;
        logger.warn('a cancel was refused by the handler', { token: record.token, endpoint: record.endpoint, error });
      }
    },
  };
}
