import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createStoreReach } from '../../src/router/store-reach.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const { lines, logger } = recordingLogger();
  return { lines, reach: createStoreReach({ clock: Date, logger }) };
}

const fails = async () => {
  throw new Error('no such table');
};

it('gives what the store answers in time', async () => {
  const { lines, reach } = setUp();
  const call = reach.call(() => new Promise((resolve) => setTimeout(resolve, 299, 'answer')));
  await vi.advanceTimersByTimeAsync(299);
  expect(await call).toEqual({ value: 'answer' });
  expect(lines).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('gives nothing after 300 ms, and tells the call so', async () => {
  const { lines, reach } = setUp();
  const signals: AbortSignal[] = [];
  const call = reach.call((signal) => {
    signals.push(signal);
    return new Promise(() => {});
  });
  await vi.advanceTimersByTimeAsync(300);
  expect(await call).toBeUndefined();
  expect(signals[0]?.reason).toEqual(new Error('no answer within 300 ms'));
  expect(lines).toMatchObject([{ level: 'warn', meta: { error: new Error('no answer within 300 ms') } }]);
});

it('makes no call for five seconds after one that failed', async () => {
  const { reach } = setUp();
  let calls = 0;
  const ask = async () => ++calls;
  expect(await reach.call(fails)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(4_999);
  expect(await reach.call(ask)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(await reach.call(ask)).toEqual({ value: 1 });
  expect(calls).toBe(1);
});

it('makes a call all the same that gives something back for which others wait', async () => {
  const { reach } = setUp();
  await reach.call(fails);
  expect(await reach.call(async () => 'freed', { isOwed: true })).toEqual({ value: 'freed' });
  expect(await reach.call(async () => 'taken')).toBeUndefined();
});

it('says at most once a minute that starts are let through', async () => {
  const { lines, reach } = setUp();
  for (let second = 0; second < 121; second++) {
    await reach.call(fails);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(lines.map(({ message }) => message)).toEqual(
    Array(3).fill('the store of limits could not be reached; starts are let through unlimited'),
  );
});

it('goes on at once where the clock was set back', async () => {
  const { reach } = setUp();
  await reach.call(fails);
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(await reach.call(async () => 'answer')).toEqual({ value: 'answer' });
});
