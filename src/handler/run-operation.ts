import {
  type HandlerError,
  type HandlerStartOperationResult,
  type OperationContext,
  OperationError,
  type StartOperationContext,
} from 'nexus-rpc';
import type { NexusHttpResponse } from '../nexus/message.ts';
import type { CancelRequest, StartRequest } from '../nexus/request.ts';
import { formatCancelResponse, formatStartResponse } from '../nexus/response.ts';
import { toHandlerError } from './handler-errors.ts';
import { composed, type NexusInterceptors, type NexusInterceptorsFactory } from './interceptors.ts';
import type { Logger } from './logger.ts';
import { cancelContext, startContext } from './operation-context.ts';
import { plainConversion } from './plain-conversion.ts';
import type { CompiledOperation, Services } from './services.ts';
import type { TemporalSide } from './temporal-side.ts';

/** What an operation needs besides its request. */
export interface OperationRun {
  readonly services: Services;
  readonly temporal: TemporalSide | undefined;
  readonly interceptors: readonly NexusInterceptorsFactory[];
  readonly logger: Logger;
  readonly endpoint: string;
  /** Fires at the deadline, and when the operation is canceled. */
  readonly abortSignal: AbortSignal;
  readonly deadlineSignal: AbortSignal;
  readonly requestDeadline: Date | undefined;
  /** True once nobody waits for this handler any more. */
  readonly abandoned: () => boolean;
  readonly emptyBodyAs: 'nothing' | 'temporal-payload' | 'json-null';
}

/**
 * Runs `start` or `cancel` of one operation with its interceptors, in the context that the SDK's functions need, and
 * formats what it returned. Throws what it threw.
 */
export async function runOperation(
  request: StartRequest | CancelRequest,
  run: OperationRun,
): Promise<NexusHttpResponse> {
  const context =
    request.kind === 'start' ? startContext(request, run, () => crypto.randomUUID()) : cancelContext(request, run);
  const interceptors = run.interceptors.map((factory) => factory(context));
  const attributes = { ...run.temporal?.attributes, service: request.service, operation: request.operation };
  const logAttributes = () =>
    composed(
      interceptors.map(({ outbound }) => outbound?.getLogAttributes?.bind(outbound)),
      (given) => given,
    )(attributes);
  const metricTags = () =>
    composed(
      interceptors.map(({ outbound }) => outbound?.getMetricTags?.bind(outbound)),
      (given) => given,
    )(attributes);

  const execute = async () => {
    const operation = run.services.operation(request.service, request.operation);
    const observed = observer(run, logAttributes);
    return request.kind === 'start'
      ? await start(request, context as StartOperationContext, operation, interceptors, run, observed)
      : await cancel(request, context, operation, interceptors, observed);
  };
  if (run.temporal === undefined) return execute();
  const { endpoint, logger, deadlineSignal, abandoned } = run;
  const scope = { endpoint, context, logger, logAttributes, metricTags, deadlineSignal, abandoned };
  return run.temporal.run(scope, execute);
}

/**
 * The error that the caller gets for what an operation threw: an OperationError of `start` ends the operation, every
 * other is a HandlerError, as on a worker.
 */
export function operationFailure(
  thrown: unknown,
  kind: 'start' | 'cancel',
  temporal: TemporalSide | undefined,
): OperationError | HandlerError {
  if (kind === 'start' && thrown instanceof OperationError) return thrown;
  return (temporal?.toHandlerError ?? toHandlerError)(thrown);
}

type Observed = <R>(method: string, call: () => Promise<R>) => Promise<R>;

async function start(
  request: StartRequest,
  ctx: StartOperationContext,
  operation: CompiledOperation,
  interceptors: readonly NexusInterceptors[],
  run: OperationRun,
  observed: Observed,
): Promise<NexusHttpResponse> {
  const conversion = run.temporal?.conversion ?? plainConversion;
  const input = await conversion.decodeInput(request.payload, operation.inputType);
  const started = composed(
    interceptors.map(({ inbound }) => inbound?.startOperation?.bind(inbound)),
    async (call: { ctx: StartOperationContext; input: unknown }) => ({
      result: await observed('startOperation', async () => operation.start(call.ctx, call.input)),
    }),
  );
  const { result } = await started({ ctx, input });
  const links = ctx.outboundLinks;
  if (isAsync(result)) return formatStartResponse({ kind: 'async', token: result.token, links });
  const payload = await conversion.encodeOutput(result.value, operation.outputType);
  return formatStartResponse({ kind: 'sync', payload, links }, { emptyBodyAs: run.emptyBodyAs });
}

async function cancel(
  request: CancelRequest,
  ctx: OperationContext,
  operation: CompiledOperation,
  interceptors: readonly NexusInterceptors[],
  observed: Observed,
): Promise<NexusHttpResponse> {
  const canceled = composed(
    interceptors.map(({ inbound }) => inbound?.cancelOperation?.bind(inbound)),
    // nexus-rpc's default `cancel` throws where it should reject.
    async (call: { ctx: OperationContext; token: string }) =>
      observed('cancelOperation', async () => operation.cancel(call.ctx, call.token)),
  );
  await canceled({ ctx, token: request.token });
  return formatCancelResponse();
}

/** By its member, since the class of `nexus-rpc` is another one in every copy of the package. */
function isAsync<T>(
  result: HandlerStartOperationResult<T>,
): result is HandlerStartOperationResult<T> & { isAsync: true; token: string } {
  return result.isAsync;
}

/** Errors that have their line in the log: each gets one. */
const logged = new WeakSet<object>();

/** Whether what user code threw was logged when it did. */
export function isLogged(error: unknown): boolean {
  return typeof error === 'object' && error !== null && logged.has(error);
}

/** What an abort signal, and the calls that it ends, are known to throw. */
function isCancellation(error: unknown): boolean {
  const name = error instanceof Error ? error.name : undefined;
  return name === 'CancelledFailure' || name === 'AbortError' || name === 'TimeoutError';
}

/** Logs each call of user code at the levels and with the words of a worker. */
function observer({ logger, abortSignal }: OperationRun, attributes: () => Record<string, unknown>): Observed {
  return async (method, call) => {
    const began = performance.now();
    const meta = () => ({ ...attributes(), method, durationMs: Math.round(performance.now() - began) });
    logger.debug('Nexus handler started', { ...attributes(), method });
    try {
      const result = await call();
      logger.debug('Nexus handler invocation completed', meta());
      return result;
    } catch (error) {
      if (abortSignal.aborted && isCancellation(error)) {
        logger.debug('Nexus handler invocation completed as cancelled', { ...meta(), error });
      } else {
        logger.warn('Nexus handler invocation failed', { ...meta(), error });
        if (typeof error === 'object' && error !== null) logged.add(error);
      }
      throw error;
    }
  };
}
