import { HandlerError, OperationError } from 'nexus-rpc';
import { DOCTOR_SERVICE } from '../nexus/doctor-contract.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { type CancelRequest, MAX_BODY_BYTES, parseRequest, type StartRequest } from '../nexus/request.ts';
import { isTemporalCaller } from '../nexus/response.ts';
import { budgetOf, runUntil, type TimeBudget } from './deadline.ts';
import { forDoctor } from './doctor-service.ts';
import { failureAnswer } from './failure-answer.ts';
import { deadlineError } from './handler-errors.ts';
import type { NexusInterceptorsFactory } from './interceptors.ts';
import type { LambdaRequest } from './lambda-event.ts';
import type { Logger } from './logger.ts';
import { isLogged, operationFailure, runOperation } from './run-operation.ts';
import type { Services } from './services.ts';
import type { TemporalSide } from './temporal-side.ts';

/** What one Lambda handler answers with. */
export interface Answering {
  readonly services: Services;
  readonly temporal: TemporalSide | undefined;
  readonly interceptors: readonly NexusInterceptorsFactory[];
  readonly logger: Logger;
  readonly deadlineReserveMs: number;
}

/** What is known of an invocation besides its request. */
export interface InvocationTime {
  /** Milliseconds since it arrived: what middlewares have taken of the caller's time. */
  readonly elapsedMs: number;
  /** Milliseconds until Lambda ends the environment, from now. */
  readonly lambdaMs: number | undefined;
  /** Fires when the operation was canceled. */
  readonly canceled?: AbortSignal | undefined;
}

export interface Answer {
  readonly response: NexusHttpResponse;
  /** The handler goes on after its answer: nothing else may run in this environment. */
  readonly abandoned: boolean;
}

/** Answers one request. Never rejects: whatever goes wrong is a Nexus failure, sent before the caller gives up. */
export async function answer(incoming: LambdaRequest, time: InvocationTime, given: Answering): Promise<Answer> {
  let request: StartRequest | CancelRequest;
  try {
    request = parse(incoming, given.services);
  } catch (error) {
    // In words of ours about what came in clear: no data converter has to be asked.
    const failure = withoutStack(operationFailure(error, 'cancel', undefined));
    return settled(await failureAnswer(failure, incoming, { ...given, temporal: undefined }));
  }
  const { kind, service, operation } = request;
  const answering = service === DOCTOR_SERVICE ? forDoctor(given, operation) : given;
  const budget = budgetFor(request, incoming, time, answering.deadlineReserveMs);
  const endsAt = budget && performance.now() + budget.handlerMs + budget.letGoMs;
  const failed = (error: unknown) => {
    // Where nothing is left, half of what the answer has for its way back.
    const withinMs = endsAt && Math.max(endsAt - performance.now(), budget.letGoMs / 2);
    return failureAnswer(operationFailure(error, kind, answering.temporal), incoming, answering, withinMs);
  };
  const outOfTime = (cause?: unknown) => failed(deadlineError(service, operation, budget?.handlerMs ?? 0, cause));
  if (budget !== undefined && budget.handlerMs <= 0) return settled(await outOfTime());

  const abort = new AbortController();
  const { signal: deadlineSignal } = abort;
  const { canceled } = time;
  let abandoned = false;
  const outcome = await runUntil({ abort, budget, reason: answering.temporal?.deadlineReason ?? deadlineReason }, () =>
    runOperation(request, {
      ...answering,
      endpoint: incoming.endpoint,
      abortSignal: canceled ? AbortSignal.any([deadlineSignal, canceled]) : deadlineSignal,
      deadlineSignal,
      requestDeadline: budget && new Date(Date.now() + budget.handlerMs),
      abandoned: () => abandoned,
      emptyBodyAs: emptyBodyAs(incoming),
    }),
  );
  switch (outcome.kind) {
    case 'settled':
      if (outcome.value.body.length <= MAX_BODY_BYTES) return settled(outcome.value);
      return settled(await failed(tooLarge(service, operation, outcome.value, answering.logger)));
    case 'threw':
      // After the deadline only an answer that the handler chose is more than the echo of its abort signal.
      if (outcome.late && !(outcome.error instanceof HandlerError || outcome.error instanceof OperationError)) {
        return settled(await outOfTime(outcome.error));
      }
      if (!canceled?.aborted) logUnlessLogged(outcome.error, request, answering);
      return settled(await failed(outcome.error));
    case 'abandoned':
      abandoned = true;
      answering.logger.warn(
        'Nexus handler did not settle after its deadline: it was answered with a timeout, its Temporal client and context ' +
          'were taken from it, and its environment is retired',
        { service, operation, handlerMs: budget?.handlerMs, letGoMs: budget?.letGoMs },
      );
      return { response: await outOfTime(), abandoned };
  }
}

function budgetFor(
  { requestTimeoutMs }: StartRequest | CancelRequest,
  { gatewayMs }: LambdaRequest,
  { elapsedMs, lambdaMs }: InvocationTime,
  reserveMs: number,
): TimeBudget | undefined {
  const left = (limit: number | undefined) => limit && limit - elapsedMs;
  return budgetOf({ requestTimeoutMs: left(requestTimeoutMs), gatewayMs: left(gatewayMs), lambdaMs }, reserveMs);
}

/** The caller's mistake has its place in the request, not in our code. */
function withoutStack<E extends Error>(error: E): E {
  error.stack = '';
  if (error.cause instanceof Error) withoutStack(error.cause);
  return error;
}

function settled(response: NexusHttpResponse): Answer {
  return { response, abandoned: false };
}

function deadlineReason(): unknown {
  return new DOMException('the request deadline passed', 'TimeoutError');
}

function emptyBodyAs({ addsContentType, request }: LambdaRequest): 'nothing' | 'temporal-payload' | 'json-null' {
  if (!addsContentType) return 'nothing';
  return isTemporalCaller(request.headers) ? 'temporal-payload' : 'json-null';
}

/** Temporal 1.32 retries an answer over its limit for as long as the operation lives, so it is ended here. */
function tooLarge(service: string, operation: string, { body }: NexusHttpResponse, logger: Logger): HandlerError {
  const message = `the result is ${body.length} bytes; a Nexus result can have ${MAX_BODY_BYTES}`;
  logger.warn(`Nexus operation failed: ${message}`, { service, operation });
  return new HandlerError('INTERNAL', message, { retryableOverride: false, stackTrace: '' });
}

/** What failed around user code: an input or a result that does not convert, a token that cannot be sent. */
function logUnlessLogged(
  error: unknown,
  { kind, service, operation }: StartRequest | CancelRequest,
  { temporal, logger }: Answering,
): void {
  const failure = operationFailure(error, kind, temporal);
  // The other types are the caller's own mistakes, and those are told to the caller.
  if (isLogged(error) || !(failure instanceof HandlerError) || failure.type !== 'INTERNAL') return;
  logger.warn('Nexus operation failed', { service, operation, error });
}

/**
 * An HTTP API hands the path on decoded, where names are told apart by the contract only; a Function URL as it came.
 * Each is read the other way too before it is given up.
 */
function parse({ request, path }: LambdaRequest, services: Services): StartRequest | CancelRequest {
  const decoded = () => parseRequest(request, { decodedPath: services.contract });
  const escaped = () => parseRequest(request);
  if (path === 'escaped') return escaped();
  const [first, second] = path === 'decoded' ? [decoded, escaped] : [escaped, decoded];
  try {
    return first();
  } catch (error) {
    if (!(error instanceof HandlerError && error.type === 'NOT_FOUND')) throw error;
    return second();
  }
}
