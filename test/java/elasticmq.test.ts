import { access } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { type ElasticMq, startElasticMq } from '../toolchain/elasticmq.ts';

const LONGEST_FETCH_MS = 10 * 60_000;

async function call(server: ElasticMq, operation: string, input: Record<string, unknown>): Promise<unknown> {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${operation}` },
    body: JSON.stringify(input),
  });
  return response.json();
}

it(
  'ElasticMQ keeps messages in queues, and leaves nothing when it is stopped',
  async () => {
    const server = await startElasticMq({ onProgress: console.log });
    const created = (await call(server, 'CreateQueue', { QueueName: 'things' })) as { QueueUrl: string };
    expect(created.QueueUrl).toBe(`${server.url}/000000000000/things`);
    await call(server, 'SendMessage', { ...created, MessageBody: 'hello' });
    expect(await call(server, 'ReceiveMessage', { ...created })).toMatchObject({ Messages: [{ Body: 'hello' }] });
    await server.stop();
    await expect(access(server.logFile)).rejects.toThrow('ENOENT');
  },
  LONGEST_FETCH_MS,
);
