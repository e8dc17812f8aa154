import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/nexus/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0ms', 0],
    ['250ms', 250],
    ['10.5ms', 10.5],
    ['1.3s', 1300],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1m30s', 90_000],
    ['1h2m3.5s', 3_723_500],
    ['100µs', 0.1], // U+00B5
    ['100μs', 0.1], // U+03BC
    ['100us', 0.1],
    ['.5s', 500],
    ['1.s', 1000],
    ['0', 0],
    ['-5s', -5000],
    ['+5s', 5000],
    ['-0s', 0],
  ])('reads %s as %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 6);
  });

  it('keeps what is finer than a millisecond', () => {
    expect(parseDuration('59.998123s')).toBeCloseTo(59_998.123, 6);
    expect(parseDuration('1ns')).toBeCloseTo(1e-6, 12);
  });

  it.each(['', ' ', '5', 's', '.s', '1 s', ' 1s', '1s ', '1d', '1e3ms', 'Infinityms', '--1s', '1s-1s', '１s'])(
    'finds no timeout in %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it('finds no timeout in a time that no Go server could hold', () => {
    expect(parseDuration('9223372036854ms')).toBe(9_223_372_036_854);
    expect(parseDuration('9223372036855ms')).toBeUndefined();
    expect(parseDuration(`${'9'.repeat(400)}h`)).toBeUndefined();
  });

  it('reads a hostile header in linear time', () => {
    const began = performance.now();
    expect(parseDuration(`${'1'.repeat(60_000)}x`)).toBeUndefined();
    expect(parseDuration(`${'1s'.repeat(30_000)}x`)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('formatDuration', () => {
  it('writes whole milliseconds, rounded up, so that no timeout becomes none', () => {
    expect(formatDuration(1500)).toBe('1500ms');
    expect(formatDuration(0.2)).toBe('1ms');
    expect(formatDuration(0)).toBe('0ms');
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 1e18])('fails when given %d', (ms) => {
    expect(() => formatDuration(ms)).toThrow(RangeError);
  });
});
