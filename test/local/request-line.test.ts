import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { formatRequestLine } from '../../src/local/request-line.ts';

const FILE = new Writable();
const TERMINAL = Object.assign(new Writable(), { isTTY: true, getColorDepth: () => 8 });
const SUMMARY = { endpoint: 'shop', operation: 'orders/place', outcome: 'succeeded' };

it.each([
  [Math.PI, '3.1 ms'],
  [11.7, '12 ms'],
  [1234.5, '1235 ms'],
])('says endpoint, operation, outcome and %d as %s', (ms, said) => {
  expect(formatRequestLine(SUMMARY, ms, FILE)).toBe(`shop  orders/place  succeeded  ${said}`);
});

it('colours the outcome on a terminal only', () => {
  expect(formatRequestLine(SUMMARY, 1, TERMINAL)).toContain('\u001b[32msucceeded\u001b[39m');
});

it('keeps what a caller made up on one line, and from steering the terminal', () => {
  const line = formatRequestLine(
    { operation: 'a\u001b[2J/b\r\nfake', outcome: 'NOT_FOUND', message: 'x\u2028y\u202ez' },
    1,
    FILE,
  );
  expect(line).toBe('a [2J/b fake  NOT_FOUND  1.0 ms  x y z');
});

it('cuts what is very long', () => {
  expect(formatRequestLine({ ...SUMMARY, message: 'a'.repeat(5_000) }, 1, FILE).length).toBeLessThan(400);
});
