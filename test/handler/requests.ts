import type { LambdaContext, LambdaHttpResult, NexusInvocation } from '../../src/index.ts';

/** An invocation as the router sends it. */
export function invocation(
  path: string,
  {
    body = '',
    headers = {},
    query = '',
    method = 'POST',
    timeoutMs = 10_000,
    endpoint = 'shop',
  }: Partial<InvocationParts> = {},
): NexusInvocation {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const type = typeof body === 'string' && body !== '' ? { 'content-type': 'application/json' } : {};
  return {
    nexusInvocation: 1,
    endpoint,
    principal: 'local',
    timeoutMs,
    request: { method, path, query, headers: { ...type, ...headers }, body: Buffer.from(bytes).toString('base64') },
  };
}

interface InvocationParts {
  readonly body: string | Uint8Array;
  readonly headers: Record<string, string>;
  readonly query: string;
  readonly method: string;
  readonly timeoutMs: number;
  readonly endpoint: string;
}

/** An API Gateway HTTP API event; `domainName` makes it a Function URL's. */
export function httpEvent(
  rawPath: string,
  { body, headers = {}, domainName = 'abc.execute-api.eu-west-1.amazonaws.com' }: HttpEventParts = {},
) {
  return {
    version: '2.0',
    rawPath,
    rawQueryString: '',
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    ...(body !== undefined && { body }),
    isBase64Encoded: false,
    requestContext: { domainName, http: { method: 'POST' } },
  };
}

interface HttpEventParts {
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly domainName?: string;
}

export const context = (remainingMs = 60_000): LambdaContext => ({
  awsRequestId: 'request-1',
  functionName: 'function-1',
  getRemainingTimeInMillis: () => remainingMs,
});

export function bodyBytes(result: LambdaHttpResult): Buffer {
  return Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8');
}

export function bodyJson(result: LambdaHttpResult): unknown {
  return JSON.parse(bodyBytes(result).toString());
}
