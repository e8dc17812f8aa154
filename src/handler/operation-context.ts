import type { CancelOperationContext, StartOperationContext } from 'nexus-rpc';
import type { CancelRequest, StartRequest } from '../nexus/request.ts';

interface RequestScope {
  readonly abortSignal: AbortSignal;
  readonly requestDeadline: Date | undefined;
}

/** The context that `start` of an operation handler gets. */
export function startContext(
  request: StartRequest,
  scope: RequestScope,
  newRequestId: () => string,
): StartOperationContext {
  return {
    ...cancelContext(request, scope),
    // Clients that are not Temporal may leave it out; the contract of nexus-rpc always has one.
    requestId: request.requestId ?? newRequestId(),
    inboundLinks: request.links,
    outboundLinks: [],
    ...(request.callbackUrl !== undefined && {
      callbackUrl: request.callbackUrl,
      callbackHeaders: request.callbackHeaders,
    }),
  };
}

/** The context that `cancel` gets, and the part of it that `start` shares. */
export function cancelContext(request: StartRequest | CancelRequest, scope: RequestScope): CancelOperationContext {
  return {
    service: request.service,
    operation: request.operation,
    headers: caseInsensitive(request.headers),
    abortSignal: scope.abortSignal,
    ...(scope.requestDeadline !== undefined && { requestDeadline: scope.requestDeadline }),
  };
}

/** `ctx.headers['My-Header']` finds `my-header`, as on a worker. */
function caseInsensitive(headers: Readonly<Record<string, string>>): Record<string, string> {
  const lower = (key: string | symbol) => (typeof key === 'string' ? key.toLowerCase() : key);
  return new Proxy<Record<string, string>>(
    { ...headers },
    {
      get: (target, key) => Reflect.get(target, lower(key)),
      has: (target, key) => Reflect.has(target, lower(key)),
      set: (target, key, value) => Reflect.set(target, lower(key), value),
      deleteProperty: (target, key) => Reflect.deleteProperty(target, lower(key)),
    },
  );
}
