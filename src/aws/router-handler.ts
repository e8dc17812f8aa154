import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { HandlerError } from 'nexus-rpc';
import { principalOf, unauthenticated } from '../handler/access.ts';
import type { LambdaContext, LambdaHttpResult } from '../handler/invocation.ts';
import {
  gatewayOf,
  HTTP_API_TIMEOUT_MS,
  type HttpEventV2,
  httpRequestOf,
  isHttpEvent,
  toLambdaResult,
} from '../handler/lambda-event.ts';
import { consoleLoggerOptions, createConsoleLogger, type Logger } from '../handler/logger.ts';
import type { NexusHttpResponse } from '../nexus/message.ts';
import { RecordTooLargeError } from '../operations/errors.ts';
import { createEndpointView } from '../router/endpoint-view.ts';
import { createPromotion } from '../router/promotion.ts';
import { createRouter, failureResponse, type Router, type RouterDeps } from '../router/router.ts';
import { callbacksOf } from './callbacks.ts';
import { ENV } from './contract.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { requiredVariable } from './environment.ts';
import { createLambdaInvoker, lambdaInvokeFunction } from './lambda-invoker.ts';
import type { RouterDurable, RouterDurableDeps } from './router-durable.ts';

export interface RouterHandlerDeps {
  readonly router: Router;
  readonly logger: Logger;
}

/** The Lambda handler behind the gateway's API. */
export type RouterHandler = (event: unknown, context: LambdaContext) => Promise<LambdaHttpResult>;

/** What the router keeps for itself of its function's own timeout, to answer before Lambda ends it. */
const LAMBDA_RESERVE_MS = 500;

/** Makes the handler of the router's function. Never rejects for a request: whatever goes wrong is a Nexus failure. */
export function createRouterHandler({ router, logger }: RouterHandlerDeps): RouterHandler {
  async function answer(event: HttpEventV2, context: LambdaContext): Promise<NexusHttpResponse> {
    const request = httpRequestOf(event);
    const principal = principalOf(event);
    if (principal === undefined) {
      const { type, message } = unauthenticated();
      return failureResponse(type, message, request);
    }
    const gatewayMs = Math.min(HTTP_API_TIMEOUT_MS, context.getRemainingTimeInMillis() - LAMBDA_RESERVE_MS);
    try {
      return await router(request, { principal, gateway: gatewayOf(event), gatewayMs });
    } catch (error) {
      logger.error('the router failed', { path: request.path, principal, error });
      const unread = 'the registry of endpoints could not be read; the log of the router says why';
      return failureResponse('UNAVAILABLE', unread, request);
    }
  }

  return async (event, context) => {
    if (isHttpEvent(event)) return toLambdaResult(await answer(event, context));
    throw new HandlerError('BAD_REQUEST', 'the router takes events of an API Gateway HTTP API or a Function URL');
  };
}

/** The handler as it is deployed; fails where a variable that it needs is not set. */
export function routerHandlerOfEnvironment(): RouterHandler {
  const tableName = requiredVariable(ENV.table, 'the name of the table of endpoints');
  const logger = createConsoleLogger(consoleLoggerOptions(process.env));
  const client = new DynamoDBClient({
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
  });
  const endpoints = createEndpointView({
    registry: createDynamoEndpointRegistry({ client, tableName, clock: Date }),
    clock: Date,
    onStale: (endpoint, error) =>
      logger.warn('the registry could not be read; its last view serves', { endpoint, error }),
  });
  const invoker = createLambdaInvoker({ invokeFunction: lambdaInvokeFunction(), logger, random: Math.random });
  const operationsTable = process.env[ENV.operationsTable];
  const deps = { dynamo: client, endpoints, invoker, logger };
  const router = createRouter({
    ...{ endpoints, invoker, clock: Date },
    ...(operationsTable && durableParts({ ...deps, tableName: operationsTable })),
  });
  return createRouterHandler({ router, logger });
}

/** Loads what keeps operations with the first request that may be about it, so that direct calls start without it. */
function durableParts(deps: RouterDurableDeps): Pick<RouterDeps, 'durable' | 'promotion'> {
  const { invoker, logger, tableName } = deps;
  let loaded: Promise<RouterDurable> | undefined;
  const load = () => {
    loaded ??= import('./router-durable.ts').then(({ routerDurable }) => routerDurable(deps));
    return loaded;
  };

  async function kept<T>(about: object, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof HandlerError || error instanceof RecordTooLargeError) throw error;
      logger.error('operations could not be read or written', { ...about, error });
      const unkept = 'the store of operations could not be reached; the log of the router says why';
      throw new HandlerError('UNAVAILABLE', unkept, { stackTrace: '' });
    }
  }

  return {
    durable: {
      async answer(endpoint, request, caller) {
        const isDirect = !endpoint.queued?.length && request.method === 'POST' && !request.path.endsWith('/cancel');
        if (isDirect) return undefined;
        const about = { endpoint: endpoint.name, principal: caller.principal };
        return kept(about, (await load()).answer(endpoint, request, caller));
      },
    },
    promotion: createPromotion({
      ...{ invoker, clock: Date, callbacksOf, tableName },
      load: async () => {
        const { accept } = await load();
        return {
          accept: (transition) => {
            const { endpoint, principal } = transition.record;
            return kept({ endpoint, principal }, accept(transition));
          },
        };
      },
      emit: (event) => logger.info('an operation was promoted', { ...event }),
    }),
  };
}
