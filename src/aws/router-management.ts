import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { HandlerError } from 'nexus-rpc';
import { mayCall } from '../handler/access.ts';
import type { Logger } from '../handler/logger.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { Caller } from '../router/caller.ts';
import { AT_REST, statusOf } from '../router/circuit.ts';
import { createCircuitManagement } from '../router/circuit-management.ts';
import { createEndpointManagement } from '../router/endpoint-management.ts';
import type { EndpointView } from '../router/endpoint-view.ts';
import { failureResponse } from '../router/failure-response.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import { createManagement, type ManagementPart } from '../router/management.ts';
import { createOperationInvoker } from '../router/operation-invoker.ts';
import { createOperationManagement } from '../router/operation-management.ts';
import type { Invoker } from '../router/ports.ts';
import { createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';
import { createDynamoCircuitStore } from './dynamodb-circuit-store.ts';
import { createDynamoEndpointRegistry } from './dynamodb-endpoint-registry.ts';

export interface RouterManagementDeps {
  /** Principals, as `callers` of an endpoint. */
  readonly administrators: readonly string[];
  /** Of the table of operations; undefined where nothing is queued. */
  readonly operationsTable: string | undefined;
  readonly endpointsTable: string;
  readonly endpoints: EndpointView;
  readonly invoker: Invoker;
  readonly logger: Logger;
  /** Told of circuits that are opened and closed by hand. */
  readonly emit: EmitFlowEvent;
}

/** Answers requests to the management API: all that `isManagementPath` says are ones. */
export type Manage = (
  request: NexusHttpRequest,
  caller: Pick<Caller, 'principal' | 'gateway'>,
) => Promise<NexusHttpResponse>;

/** The router's part of the management API; in a file of its own, which the first request that needs it loads. */
export function routerManagement(deps: RouterManagementDeps): Manage {
  const { administrators, endpoints, endpointsTable: tableName, emit } = deps;
  const mayManage = (principal: string) => principal.startsWith('iam:') && mayCall(principal, administrators);
  // Of its own: lists wait longer for an answer than requests that a caller waits for.
  const dynamo = new DynamoDBClient(CLIENT_OPTIONS);
  const registry = createDynamoEndpointRegistry({ client: dynamo, tableName, clock: Date });
  const circuits = createDynamoCircuitStore({ client: dynamo, tableName });
  const operations = managedOperations(deps, dynamo);
  const management = createManagement({
    mayManage,
    parts: [
      operations?.part ?? NOTHING_QUEUED,
      createEndpointManagement({
        ...{ registry, clock: Date },
        stateOf: async ({ name, circuit = AT_REST }) => ({
          ...(operations && { operations: await operations.count(name) }),
          circuit: { status: statusOf(circuit, Date.now()) },
        }),
      }),
      createCircuitManagement({ registry, store: circuits, clock: Date, emit }),
    ],
  });

  async function managed(request: NexusHttpRequest, caller: Parameters<Manage>[1]): Promise<NexusHttpResponse> {
    const refusal = whyRefused(request, caller, { administrators, mayManage });
    if (refusal !== undefined) throw new HandlerError('UNAUTHORIZED', refusal, { stackTrace: '' });
    const answer = await management.answer(request, caller);
    if (answer !== undefined) return answer;
    throw new HandlerError('NOT_FOUND', `nothing is managed at ${quote(request.path)}`, { stackTrace: '' });
  }

  return async (request, caller) => {
    try {
      return await managed(request, caller);
    } catch (error) {
      if (!(error instanceof HandlerError)) throw error;
      return failureResponse(error.type, error.message, request);
    } finally {
      await endpoints.settle();
    }
  };
}

/** Why a request goes no further; `undefined` for one of an administrator. */
function whyRefused(
  { path }: NexusHttpRequest,
  { principal, gateway }: Parameters<Manage>[1],
  { administrators, mayManage }: Pick<RouterManagementDeps, 'administrators'> & { mayManage: (one: string) => boolean },
): string | undefined {
  // Its permission is for all paths: whoever may call an endpoint by it may call this as well.
  if (gateway === 'function-url') return 'a gateway is managed at the URL of its API, and not at the Function URL';
  // `*` in a policy takes slashes, too: `*/*/nexus/endpoints/shop/services/*` allows such a path.
  if (path.includes('/nexus/endpoints/'))
    return 'a path of an endpoint stands in this one, which nobody needs for managing';
  if (mayManage(principal)) return undefined;
  if (!principal.startsWith('iam:')) {
    return `"${principal}" may not manage this gateway: that takes an AWS signature, on the route without ${quote(prefixOf(principal))}`;
  }
  const howTo =
    'whoever deploys it can name it in `administrators` of the NexusGateway, and let it in with grantManage()';
  return administrators.length === 0
    ? `this gateway has no administrators: "${principal}" may not manage it; ${howTo}`
    : `"${principal}" is not among the administrators of this gateway; ${howTo}`;
}

/** Of the routes that a principal of this kind comes by. */
function prefixOf(principal: string): string {
  return `/${principal.slice(0, principal.indexOf(':'))}`;
}

/** The operations, where there are some. */
function managedOperations(
  { operationsTable, endpointsTable, endpoints, invoker, logger }: RouterManagementDeps,
  dynamo: DynamoDBClient,
) {
  if (operationsTable === undefined) return undefined;
  const { cancel: cancelInner } = createOperationInvoker({ registry: endpoints, invoker, clock: Date, logger });
  const { operations, store, handWork } = createAwsOperations({
    ...{ dynamo, sqs: new SQSClient(SQS_CLIENT_OPTIONS), tableName: operationsTable, endpointsTable },
    ...{ logger, cancelInner },
  });
  const part = createOperationManagement({
    ...{ store, operations, handWork, clock: Date },
    async endpointOf(name) {
      try {
        return await endpoints.get(name);
      } catch (error) {
        logger.warn('an operation is described without its endpoint', { endpoint: name, error });
        return undefined;
      }
    },
  });
  return { part, count: async (endpoint: string) => (await store.count({ endpoint })).counts };
}

const NOTHING_QUEUED: ManagementPart = {
  name: 'operations',
  async respond() {
    const message =
      'there are no operations to manage: no endpoint of this gateway queues any; `queuedOperations` of addEndpoint() names those to queue';
    throw new HandlerError('NOT_IMPLEMENTED', message, { stackTrace: '' });
  },
};
