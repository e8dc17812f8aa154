import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shellWord } from '../../src/doctor/shell-word.ts';

it('leaves plain words and URLs as they are', () => {
  expect(shellWord('https://shop:PASSWORD@host:443/a/b?c=d')).toBe("'https://shop:PASSWORD@host:443/a/b?c=d'");
  expect(shellWord('https://shop:PASSWORD@host:443/a/b')).toBe('https://shop:PASSWORD@host:443/a/b');
});

it('means to a shell the text that it was given', () => {
  const words = fc.sample(
    fc.string({ unit: 'grapheme', minLength: 1 }).filter((word) => !/[\0\ud800-\udfff]/.test(word)),
    200,
  );
  const script = `printf '%s\\0' ${['$(id)', "it's", '`id`', '"', '\\', ...words].map(shellWord).join(' ')}`;
  expect(execFileSync('sh', ['-c', script]).toString().split('\0').slice(0, -1)).toEqual([
    '$(id)',
    "it's",
    '`id`',
    '"',
    '\\',
    ...words,
  ]);
});
