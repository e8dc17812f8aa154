import { expect, it } from 'vitest';
import { createLambdaInvoker } from '../../src/aws/lambda-invoker.ts';
import type { LambdaHttpResult } from '../../src/handler/invocation.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { invocation } from '../handler/requests.ts';

const ENDPOINT = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  functionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:shop-handler:live',
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

/** What comes of an invocation whose function answers this, and what is logged. */
async function invoke(payload: string) {
  const { lines, logger } = recordingLogger();
  const invoker = createLambdaInvoker({
    invokeFunction: async () => ({ Payload: Buffer.from(payload), $metadata: { requestId: 'r-1' } }),
    logger,
    random: () => 0,
  });
  const outcome: LambdaHttpResult | Error = await invoker
    .invoke(ENDPOINT, invocation('/a/b'), 1_000)
    .catch((error: Error) => error);
  return { outcome, lines };
}

it.each(['', 'null', '7', '{"till":"broken"}', '{"statusCode":200,"body":{}}'])(
  'says of the answer %j, which is no HTTP response, of which function and request it is, and logs it',
  async (payload) => {
    const { outcome, lines } = await invoke(payload);
    expect(outcome).toMatchObject({
      name: 'InvokeError',
      reason: 'bad-answer',
      message: expect.stringMatching(/look at the middlewares of function shop-handler:live, request r-1$/),
    });
    expect(lines).toMatchObject([{ level: 'warn', meta: { endpoint: 'shop', reason: 'bad-answer' } }]);
  },
);

it('passes an HTTP response on as it is', async () => {
  const { outcome, lines } = await invoke('{"statusCode":201,"headers":{"x-a":"1"},"body":"a"}');
  expect(outcome).toEqual({ statusCode: 201, headers: { 'x-a': '1' }, body: 'a' });
  expect(lines).toEqual([]);
});
