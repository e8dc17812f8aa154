import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { HandlerError } from 'nexus-rpc';
import { mayCall } from '../handler/access.ts';
import type { Logger } from '../handler/logger.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { Caller } from '../router/caller.ts';
import type { EndpointView } from '../router/endpoint-view.ts';
import { createOperationInvoker } from '../router/operation-invoker.ts';
import { createOperationManagement, isOperationsPath } from '../router/operation-management.ts';
import type { Invoker } from '../router/ports.ts';
import { failureResponse } from '../router/router.ts';
import { createAwsOperations } from './aws-operations.ts';
import { CLIENT_OPTIONS, SQS_CLIENT_OPTIONS } from './client-options.ts';

export interface RouterManagementDeps {
  /** Principals, as `callers` of an endpoint. */
  readonly administrators: readonly string[];
  /** Of the table of operations; undefined where nothing is queued. */
  readonly operationsTable: string | undefined;
  readonly endpoints: EndpointView;
  readonly invoker: Invoker;
  readonly logger: Logger;
}

/** Answers requests to the management API: all that `isManagementPath` says are ones. */
export type Manage = (
  request: NexusHttpRequest,
  caller: Pick<Caller, 'principal' | 'gateway'>,
) => Promise<NexusHttpResponse>;

/** One kind of thing that is managed. Answers `undefined` for paths of others. */
interface ManagementPart {
  answer(request: NexusHttpRequest, caller: Pick<Caller, 'principal'>): Promise<NexusHttpResponse | undefined>;
}

/** The router's part of the management API; in a file of its own, which the first request that needs it loads. */
export function routerManagement(deps: RouterManagementDeps): Manage {
  const { administrators, endpoints } = deps;
  const mayManage = (principal: string) => principal.startsWith('iam:') && mayCall(principal, administrators);
  const parts: readonly ManagementPart[] = [operationsPart(deps, mayManage)];

  async function managed(request: NexusHttpRequest, caller: Parameters<Manage>[1]): Promise<NexusHttpResponse> {
    const refusal = whyRefused(request, caller, { administrators, mayManage });
    if (refusal !== undefined) throw new HandlerError('UNAUTHORIZED', refusal, { stackTrace: '' });
    for (const part of parts) {
      const answer = await part.answer(request, caller);
      if (answer !== undefined) return answer;
    }
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

function operationsPart(
  { operationsTable, endpoints, invoker, logger }: RouterManagementDeps,
  mayManage: (principal: string) => boolean,
): ManagementPart {
  if (operationsTable === undefined) return { answer: nothingQueued };
  const { cancel: cancelInner } = createOperationInvoker({ registry: endpoints, invoker, clock: Date, logger });
  const { operations, store, handWork } = createAwsOperations({
    // Of its own: lists wait longer for an answer than requests that a caller waits for.
    dynamo: new DynamoDBClient(CLIENT_OPTIONS),
    sqs: new SQSClient(SQS_CLIENT_OPTIONS),
    tableName: operationsTable,
    logger,
    cancelInner,
  });
  return createOperationManagement({
    ...{ store, operations, handWork, clock: Date, mayManage },
    async functionArnOf(name) {
      try {
        return (await endpoints.get(name))?.functionArn;
      } catch (error) {
        logger.warn('an operation is described without its function', { endpoint: name, error });
        return undefined;
      }
    },
  });
}

async function nothingQueued(request: NexusHttpRequest): Promise<NexusHttpResponse | undefined> {
  if (!isOperationsPath(request.path)) return undefined;
  const message =
    'there are no operations to manage: no endpoint of this gateway queues any; `queuedOperations` of addEndpoint() names those to queue';
  return failureResponse('NOT_IMPLEMENTED', message, request);
}
