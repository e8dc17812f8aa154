import { type SendMessageCommandInput, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCompletionMessage, parseWakeUp } from '../../src/aws/queue-messages.ts';
import { createSqsQueues } from '../../src/aws/sqs-queues.ts';
import { endedOperation } from '../operations/ended-operation.ts';

const outcome = { state: 'failed', failure: { message: 'no' }, links: [], at: 1 } as const;
const queues = { task: 'https://sqs/task', deadLetter: 'https://sqs/dead', completion: 'https://sqs/done' };
const record = { ...endedOperation(outcome, { url: 'https://a.example.com/', headers: {} }), queues };
const wakeUp = { token: record.token, attempt: 3 };

/** Queues, and what was sent to them. */
function openQueues() {
  const sent: SendMessageCommandInput[] = [];
  const clock = { time: 0, now: () => clock.time };
  const backlog = { messages: '0', asked: 0 };
  const client = new SQSClient({ region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 's' } });
  client.middlewareStack.add(
    (_next, { commandName }) =>
      async ({ input }) => {
        if (commandName !== 'GetQueueAttributesCommand') {
          sent.push(input as SendMessageCommandInput);
          return { response: {}, output: { $metadata: {} } };
        }
        backlog.asked++;
        const Attributes = { ApproximateNumberOfMessages: backlog.messages };
        return { response: {}, output: { $metadata: {}, Attributes } };
      },
    { step: 'initialize', priority: 'high' },
  );
  const queues = createSqsQueues({ client, tableName: 'operations', endpointsTable: 'endpoints', clock });
  return { sent, clock, backlog, queues };
}

describe('the queues of SQS', () => {
  it('wake an attempt in the queue that the record names, in the group of its caller', async () => {
    const { sent, queues } = openQueues();
    await queues.send({ ...record, principal: 'basic:orders' }, wakeUp, 0);
    expect(sent).toMatchObject([{ QueueUrl: 'https://sqs/task', DelaySeconds: 0, MessageGroupId: 'basic:orders' }]);
    expect(parseWakeUp(sent[0]?.MessageBody ?? '')).toEqual({
      nexusWakeUp: 1,
      table: 'operations',
      ...wakeUp,
      from: { table: 'endpoints', endpoint: record.endpoint, principal: 'basic:orders' },
    });
  });

  it('never wake one before its time, and wait as long as SQS can at most', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 900_000 }), async (delayMs) => {
        const { sent, queues } = openQueues();
        await queues.send(record, wakeUp, delayMs);
        const [{ DelaySeconds = -1 } = {}] = sent;
        expect(Number.isInteger(DelaySeconds) && DelaySeconds <= 900).toBe(true);
        expect(DelaySeconds * 1000 - delayMs).toBeGreaterThanOrEqual(0);
        expect(DelaySeconds * 1000 - delayMs).toBeLessThan(1000);
      }),
    );
  });

  it('have a group for each principal, of what SQS takes as its id', async () => {
    const principal = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).map((name) => `jwt:${name}`);
    await fc.assert(
      fc.asyncProperty(principal, async (principal) => {
        const { sent, queues } = openQueues();
        await queues.send({ ...record, principal }, wakeUp, 0);
        expect(sent[0]?.MessageGroupId).toMatch(/^[\x21-\x7e]{1,128}$/);
      }),
    );
  });

  it('may hold a wake-up while messages wait in them, as was asked in the last five seconds', async () => {
    const { queues, clock, backlog } = openQueues();
    const mayHold = async () => queues.mayHold(record, wakeUp);
    expect(await mayHold()).toBe(false);
    backlog.messages = '3';
    clock.time = 4_999;
    expect(await mayHold()).toBe(false);
    expect(backlog.asked).toBe(1);
    clock.time = 5_000;
    expect(await Promise.all([mayHold(), mayHold()])).toEqual([true, true]);
    expect(backlog.asked).toBe(2);
  });

  it('take an attempt out with the reason', async () => {
    const { sent, queues } = openQueues();
    await queues.deadLetter(record, wakeUp, 'it crashed');
    expect(sent).toMatchObject([{ QueueUrl: 'https://sqs/dead' }]);
    expect(parseWakeUp(sent[0]?.MessageBody ?? '')).toMatchObject({ ...wakeUp, reason: 'it crashed' });
  });

  it('send a completion with its record', async () => {
    const { sent, queues } = openQueues();
    await queues.completions.send(record, 1_500);
    expect(sent).toMatchObject([{ QueueUrl: 'https://sqs/done', DelaySeconds: 2 }]);
    expect(parseCompletionMessage(sent[0]?.MessageBody ?? '').record?.outcome).toEqual(outcome);
  });

  it('fail for an operation that names none', async () => {
    const { queues: _, ...local } = record;
    const message = `operation ${record.token} names no queues: it was not accepted by a router of nexus-lambda on AWS`;
    await expect(openQueues().queues.send(local, wakeUp, 0)).rejects.toThrow(message);
  });
});
