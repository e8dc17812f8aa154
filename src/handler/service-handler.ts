import { AsyncLocalStorage } from 'node:async_hooks';
import middy from '@middy/core';
import type { ServiceHandler } from 'nexus-rpc';
import { type Answering, answer } from './answer.ts';
import { collocatedAccess } from './collocated.ts';
import { DEFAULT_DEADLINE_RESERVE_MS } from './deadline.ts';
import { failureAnswer } from './failure-answer.ts';
import type { NexusInterceptorsFactory } from './interceptors.ts';
import type { ContractAnswer, ContractQuery, LambdaContext, LambdaHttpResult } from './invocation.ts';
import { isContractQuery, parseLambdaEvent, toLambdaResult } from './lambda-event.ts';
import { consoleLoggerOptions, createConsoleLogger, type Logger } from './logger.ts';
import { isPromotable, outlive, type PromotableInvocation } from './outlive.ts';
import { isSqsEvent, type QueueSide, type SqsBatchResponse, type SqsEvent } from './queue-side.ts';
import { retireLambdaEnvironment } from './retirement.ts';
import { operationFailure } from './run-operation.ts';
import { indexServices } from './services.ts';
import type { TemporalSide } from './temporal-side.ts';

export interface ServiceHandlerOptions {
  /** The handlers that `serviceHandler(…)` of `nexus-rpc` made. Their service names must differ. */
  // biome-ignore lint/suspicious/noExplicitAny: a handler of any operations; ServiceHandler is invariant in them
  readonly services: readonly ServiceHandler<any>[];
  /** `temporal()` of `nexus-lambda/temporal`, for handlers that use `@temporalio/nexus`. */
  readonly temporal?: TemporalSide;
  /** `queuedDelivery()` of `nexus-lambda/aws`, for operations that an endpoint delivers through a queue. */
  readonly queue?: QueueSide;
  /** As in the options of a worker. The first of them is the outermost. */
  readonly interceptors?: { readonly nexus?: readonly NexusInterceptorsFactory[] };
  /** Defaults to `console`: JSON lines on Lambda, text elsewhere, at the level that the function is set to. */
  readonly logger?: Logger;
  /**
   * Milliseconds before the caller's limit at which `ctx.abortSignal` fires. Defaults to 500, and is never more than a
   * fifth of the limit: half of it is for the handler to let go, half for the answer's way back.
   */
  readonly deadlineReserveMs?: number;
}

