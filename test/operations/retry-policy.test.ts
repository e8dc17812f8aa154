import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DEFAULT_RETRY_POLICY, retryDelayMs } from '../../src/operations/retry-policy.ts';

const policy = fc
  .record({ initialMs: fc.integer({ min: 100, max: 3_600_000 }), more: fc.integer({ min: 0, max: 86_400_000 }) })
  .map(({ initialMs, more }) => ({ initialMs, maxMs: initialMs + more, poisonAttempts: 5 }));
const attempt = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 1_000_000 }));
const random = fc.double({ min: 0, max: 1, noNaN: true });

it('waits 1 s, then twice as long each time, up to an hour', () => {
  const delays = Array.from({ length: 14 }, (_, failed) => retryDelayMs(failed + 1, DEFAULT_RETRY_POLICY, 0) / 1_000);
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600]);
});

it('takes off a fifth at most, so that what failed together is not tried again together', () => {
  fc.assert(
    fc.property(attempt, policy, random, (failed, given, chance) => {
      const longest = Math.min(given.initialMs * 2 ** (failed - 1), given.maxMs);
      const delay = retryDelayMs(failed, given, chance);
      expect(delay).toBeLessThanOrEqual(longest);
      expect(delay).toBeGreaterThanOrEqual(Math.floor(longest * 0.8));
      expect(delay).toSatisfy(Number.isInteger);
    }),
  );
});

it('spreads over all of that fifth', () => {
  expect([0, 0.5, 1].map((chance) => retryDelayMs(4, DEFAULT_RETRY_POLICY, chance))).toEqual([8_000, 7_200, 6_400]);
});

it('waits no less than it was asked to, up to the longest, and spreads those who were asked for the same', () => {
  fc.assert(
    fc.property(attempt, policy, random, fc.integer({ min: 0, max: 1e12 }), (failed, given, chance, askedMs) => {
      const delay = retryDelayMs(failed, given, chance, askedMs);
      expect(delay).toBeGreaterThanOrEqual(Math.min(askedMs, given.maxMs));
      expect(delay).toBeLessThanOrEqual(given.maxMs);
      expect(delay).toBeGreaterThanOrEqual(retryDelayMs(failed, given, chance));
    }),
  );
  expect([0, 0.5, 1].map((chance) => retryDelayMs(1, DEFAULT_RETRY_POLICY, chance, 60_000))).toEqual([
    60_000, 66_000, 72_000,
  ]);
});
