import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LambdaContext, LambdaHttpResult } from '../../src/index.ts';

export interface HttpApi {
  readonly url: string;
  close(): void;
}

/**
 * A front door with the habits of an API Gateway HTTP API: it hands the path on decoded, joins repeated headers with a
 * comma, sends the body in base64, and gives a type to an answer that has none.
 */
export async function startHttpApi(
  handler: (event: unknown, context: LambdaContext) => Promise<LambdaHttpResult>,
): Promise<HttpApi> {
  const server = createServer(async (request, response) => {
    const result = await handler(await eventOf(request), {
      awsRequestId: 'request',
      functionName: 'function',
      getRemainingTimeInMillis: () => 60_000,
    });
    response.statusCode = result.statusCode;
    const headers = { 'content-type': 'text/plain;charset=UTF-8', ...result.headers };
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function eventOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const [path = '', query = ''] = (request.url ?? '').split('?');
  return {
    version: '2.0',
    rawPath: decodeURIComponent(path),
    rawQueryString: query,
    headers: Object.fromEntries(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.join(',')]),
    ),
    body: Buffer.concat(chunks).toString('base64'),
    isBase64Encoded: true,
    requestContext: { domainName: 'api.execute-api.eu-west-1.amazonaws.com', http: { method: request.method } },
  };
}
