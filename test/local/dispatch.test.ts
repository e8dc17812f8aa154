import { expect, it } from 'vitest';
import type { LambdaContext, NexusInvocation } from '../../src/handler/invocation.ts';
import { dispatchByService } from '../../src/local/dispatch.ts';
import type { LambdaHandler } from '../../src/local/module-exports.ts';

const CONTEXT: LambdaContext = { awsRequestId: 'r', functionName: 'shop', getRemainingTimeInMillis: () => 1 };

function invocationOf(path: string): NexusInvocation {
  const request = { method: 'POST', path, query: '', headers: {}, body: '' };
  return { nexusInvocation: 1, endpoint: 'shop', principal: 'local', timeoutMs: 1, request };
}

function answering(body: string): LambdaHandler {
  return async () => ({ statusCode: 200, headers: {}, body, isBase64Encoded: false });
}

it.each([
  ['/orders/place', 'orders'],
  ['/orders/place/token/cancel', 'orders'],
  ['/orders', 'orders'],
  ['/%6Frders/place', 'orders'],
  ['/a%2Fb%25/place', 'a/b%'],
  ['/a/b%25/place', 'others'],
  ['/stock/place', 'others'],
  ['/__proto__/place', 'others'],
  ['/%E0%A4%A/place', 'others'],
  ['orders/place', 'others'],
  ['/', 'others'],
  ['', 'others'],
])('gives %s to the Lambda handler of the service: %s', async (path, expected) => {
  const handle = dispatchByService(
    new Map(['orders', 'a/b%'].map((name) => [name, answering(name)])),
    answering('others'),
  );
  expect((await handle(invocationOf(path), CONTEXT)).body).toBe(expected);
});
