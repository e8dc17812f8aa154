import type { LambdaHandler } from './module-exports.ts';

/**
 * One Lambda handler out of several: the invocation goes to the one of the service that its path names, and to
 * `otherwise` where the service has none.
 */
export function dispatchByService(
  lambdaHandlers: ReadonlyMap<string, LambdaHandler>,
  otherwise: LambdaHandler,
): LambdaHandler {
  return (invocation, context) => {
    const handle = lambdaHandlers.get(serviceIn(invocation.request.path) ?? '') ?? otherwise;
    return handle(invocation, context);
  };
}

/** Split before it is decoded, as the handler does. What cannot be decoded is for the handler to refuse. */
function serviceIn(path: string): string | undefined {
  const [, service = ''] = path.split('/');
  try {
    return decodeURIComponent(service);
  } catch {
    return undefined;
  }
}
