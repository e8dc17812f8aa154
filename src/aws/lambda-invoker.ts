import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Logger } from '../handler/logger.ts';
import { InvokeError } from '../router/errors.ts';
import type { Endpoint, Invoker } from '../router/ports.ts';
import { type InvokeAnswer, invokeRequestError, neverRan, readInvokeAnswer } from './invoke-outcome.ts';

/** Invokes a function by its qualified ARN with a JSON payload. */
export type InvokeFunction = (functionArn: string, payload: string, signal: AbortSignal) => Promise<InvokeAnswer>;

export interface LambdaInvokerDeps {
  readonly invokeFunction: InvokeFunction;
  readonly logger: Logger;
  /** From 0 to 1, as `Math.random`: spreads the retries of throttled routers. */
  readonly random: () => number;
}

/** A function that is at its limit often has room within a few of these; beyond that the caller's backoff is better. */
const MOST_ATTEMPTS = 3;
const FIRST_DELAY_MS = 50;

/** Makes an {@link Invoker} that invokes the Lambda function which an endpoint names. */
export function createLambdaInvoker({ invokeFunction, logger, random }: LambdaInvokerDeps): Invoker {
  return {
    async invoke(endpoint, invocation, waitMs) {
      const functionArn = functionOf(endpoint);
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new DOMException('the time is over', 'TimeoutError')), waitMs);
      try {
        const payload = JSON.stringify(invocation);
        return readInvokeAnswer(await attempt(functionArn, payload, late.signal), functionArn);
      } catch (error) {
        const failure = error instanceof InvokeError ? error : invokeRequestError(error, functionArn);
        const { reason, message, cause } = failure;
        logger.warn('the handler gave no answer', { endpoint: endpoint.name, functionArn, reason, message, cause });
        throw failure;
      } finally {
        clearTimeout(timer);
      }
    },
  };

  /** Tries again where user code cannot have run. All else is the caller's to repeat, with its request id. */
  async function attempt(functionArn: string, payload: string, signal: AbortSignal): Promise<InvokeAnswer> {
    for (let count = 1; ; count++) {
      try {
        return await invokeFunction(functionArn, payload, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (count === MOST_ATTEMPTS || !neverRan(error)) throw error;
        await pause(FIRST_DELAY_MS * 2 ** (count - 1) * (0.5 + random() / 2), signal);
      }
    }
  }
}

function functionOf({ name, functionArn }: Endpoint): string {
  if (functionArn !== undefined) return functionArn;
  throw new InvokeError(
    'no-handler',
    `endpoint "${name}" names no function that serves it; deploy it with addEndpoint of the NexusGateway construct`,
  );
}

/** Resolves early when the signal fires: the next attempt sees it. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

/**
 * The AWS SDK as an {@link InvokeFunction}. Its own retries are off: it would repeat an invocation whose connection
 * broke, and run user code twice without anybody knowing.
 */
export function lambdaInvokeFunction(): InvokeFunction {
  const client = new LambdaClient({ maxAttempts: 1, requestHandler: { connectionTimeout: 1_000 } });
  return async (functionArn, payload, abortSignal) =>
    // By qualified ARN and not by `Qualifier`, so that the alias is part of what a policy names.
    client.send(new InvokeCommand({ FunctionName: functionArn, Payload: new TextEncoder().encode(payload) }), {
      abortSignal,
    });
}
