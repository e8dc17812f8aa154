import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { budgetOf, runUntil } from '../../src/handler/deadline.ts';

const RESERVE = 500;

describe('the time of a request', () => {
  it.each([
    ['the caller', { requestTimeoutMs: 10_000, gatewayMs: 30_000, lambdaMs: 60_000 }, 9_500],
    ['the gateway', { requestTimeoutMs: 60_000, gatewayMs: 30_000, lambdaMs: 60_000 }, 29_500],
    ['Lambda', { requestTimeoutMs: 10_000, gatewayMs: 30_000, lambdaMs: 3_000 }, 2_500],
    [
      'the caller in a hurry, who loses a fifth at most',
      { requestTimeoutMs: 1_000, gatewayMs: undefined, lambdaMs: 60_000 },
      800,
    ],
  ])('ends with %s', (_who, limits, handlerMs) => {
    expect(budgetOf(limits, RESERVE)?.handlerMs).toBe(handlerMs);
  });

  it('is unlimited where nothing limits it', () => {
    expect(
      budgetOf({ requestTimeoutMs: undefined, gatewayMs: undefined, lambdaMs: undefined }, RESERVE),
    ).toBeUndefined();
  });

  it('leaves the answer time to arrive, whatever the limits are', () => {
    const limit = fc.option(fc.double({ min: -1_000, max: 900_000, noNaN: true }), { nil: undefined });
    fc.assert(
      fc.property(limit, limit, limit, fc.nat(5_000), (requestTimeoutMs, gatewayMs, lambdaMs, reserveMs) => {
        const budget = budgetOf({ requestTimeoutMs, gatewayMs, lambdaMs }, reserveMs);
        const set = [requestTimeoutMs, gatewayMs, lambdaMs].filter((ms) => ms !== undefined);
        expect(budget === undefined).toBe(set.length === 0);
        if (budget === undefined) return;
        const earliest = Math.min(...set);
        expect(budget.letGoMs).toBeGreaterThanOrEqual(0);
        expect(budget.handlerMs + budget.letGoMs).toBeLessThanOrEqual(earliest);
        expect(budget.handlerMs).toBeGreaterThanOrEqual(Math.min(earliest, earliest * 0.8) - 1e-6);
      }),
    );
  });
});

describe('a run against a deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const budget = { handlerMs: 1_000, letGoMs: 100 };
  const run = () => ({ abort: new AbortController(), reason: () => new Error('over'), budget });

  it('gives the value of work that settles in time, and leaves no timer behind', async () => {
    const outcome = runUntil(run(), async () => 'done');
    await expect(outcome).resolves.toEqual({ kind: 'settled', value: 'done', late: false });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives the error of work that throws in time', async () => {
    const outcome = await runUntil(run(), async () => {
      throw new RangeError('no');
    });
    expect(outcome).toMatchObject({ kind: 'threw', error: new RangeError('no'), late: false });
  });

  it('fires the abort signal at the deadline with the reason, not before', async () => {
    const timed = run();
    const outcome = runUntil(timed, () => new Promise<never>(() => {}));
    await vi.advanceTimersByTimeAsync(999);
    expect(timed.abort.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(timed.abort.signal.reason).toEqual(new Error('over'));
    await vi.advanceTimersByTimeAsync(100);
    await expect(outcome).resolves.toMatchObject({ kind: 'abandoned' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes the value of work that lets go when it is told to', async () => {
    const timed = run();
    const outcome = runUntil(
      timed,
      () => new Promise((resolve) => timed.abort.signal.addEventListener('abort', () => resolve('partial'))),
    );
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(outcome).resolves.toEqual({ kind: 'settled', value: 'partial', late: true });
  });
});
