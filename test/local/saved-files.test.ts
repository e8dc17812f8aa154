import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { onceSaved, timesOf } from '../../src/local/saved-files.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const folder = temporaryFolder();
  const shop = join(folder, 'shop.ts');
  const price = join(folder, 'price.ts');
  writeFileSync(shop, 'a');
  const saved = vi.fn<() => void>();
  const stop = onceSaved(timesOf([shop, price]), saved);
  return { shop, price, saved, stop, pass: () => vi.advanceTimersByTime(1_000) };
}

it.each([
  ['saved without a change', ({ shop }: Files) => utimesSync(shop, 1, 1)],
  ['removed', ({ shop }: Files) => rmSync(shop)],
  ['made', ({ price }: Files) => writeFileSync(price, '')],
])('tells once that a file was %s', (_how, change) => {
  const { saved, pass, ...files } = setUp();
  pass();
  expect(saved).not.toHaveBeenCalled();
  change(files);
  pass();
  expect(saved).toHaveBeenCalledOnce();
  writeFileSync(files.shop, 'b');
  pass();
  expect(saved).toHaveBeenCalledOnce();
});

it('overlooks that a file is read', () => {
  const { shop, saved, pass } = setUp();
  readFileSync(shop);
  pass();
  expect(saved).not.toHaveBeenCalled();
});

it('tells nothing after it was stopped', () => {
  const { shop, saved, stop, pass } = setUp();
  stop();
  utimesSync(shop, 1, 1);
  pass();
  expect(saved).not.toHaveBeenCalled();
});

interface Files {
  readonly shop: string;
  readonly price: string;
}