/** A Lambda handler, and a middy chain: `.use()` takes any middleware written for Lambda. */
export interface ServiceLambdaHandler {
  (event: ContractQuery, context: LambdaContext): Promise<ContractAnswer>;
  (event: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse>;
  (event: unknown, context: LambdaContext): Promise<LambdaHttpResult>;
  /** The service handlers that it serves. */
  readonly services: readonly ServiceHandler[];
  use(middleware: Middleware | readonly Middleware[]): ServiceLambdaHandler;
  before(middleware: NonNullable<Middleware['before']>): ServiceLambdaHandler;
  after(middleware: NonNullable<Middleware['after']>): ServiceLambdaHandler;
  onError(middleware: NonNullable<Middleware['onError']>): ServiceLambdaHandler;
}

/** A middy middleware: at least one of the three. */
export interface Middleware {
  before?(request: MiddlewareRequest): unknown;
  after?(request: MiddlewareRequest): unknown;
  onError?(request: MiddlewareRequest): unknown;
}

/** What a middleware sees: Lambda's event and, afterwards, the HTTP answer. */
export interface MiddlewareRequest {
  event: unknown;
  context: LambdaContext;
  response: LambdaHttpResult | null | undefined;
  error: unknown;
  readonly internal: Record<string, unknown>;
}

/**
 * Makes the Lambda handler of one or more Nexus services. It answers an invocation from the router, an API Gateway
 * HTTP API event and a Function URL event, takes operations from a queue where it was given a `queue`, and tells a deploy
 * which operations it has.
 *
 * Where `NEXUS_COLLOCATED_ENDPOINTS` is set, as the constructs do for a function that an API calls without a router,
 * an HTTP event is answered for the endpoints named there only, and for their callers.
 *
 * @throws TypeError where `services` is empty, two of them have one name, or that variable is malformed.
 */
export function createServiceHandler(options: ServiceHandlerOptions): ServiceLambdaHandler {
  const answering: Answering = {
    services: indexServices(options.services, options.temporal?.diagnostics),
    temporal: options.temporal,
    interceptors: options.interceptors?.nexus ?? [],
    logger: options.logger ?? createConsoleLogger(consoleLoggerOptions(process.env)),
    deadlineReserveMs: options.deadlineReserveMs ?? DEFAULT_DEADLINE_RESERVE_MS,
  };
  const checkAccess = collocatedAccess(process.env);
  const invocations = new AsyncLocalStorage<Invocation>();

  // middy's own timer would answer 5 ms before Lambda's end; ours answers before the caller's.
  const chain = middy(
    async (event: unknown, context: LambdaContext): Promise<LambdaHttpResult> => {
      const invocation = invocations.getStore();
      const elapsedMs = performance.now() - (invocation?.startedAt ?? performance.now());
      const lambdaMs = context.getRemainingTimeInMillis();
      const incoming = parseLambdaEvent(event);
      const { response, abandoned } = await answer(
        incoming,
        { elapsedMs, lambdaMs, canceled: context.canceled },
        answering,
      );
      if (invocation) invocation.abandoned = abandoned;
      return toLambdaResult(response);
    },
    { timeoutEarlyInMillis: 0 },
  );
  // The first of all middlewares: none that answers by itself may answer whoever may not call.
  chain.before(({ event }) => checkAccess(event));
  const answerTo = async (error: unknown, event: unknown): Promise<LambdaHttpResult> => {
    const failure = operationFailure(error, 'start', options.temporal);
    // What a middleware threw may come after the deadline: its answer has the way back only.
    return toLambdaResult(
      await failureAnswer(failure, parseLambdaEvent(event), answering, answering.deadlineReserveMs / 2),
    );
  };
  chain.onError(async (request) => {
    // A middleware of the user that answered the error itself has the say.
    if (request.response !== undefined && request.response !== null) return;
    request.response = await answerTo(request.error, request.event);
  });

  const run = chain as unknown as (event: unknown, context: LambdaContext) => Promise<LambdaHttpResult>;
  async function attempt(
    event: unknown,
    context: LambdaContext,
  ): Promise<{ result: LambdaHttpResult; abandoned: boolean }> {
    const invocation: Invocation = { startedAt: performance.now(), abandoned: false };
    const result = await invocations
      .run(invocation, () => run(event, context))
      .catch((error: unknown) => {
        if (!invocation.abandoned) throw error;
        // The environment must end all the same, and with an answer.
        return answerTo(error, event);
      });
    return { result, abandoned: invocation.abandoned };
  }

  /** Runs one invocation after the other, and says whether one of them goes on after its answer. */
  function attempts() {
    const all = { abandoned: false };
    const handle = async (one: unknown, context: LambdaContext) => {
      const { result, abandoned } = await attempt(one, context);
      all.abandoned ||= abandoned;
      return result;
    };
    return { all, handle };
  }

  async function takeBatch(event: SqsEvent, context: LambdaContext): Promise<SqsBatchResponse> {
    if (options.queue === undefined) {
      throw new TypeError(
        'a queue delivers operations to this function, and createServiceHandler was given nothing to take them with; add ' +
          "queue: queuedDelivery() of 'nexus-lambda/aws', or take queuedOperations from its endpoints",
      );
    }
    const { all, handle } = attempts();
    const response = await options.queue.consume(event, context, handle);
    if (all.abandoned) await retire(response, context);
    return response;
  }

  async function takePromotable(
    queue: QueueSide,
    invocation: PromotableInvocation,
    { context, elapsedMs }: { readonly context: LambdaContext; readonly elapsedMs: number },
  ): Promise<LambdaHttpResult> {
    const { all, handle } = attempts();
    const load = () => queue.pastCutOff(invocation, context, handle);
    const result = await outlive({ invocation, context, elapsedMs, handle, load });
    if (all.abandoned) await retire(result, context);
    return result;
  }

  let isCold = true;

  const handler = async (event: unknown, context: LambdaContext) => {
    const elapsedMs = isCold ? startMs() : 0;
    isCold = false;
    // Before the middlewares: theirs are requests.
    if (isContractQuery(event)) return { nexusContract: 1, services: answering.services.contract } as const;
    if (isSqsEvent(event)) return takeBatch(event, context);
    if (options.queue && isPromotable(event)) {
      return takePromotable(options.queue, event, { context, elapsedMs });
    }
    const { result, abandoned } = await attempt(event, context);
    if (abandoned) await retire(result, context);
    return result;
  };
  const chained =
    <A>(add: (middleware: A) => unknown) =>
    (middleware: A): ServiceLambdaHandler => {
      add(middleware);
      return serviceHandler;
    };
  const serviceHandler: ServiceLambdaHandler = Object.assign(handler as ServiceLambdaHandler, {
    services: options.services,
    use: chained(chain.use as (middleware: Middleware | readonly Middleware[]) => unknown),
    before: chained(chain.before as (middleware: NonNullable<Middleware['before']>) => unknown),
    after: chained(chain.after as (middleware: NonNullable<Middleware['after']>) => unknown),
    onError: chained(chain.onError as (middleware: NonNullable<Middleware['onError']>) => unknown),
  });
  return serviceHandler;
}

/** Milliseconds that the start of this environment took of its first request, which waited for it. */
function startMs(): number {
  return process.env.AWS_LAMBDA_INITIALIZATION_TYPE === 'on-demand' ? performance.now() : 0;
}

async function retire(answer: LambdaHttpResult | SqsBatchResponse, context: LambdaContext): Promise<void> {
  if (context.retireEnvironment) context.retireEnvironment();
  else await retireLambdaEnvironment(answer, context);
}

interface Invocation {
  readonly startedAt: number;
  abandoned: boolean;
}
