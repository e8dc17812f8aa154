import { createRouterHandler } from '../../src/aws/router-handler.ts';
import type { HttpEventV2 } from '../../src/handler/lambda-event.ts';
import type { LambdaContext, LambdaHttpResult, NexusInvocation, ServiceLambdaHandler } from '../../src/index.ts';
import { createEndpointView } from '../../src/router/endpoint-view.ts';
import type { Endpoint, Invoker } from '../../src/router/ports.ts';
import { createRouter } from '../../src/router/router.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { type HttpApi, startHttpApi } from './http-api.ts';

export interface GatewayOptions {
  /** Serves the one endpoint that there is, `shop`. */
  readonly handler: ServiceLambdaHandler;
  /** Who may call it. */
  readonly callers: readonly string[];
  /** User → password. */
  readonly users: Readonly<Record<string, string>>;
}

/**
 * What NexusGateway deploys, on this machine: routes with authorizers, the answers of API Gateway where one of them says
 * no, and the router behind them.
 */
export async function startGateway({ handler, callers, users }: GatewayOptions): Promise<HttpApi> {
  const endpoint: Endpoint = {
    name: 'shop',
    target: { namespace: 'default', taskQueue: 'shop' },
    services: [],
    callers,
    version: 1,
    createdAt: 0,
    lastModifiedAt: 0,
  };
  const invoker: Invoker = {
    invoke: (_endpoint, invocation: NexusInvocation) =>
      handler(invocation, { ...CONTEXT, getRemainingTimeInMillis: () => invocation.timeoutMs }) as never,
  };
  const endpoints = createEndpointView({
    registry: { get: async (name) => (name === endpoint.name ? endpoint : undefined) },
    clock: Date,
    onStale: () => {},
  });
  const route = createRouterHandler({
    router: createRouter({ endpoints, invoker, clock: Date }),
    logger: recordingLogger().logger,
  });

  const answer = async (event: HttpEventV2, context: LambdaContext): Promise<LambdaHttpResult> => {
    if (/^\/nexus\/./.test(event.rawPath)) return refusal(403, 'Forbidden'); // no signature is right here
    if (!/^\/basic\/nexus\/./.test(event.rawPath)) return refusal(404, 'Not Found');
    const { authorization } = event.headers ?? {};
    if (authorization === undefined) return refusal(401, 'Unauthorized');
    const [user = '', password] = Buffer.from(authorization.slice('Basic '.length), 'base64').toString().split(':');
    if (password === undefined || users[user] !== password) return refusal(403, 'Forbidden');
    const authorizer = { lambda: { principal: `basic:${user}` } };
    return route({ ...event, requestContext: { ...event.requestContext, authorizer } }, context);
  };
  return startHttpApi((event, context) => answer(event as HttpEventV2, context));
}

const CONTEXT = { awsRequestId: 'request', functionName: 'function' };

function refusal(statusCode: number, message: string): LambdaHttpResult {
  const headers = { 'content-type': 'application/json' };
  return { statusCode, headers, body: JSON.stringify({ message }), isBase64Encoded: false };
}
