import { expect, it } from 'vitest';
import { createOperationsHandler } from '../../src/aws/operations-handler.ts';
import { context } from '../handler/requests.ts';

const RULE = {
  queue: 'https://sqs.eu-west-1.amazonaws.com/111111111111/shop',
  eventSourceMapping: '6f9bba54-9a4d-4b4c-b0ad-54ac1f7bbf4e',
  endpoints: ['shop'],
};

function setUp() {
  const asked: unknown[] = [];
  const handler = createOperationsHandler({
    operations: {
      async reconcile() {
        asked.push('what is due');
        return 7;
      },
    },
    endpoints: { settle: async () => void asked.push('settle') },
    complete: async ({ body }) => void asked.push(body),
    async reconcileTaskQueue(rule) {
      asked.push(rule);
      return { mapping: 'kept' };
    },
  });
  return { asked, call: (event: unknown) => handler(event, context()) };
}

it('looks after what is due on the event of its schedule, and after a task queue on that of its rule', async () => {
  const { asked, call } = setUp();
  expect(await call({ source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} })).toEqual({ due: 7 });
  expect(await call({ taskQueue: RULE })).toEqual({ mapping: 'kept' });
  expect(asked).toEqual(['what is due', 'settle', RULE, 'settle']);
});

it('fails on the event of a rule that is wrong, and takes it for none of the schedule', async () => {
  const { asked, call } = setUp();
  await expect(call({ taskQueue: { ...RULE, endpoints: [] } })).rejects.toThrow(
    'taskQueue.endpoints of the event is []',
  );
  expect(asked).toEqual(['settle']);
});

it('takes the messages of a batch', async () => {
  const { asked, call } = setUp();
  const Records = [{ messageId: 'm', eventSource: 'aws:sqs', body: 'a completion' }];
  expect(await call({ Records })).toEqual({ batchItemFailures: [] });
  expect(asked).toEqual(['a completion', 'settle']);
});
