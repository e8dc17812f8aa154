import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDelayedQueue } from '../../src/local/delayed-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(concurrency = 10, handle: (message: string) => Promise<void> = async () => {}) {
  const handled: string[] = [];
  const errors: unknown[] = [];
  const queue = createDelayedQueue<string>({
    async handle(message) {
      handled.push(message);
      await handle(message);
    },
    keyOf: (message) => message,
    concurrency,
    onError: (error) => errors.push(error),
  });
  return { queue, handled, errors };
}

describe('a delayed queue', () => {
  it('handles a message at once that has not to wait, and another when its time has come', async () => {
    const { queue, handled } = setUp();
    queue.send('later', 1_000);
    queue.send('now', 0);
    queue.send('overdue', -5);
    expect(handled).toEqual(['now', 'overdue']);
    await vi.advanceTimersByTimeAsync(999);
    expect(handled).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(handled).toEqual(['now', 'overdue', 'later']);
  });

  it('handles so many at a time, and the others in their order', async () => {
    const first = Promise.withResolvers<void>();
    const { queue, handled } = setUp(2, async (message) => (message === 'a' ? first.promise : undefined));
    for (const message of ['a', 'b', 'c', 'd']) queue.send(message, 0);
    expect(handled).toEqual(['a', 'b']);
    await vi.advanceTimersByTimeAsync(0);
    expect(handled).toEqual(['a', 'b', 'c', 'd']);
    first.resolve();
  });

  it('handles a message again after a second that could not be handled', async () => {
    let fails = 2;
    const { queue, handled, errors } = setUp(1, async () => {
      if (fails-- > 0) throw new Error('no');
    });
    queue.send('a', 0);
    await vi.advanceTimersByTimeAsync(999);
    expect(handled).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(handled).toEqual(['a', 'a', 'a']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(handled).toHaveLength(3);
    expect(errors).toHaveLength(2);
  });

  it('holds a message while it waits, is handled, or is to be handled again', async () => {
    const first = Promise.withResolvers<void>();
    let fails = 1;
    const { queue } = setUp(1, async () => {
      if (fails-- > 0) throw new Error('no');
      await first.promise;
    });
    queue.send('a', 1_000);
    queue.send('b', 3_000);
    expect(queue.holds('a')).toBe(true);
    expect(queue.holds('c')).toBe(false);
    // At 1 s it fails, and is handled again at 2 s.
    for (const at of [1_500, 2_500, 3_500]) {
      await vi.advanceTimersByTimeAsync(at === 1_500 ? 1_500 : 1_000);
      expect([at, queue.holds('a'), queue.holds('b')]).toEqual([at, true, true]);
    }
    first.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect([queue.holds('a'), queue.holds('b')]).toEqual([false, false]);
  });

  it('holds one of two messages of a key when the other is done', async () => {
    const { queue } = setUp();
    queue.send('a', 0);
    queue.send('a', 1_000);
    await vi.advanceTimersByTimeAsync(500);
    expect(queue.holds('a')).toBe(true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(queue.holds('a')).toBe(false);
  });

  it('when it is closed waits for what it handles, and handles nothing more', async () => {
    const first = Promise.withResolvers<void>();
    const { queue, handled } = setUp(1, () => first.promise);
    queue.send('a', 0);
    queue.send('b', 0);
    queue.send('c', 10);
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    queue.send('d', 0);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(closed).toBe(false);
    first.reject(new Error('no'));
    await closing;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(handled).toEqual(['a']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
