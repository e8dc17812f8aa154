import { expect, it } from 'vitest';
import { attemptTimeMs } from '../../src/aws/attempt-time.ts';

it.each([
  { left: 900_000, expiresIn: undefined, has: 898_000, why: 'all but what it takes to write how it ended' },
  { left: 10_000, expiresIn: 60_000, has: 8_000, why: 'the same where the operation has more time than the function' },
  { left: 10_000, expiresIn: 3_000, has: 3_000, why: 'what the operation has, where that is less' },
  { left: 2_000, expiresIn: undefined, has: 1_500, why: 'three quarters of a short time' },
  { left: 200, expiresIn: undefined, has: 150, why: 'three quarters of what a slow start left' },
  { left: 10_000, expiresIn: -1, has: 0, why: 'nothing, where its own time is over' },
  { left: -5, expiresIn: undefined, has: 0, why: 'nothing, where the time of the function is over' },
])('gives a handler $has ms of $left: $why', ({ left, expiresIn, has }) => {
  const now = 1_000_000;
  const operation = expiresIn === undefined ? {} : { expiresAt: now + expiresIn };
  expect(attemptTimeMs(operation, { now, remainingMs: left })).toBe(has);
});
