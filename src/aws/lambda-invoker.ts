import { Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Logger } from '../handler/logger.ts';
import { InvokeError } from '../router/errors.ts';
import type { Endpoint, Invoker } from '../router/ports.ts';
import {
  checkResult,
  type InvokeAnswer,
  invokeRequestError,
  neverRan,
  readInvokeAnswer,
  tooLate,
} from './invoke-outcome.ts';

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
      try {
        const functionArn = functionOf(endpoint);
        const answer = await attempts(functionArn, JSON.stringify(invocation), waitMs);
        const result = readInvokeAnswer(answer, functionArn);
        checkResult(result, answer, functionArn);
        return result;
      } catch (error) {
        const { name, functionArn } = endpoint;
        const { reason, message, cause, goesOn } = error as InvokeError;
        // The router has what it waits for: the time of a promotion.
        if (goesOn && invocation.promotion) throw error;
        logger.warn('the handler gave no answer', { endpoint: name, functionArn, reason, message, cause });
        throw error;
      }
    },
  };

  /** Tries again where user code cannot have run. All else is the caller's to repeat, with its request id. */
  async function attempts(functionArn: string, payload: string, waitMs: number): Promise<InvokeAnswer> {
    if (waitMs <= 0) throw tooLate(functionArn);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooLate(functionArn, { goesOn: true })), waitMs);
    try {
      for (let count = 1; ; count++) {
        try {
          return await invokeFunction(functionArn, payload, late.signal);
        } catch (error) {
          if (!neverRan(error)) late.signal.throwIfAborted();
          // Where it never ran, nothing goes on that could be promoted, even if the time is over.
          const isLast = count === MOST_ATTEMPTS || late.signal.aborted;
          if (isLast || !neverRan(error)) throw invokeRequestError(error, functionArn);
          await pause(FIRST_DELAY_MS * 2 ** (count - 1) * (0.5 + random() / 2), late.signal).catch(() => {
            throw invokeRequestError(error, functionArn);
          });
        }
      }
    } finally {
      clearTimeout(timer);
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

/** Rejects with the signal's reason when it fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort);
  });
}

/**
 * After so long without a request a connection is made anew. It may have been closed while the environment was frozen,
 * which the next request on it would learn: as a failure that nobody may repeat.
 */
const MOST_IDLE_MS = 5_000;

/**
 * The AWS SDK as an {@link InvokeFunction}. Its own retries are off: it would repeat an invocation whose connection
 * broke, and run user code twice without anybody knowing.
 */
export function lambdaInvokeFunction(): InvokeFunction {
  const [httpsAgent, httpAgent] = [new Agent({ keepAlive: true }), new HttpAgent({ keepAlive: true })];
  const client = new LambdaClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 1_000, httpsAgent, httpAgent },
  });
  let usedAt = 0;
  return async (functionArn, payload, abortSignal) => {
    if (Date.now() - usedAt > MOST_IDLE_MS) closeIdle([httpsAgent, httpAgent]);
    try {
      // By qualified ARN and not by `Qualifier`, so that the alias is part of what a policy names.
      const command = new InvokeCommand({ FunctionName: functionArn, Payload: new TextEncoder().encode(payload) });
      return await client.send(command, { abortSignal });
    } finally {
      usedAt = Date.now();
    }
  };
}

function closeIdle(agents: readonly HttpAgent[]): void {
  for (const socket of agents.flatMap(({ freeSockets }) => Object.values(freeSockets).flat())) socket?.destroy();
}
