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
import { failureResponse } from '../router/failure-response.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import { isManagementPath } from '../router/management-path.ts';
import type { Promotion } from '../router/promotion.ts';
import { createRouter, type Router, type RouterDeps } from '../router/router.ts';
import { awsFlowGates } from './aws-flow-gates.ts';
import { callbacksOf } from './callbacks.ts';
import { ROUTER_CLIENT_OPTIONS } from './client-options.ts';
import { ENV } from './contract.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';
import { requiredVariable } from './environment.ts';
import { createFlowMetrics, type FlowMetrics } from './flow-metrics.ts';
import { createLambdaInvoker, lambdaInvokeFunction } from './lambda-invoker.ts';
import { lazyDeduplication } from './lazy-deduplication.ts';
import type { RouterDurable, RouterDurableDeps } from './router-durable.ts';
import type { Manage, RouterManagementDeps } from './router-management.ts';

export interface RouterHandlerDeps {
  readonly router: Router;
  /** Answers the management API. Left out where nothing is managed. */
  readonly manage?: Manage;
  readonly logger: Logger;
  /** What the router says of its flow control. */
  readonly flow?: Pick<FlowMetrics, 'settle'>;
}

/** The Lambda handler behind the gateway's API. */
export type RouterHandler = (event: unknown, context: LambdaContext) => Promise<LambdaHttpResult>;

/** What is left of that once the metrics are written: the answer's own way. */
const ANSWER_RESERVE_MS = 200;

/** What the router keeps for itself of its function's own timeout, to answer before Lambda ends it. */
const LAMBDA_RESERVE_MS = 500;

/** For the log, and for the caller. */
const UNROUTED = ['the router failed', 'the registry of endpoints could not be read'] as const;
const UNMANAGED = 'what is managed could not be read or written';

/** Makes the handler of the router's function. Never rejects for a request: whatever goes wrong is a Nexus failure. */
export function createRouterHandler({ router, manage, logger, flow }: RouterHandlerDeps): RouterHandler {
  async function answer(event: HttpEventV2, context: LambdaContext): Promise<NexusHttpResponse> {
    const request = httpRequestOf(event);
    const principal = principalOf(event);
    if (principal === undefined) {
      const { type, message } = unauthenticated();
      return failureResponse(type, message, request);
    }
    const gateway = gatewayOf(event);
    const isManaged = manage !== undefined && isManagementPath(request.path);
    const gatewayMs = Math.min(HTTP_API_TIMEOUT_MS, context.getRemainingTimeInMillis() - LAMBDA_RESERVE_MS);
    try {
      return isManaged
        ? await manage(request, { principal, gateway })
        : await router(request, { principal, gateway, gatewayMs });
    } catch (error) {
      const [failed, unread] = isManaged ? [UNMANAGED, UNMANAGED] : UNROUTED;
      logger.error(failed, { path: request.path, principal, error });
      return failureResponse('UNAVAILABLE', `${unread}; the log of the router says why`, request);
    } finally {
      await flow?.settle(context.getRemainingTimeInMillis() - ANSWER_RESERVE_MS);
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
  const client = new DynamoDBClient(ROUTER_CLIENT_OPTIONS);
  const endpoints = createEndpointView({
    registry: createDynamoEndpointRegistry({ client, tableName, clock: Date }),
    clock: Date,
    onStale: (endpoint, error) =>
      logger.warn('the registry could not be read; its last view serves', { endpoint, error }),
  });
  const invoker = createLambdaInvoker({ invokeFunction: lambdaInvokeFunction(), logger, random: Math.random });
  const operationsTable = process.env[ENV.operationsTable] || undefined;
  const flow = createFlowMetrics({ gateway: tableName, logger, clock: Date });
  const { direct: gate } = awsFlowGates({ dynamo: client, tableName, endpoints, logger, emit: flow.emit });
  const { emit } = flow;
  const keeping = { dynamo: client, endpointsTable: tableName, endpoints, invoker, logger, emit };
  const router = createRouter({
    ...{ endpoints, invoker, gate, emit: flow.emit, clock: Date },
    deduplicate: lazyDeduplication({ dynamo: client, tableName: process.env[ENV.answersTable], logger }),
    ...(operationsTable && durableParts({ ...keeping, tableName: operationsTable })),
  });
  const administrators = (process.env[ENV.administrators] ?? '').split(' ').filter((one) => one !== '');
  const tables = { endpointsTable: tableName, operationsTable };
  const manage = manageOf({ ...{ administrators, endpoints, invoker, logger, emit: flow.emit }, ...tables });
  return createRouterHandler({ router, manage, logger, flow });
}

/** Loads the management API with the first request to it. */
function manageOf(deps: RouterManagementDeps): Manage {
  let loaded: Promise<Manage> | undefined;
  return async (...request) => {
    loaded ??= import('./router-management.ts').then(({ routerManagement }) => routerManagement(deps));
    return (await loaded)(...request);
  };
}

interface DurablePartsDeps extends RouterDurableDeps {
  readonly emit: EmitFlowEvent;
}

/** Loads what keeps operations with the first request that may be about it, so that direct calls start without it. */
function durableParts(deps: DurablePartsDeps): Pick<RouterDeps, 'durable' | 'promotion'> {
  const { invoker, logger, tableName, endpointsTable, emit } = deps;
  let loaded: Promise<RouterDurable> | undefined;
  let promotion: Promise<Promotion> | undefined;
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
      async absorb(endpoint, request, caller, absorption) {
        if (endpoint.queues === undefined) return undefined;
        const about = { endpoint: endpoint.name, principal: caller.principal };
        return kept(about, (await load()).absorb(endpoint, request, caller, absorption));
      },
    },
    promotion: {
      deliver(endpoint, delivery) {
        if (!endpoint.promotable?.length) return undefined;
        promotion ??= import('../router/promotion.ts').then(({ createPromotion }) =>
          createPromotion({
            ...{
              invoker,
              clock: Date,
              callbacksOf,
              emit,
              tables: { operations: tableName, endpoints: endpointsTable },
            },
            load: async () => {
              const { accept } = await load();
              return {
                accept: (transition) => {
                  const { endpoint: name, principal } = transition.record;
                  return kept({ endpoint: name, principal }, accept(transition));
                },
              };
            },
          }),
        );
        return promotion.then((loaded) => loaded.deliver(endpoint, delivery));
      },
    },
  };
}
