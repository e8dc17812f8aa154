import { HandlerError, OperationError } from 'nexus-rpc';
import type { NexusHttpResponse } from '../nexus/message.ts';
import type { ProtoFailure } from '../nexus/proto-failure.ts';
import { type CancelRequest, MAX_BODY_BYTES, parseRequest, type StartRequest } from '../nexus/request.ts';
import { formatFailureResponse, isTemporalCaller } from '../nexus/response.ts';
import { budgetOf, runUntil } from './deadline.ts';
import { deadlineError } from './handler-errors.ts';
import type { NexusInterceptorsFactory } from './interceptors.ts';
import type { LambdaRequest } from './lambda-event.ts';
import type { Logger } from './logger.ts';
import { plainConversion } from './plain-conversion.ts';
import { operationFailure, runOperation } from './run-operation.ts';
import type { Services } from './services.ts';
import type { TemporalSide } from './temporal-side.ts';

/** What one Lambda handler answers with. */
export interface Answering {
  readonly services: Services;
  readonly temporal: TemporalSide | undefined;
  readonly interceptors: readonly NexusInterceptorsFactory[];
  readonly logger: Logger;
  readonly deadlineReserveMs: number;
  readonly retireEnvironment: () => void;
  readonly now: () => number;
}

/** Answers one request. Never rejects: whatever goes wrong is a Nexus failure, sent before the caller gives up. */
export async function answer(
  incoming: LambdaRequest,
  lambdaMs: number | undefined,
  answering: Answering,
): Promise<NexusHttpResponse> {
  let request: StartRequest | CancelRequest;
  try {
    request = parse(incoming, answering.services);
  } catch (error) {
    return failureAnswer(error, 'cancel', incoming, answering);
  }
  const { requestTimeoutMs } = request;
  const budget = budgetOf({ requestTimeoutMs, gatewayMs: incoming.gatewayMs, lambdaMs }, answering.deadlineReserveMs);
  const { kind, service, operation } = request;
  const outOfTime = (cause?: unknown) =>
    failureAnswer(deadlineError(service, operation, budget?.handlerMs ?? 0, cause), kind, incoming, answering);
  if (budget !== undefined && budget.handlerMs <= 0) return outOfTime();

  const abort = new AbortController();
  let abandoned = false;
  const outcome = await runUntil(
    {
      abort,
      budget,
      reason:
        answering.temporal?.deadlineReason ?? (() => new DOMException('the request deadline passed', 'TimeoutError')),
    },
    () =>
      runOperation(request, {
        ...answering,
        endpoint: incoming.endpoint,
        abortSignal: abort.signal,
        requestDeadline: budget && new Date(answering.now() + budget.handlerMs),
        abandoned: () => abandoned,
        emptyBodyAs: !incoming.behindGateway
          ? 'nothing'
          : isTemporalCaller(incoming.request.headers)
            ? 'temporal-payload'
            : 'json-null',
      }),
  );
  switch (outcome.kind) {
    case 'settled':
      return withinLimit(outcome.value, incoming, answering);
    case 'threw':
      // After the deadline only an answer that the handler chose is more than the echo of its abort signal.
      if (outcome.late && !(outcome.error instanceof HandlerError || outcome.error instanceof OperationError)) {
        return outOfTime(outcome.error);
      }
      return failureAnswer(outcome.error, kind, incoming, answering);
    case 'abandoned':
      abandoned = true;
      answering.logger.warn(
        'Nexus handler did not settle after its deadline: it was answered with a timeout, its Temporal client and context ' +
          'were taken from it, and this environment will not serve another request',
        { service, operation, handlerMs: budget?.handlerMs, letGoMs: budget?.letGoMs },
      );
      answering.retireEnvironment();
      return outOfTime();
  }
}

/** The answer for an error that no operation threw: a request that does not parse, or a middleware's own. */
export async function failureAnswer(
  thrown: unknown,
  kind: 'start' | 'cancel',
  incoming: Pick<LambdaRequest, 'request'>,
  { temporal }: Pick<Answering, 'temporal'>,
): Promise<NexusHttpResponse> {
  const failureSupport = incoming.request.headers['temporal-nexus-failure-support'] === 'true';
  const error = operationFailure(thrown, kind, temporal);
  const operationState = error instanceof OperationError ? error.state : undefined;
  const format = (failure: ProtoFailure) =>
    formatFailureResponse(failure, {
      failureSupport,
      operationState,
      fromHandler: true,
      temporalCaller: isTemporalCaller(incoming.request.headers),
    });
  const encode = (what: Error) => (temporal?.conversion ?? plainConversion).encodeError(what);
  let response: NexusHttpResponse;
  try {
    response = format(await encode(error));
  } catch (broken) {
    // A data converter that fails on the error itself: the caller still learns what happened, without its details.
    response = format(
      await plainConversion.encodeError(
        new HandlerError('INTERNAL', `the data converter failed on the error '${error.message}'`, { cause: broken }),
      ),
    );
  }
  if (response.body.length <= MAX_BODY_BYTES) return response;
  return format(await plainConversion.encodeError(shortened(error)));
}

/** Temporal 1.32 retries an answer over its limit for as long as the operation lives, so it is ended here. */
function withinLimit(
  response: NexusHttpResponse,
  incoming: LambdaRequest,
  answering: Answering,
): NexusHttpResponse | Promise<NexusHttpResponse> {
  if (response.body.length <= MAX_BODY_BYTES) return response;
  const message = `the result is ${response.body.length} bytes; a Nexus result can have ${MAX_BODY_BYTES}`;
  return failureAnswer(
    new HandlerError('INTERNAL', message, { retryableOverride: false }),
    'start',
    incoming,
    answering,
  );
}

function parse(incoming: LambdaRequest, services: Services): StartRequest | CancelRequest {
  if (incoming.behindGateway) {
    try {
      return parseRequest(incoming.request, { decodedPath: services.contract });
    } catch (error) {
      if (!(error instanceof HandlerError && error.type === 'NOT_FOUND')) throw error;
      // A Function URL hands the path on as it came; and the raw reading knows what is missing.
    }
  }
  return parseRequest(incoming.request);
}

function shortened(error: HandlerError | OperationError): Error {
  const message = `${error.message.slice(0, 1000)} [cause and details left out: together they are over ${MAX_BODY_BYTES} bytes]`;
  if (error instanceof OperationError) return new OperationError(error.state, message, { stackTrace: '' });
  const { type, retryableOverride } = error;
  return new HandlerError(type, message, { retryableOverride, stackTrace: '' });
}
