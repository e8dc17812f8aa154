import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatAge, parseAge } from '../../src/cli/age.ts';

it.each([
  ['0s', 0],
  ['90s', 90_000],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['3d', 259_200_000],
  ['1h30m', 5_400_000],
  ['1d1h1m1s', 90_061_000],
])('reads %s', (text, ms) => {
  expect(parseAge(text)).toBe(ms);
});

it.each(['', '10', 'm', '-1m', '1.5h', '1m1h', '10 m', '10min', '1w', '1000ms', '9999999s'])('refuses "%s"', (text) => {
  expect(() => parseAge(text)).toThrow('Give a time such as 90s, 10m, 2h, 3d or 1h30m.');
});

it.each([
  [0, '0s'],
  [999, '0s'],
  [59_999, '59s'],
  [119_000, '1m59s'],
  [120_000, '2m'],
  [7_505_000, '2h5m'],
  [86_399_999, '23h59m'],
  [-5_000, '0s'],
])('writes %d ms as %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

it('writes what it reads, and loses less than the smaller of two units', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 * 86_400_000 }), (ms) => {
      const read = parseAge(formatAge(ms));
      const smaller = ms >= 86_400_000 ? 3_600_000 : ms >= 3_600_000 ? 60_000 : 1_000;
      expect(ms - read).toBeGreaterThanOrEqual(0);
      expect(ms - read).toBeLessThan(smaller);
      expect(formatAge(read)).toBe(formatAge(ms));
    }),
  );
});
