import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { noticeSlowLoad } from '../../src/local/slow-load.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('says once that a module loads for more than 5 s, and waits on', async () => {
  const said: string[] = [];
  const module = Promise.withResolvers<string>();
  const loading = noticeSlowLoad(module.promise, (text) => said.push(text));
  vi.advanceTimersByTime(4999);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([expect.stringContaining('still loading after 5 s; does a top-level await wait')]);
  module.resolve('loaded');
  expect(await loading).toBe('loaded');
});

it('says nothing of a module that has loaded, or failed, within 5 s', async () => {
  const said: string[] = [];
  await noticeSlowLoad(Promise.resolve(), (text) => said.push(text));
  const failed = noticeSlowLoad(Promise.reject(new Error('no database')), (text) => said.push(text));
  await expect(failed).rejects.toThrow('no database');
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([]);
});
