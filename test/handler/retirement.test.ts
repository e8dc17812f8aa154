import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { invocation } from './requests.ts';

describe('a Lambda environment whose handler ran past its deadline', () => {
  it('hands in the timeout, and ends before it asks for the next request', async () => {
    const calls: string[] = [];
    const answers: { statusCode: number }[] = [];
    const runtimeApi = createServer(async (request, response) => {
      calls.push(`${request.method} ${request.url}`);
      if (request.method === 'GET') {
        response.setHeader('lambda-runtime-aws-request-id', 'id-1');
        response.end(JSON.stringify(invocation('/stuck/wait', { timeoutMs: 200 })));
        return;
      }
      let body = '';
      for await (const chunk of request) body += chunk;
      answers.push(JSON.parse(body));
      response.statusCode = 202;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(runtimeApi, 'listening');

    const env = { ...process.env, AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(runtimeApi.address() as AddressInfo).port}` };
    const runtime = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/runtime.ts')], {
      env,
      stdio: 'ignore',
    });
    const [code] = await once(runtime, 'exit');
    runtimeApi.close();

    expect(code).toBe(0);
    expect(answers).toEqual([expect.objectContaining({ statusCode: 520 })]);
    expect(calls).toEqual([
      'GET /2018-06-01/runtime/invocation/next',
      'POST /2018-06-01/runtime/invocation/id-1/response',
    ]);
  });
});
