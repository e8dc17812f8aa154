import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  formatDistance,
  formatFields,
  formatLocalTime,
  formatMoment,
  formatTable,
  oneLine,
} from '../../src/cli/output.ts';

const NOW = Date.UTC(2026, 0, 31, 9, 30, 5);

it.each([
  [0, '2026-01-31T09:30:05+00:00'],
  [60, '2026-01-31T10:30:05+01:00'],
  [-210, '2026-01-31T06:00:05-03:30'],
  [845, '2026-01-31T23:35:05+14:05'],
])('writes local time %d minutes ahead of UTC', (offset, text) => {
  expect(formatLocalTime(NOW, offset)).toBe(text);
});

it('writes a time that means the same second, wherever it is read', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0001-01-01'), max: new Date('9998-12-31'), noInvalidDate: true }),
      fc.integer({ min: -14 * 60, max: 14 * 60 }),
      (date, offset) => {
        const read = Date.parse(formatLocalTime(date.getTime(), offset));
        expect(date.getTime() - read).toBeGreaterThanOrEqual(0);
        expect(date.getTime() - read).toBeLessThan(1_000);
      },
    ),
  );
});

it.each([
  [37_000, 'in 37s'],
  [-7_505_000, '2h5m ago'],
  [0, 'now'],
  [-999, 'now'],
])('says of a time %d ms from now that it is %s', (ms, text) => {
  expect(formatDistance(NOW + ms, NOW)).toBe(text);
});

it('writes a moment by the zone that holds at that moment', () => {
  const shown = { now: NOW, offsetAt: (ms: number) => (ms > NOW ? 120 : 60) };
  expect(formatMoment('2026-01-31T09:30:04Z', shown)).toBe('2026-01-31T10:30:04+01:00 (1s ago)');
  expect(formatMoment('2026-01-31T09:30:06Z', shown)).toBe('2026-01-31T11:30:06+02:00 (in 1s)');
});

it('writes columns as wide as their widest text, and cuts lines to the terminal', () => {
  const heads = ['NAME', 'SAYS'];
  const rows = [
    ['a', 'first'],
    ['tee-löffel', 'a longer text'],
    ['b', ''],
  ];
  expect(formatTable(heads, rows, {}).split('\n')).toEqual([
    'NAME        SAYS',
    'a           first',
    'tee-löffel  a longer text',
    'b',
  ]);
  expect(formatTable(heads, rows, { width: 20 }).split('\n')[2]).toBe('tee-löffel  a longe…');
  expect(formatTable(heads, [], {})).toBe('');
});

it('writes fields under each other, and further lines of one below its first', () => {
  expect(
    formatFields([
      ['a', 'one\ntwo'],
      ['name', 'three'],
    ]),
  ).toBe('a     one\n      two\nname  three');
});

it('keeps the text of others from making a second line or steering the terminal', () => {
  expect(oneLine('down\r\n\u001b[31mred\u202e ')).toBe('down [31mred');
});
