import { request } from 'node:http';
import type { LambdaContext, LambdaHttpResult } from './invocation.ts';
import type { SqsBatchResponse } from './queue-side.ts';

/**
 * Ends this Lambda environment once its current answer is in, so that a handler that ran past its deadline does not
 * go on inside somebody else's request.
 *
 * Lambda freezes an environment as soon as its runtime asks for the next event, so a timer set now would fire inside
 * the next request and take that one down. So the answer is handed in here, by the call that a runtime hands it in
 * with, and the process ends when the Runtime API has acknowledged it. Lambda then starts a new environment.
 *
 * Resolves, for the runtime to hand the answer in as ever, where the Runtime API does not take it.
 */
export async function retireLambdaEnvironment(
  answer: LambdaHttpResult | SqsBatchResponse,
  { awsRequestId }: LambdaContext,
  exit: (code: number) => void = process.exit,
): Promise<void> {
  const api = process.env.AWS_LAMBDA_RUNTIME_API;
  if (api === undefined) return;
  const status = await post(
    `http://${api}/2018-06-01/runtime/invocation/${awsRequestId}/response`,
    JSON.stringify(answer),
  );
  if (status === 202) exit(0);
}

/** It is on the same machine, and answers within a millisecond or two. */
const RUNTIME_API_TIMEOUT_MS = 1_000;

/** The status of the answer; `undefined` where there was none. */
function post(url: string, body: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', headers, timeout: RUNTIME_API_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(undefined));
    sent.end(body);
  });
}
