import { describe, expect, it } from 'vitest';
import { isOfTaskQueueRule, parseTaskQueueRule } from '../../src/aws/task-queue-rule.ts';

const RULE = {
  queue: 'https://sqs.eu-west-1.amazonaws.com/111111111111/shop',
  eventSourceMapping: '6f9bba54-9a4d-4b4c-b0ad-54ac1f7bbf4e',
  endpoints: ['shop', 'bank'],
};

describe('the event of the rule of a task queue', () => {
  it('is told from those of the schedule and of queues', () => {
    expect(isOfTaskQueueRule({ taskQueue: RULE })).toBe(true);
    expect(isOfTaskQueueRule({ taskQueue: undefined })).toBe(true);
    const others = [{}, null, 'taskQueue', { source: 'aws.events', detail: {} }, { Records: [] }];
    expect(others.filter(isOfTaskQueueRule)).toEqual([]);
  });

  it('is read as it is written', () => {
    expect(parseTaskQueueRule({ taskQueue: RULE })).toEqual(RULE);
  });

  it.each([
    [undefined, 'taskQueue of the event is missing; it takes an object with queue, eventSourceMapping, endpoints'],
    [[], 'taskQueue of the event is []; it takes an object'],
    [{ ...RULE, queue: 'shop' }, 'taskQueue.queue of the event is "shop"; it takes the URL of a queue'],
    [{ ...RULE, queue: undefined }, 'taskQueue.queue of the event is missing; it takes the URL'],
    [
      { ...RULE, eventSourceMapping: '../functions' },
      'taskQueue.eventSourceMapping of the event is "../functions"; it',
    ],
    [{ ...RULE, endpoints: [] }, 'taskQueue.endpoints of the event is []; it takes a list of names, one at least'],
    [{ ...RULE, endpoints: 'shop' }, 'taskQueue.endpoints of the event is "shop"; it takes a list'],
    [{ ...RULE, endpoints: ['shop', 'no name'] }, 'taskQueue.endpoints of the event is ["shop","no name"]; it takes'],
    [
      { ...RULE, enabled: true },
      'taskQueue.enabled of the event is true; it takes queue, eventSourceMapping, endpoints and',
    ],
  ])('is refused as %o, with what is wrong and what to do', (taskQueue, message) => {
    const parse = () => parseTaskQueueRule({ taskQueue });
    expect(parse).toThrow(TypeError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/deploy the stack of its endpoints again$/);
  });
});
