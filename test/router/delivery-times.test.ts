import fc from 'fast-check';
import { expect, it } from 'vitest';
import { deliveryTimes, promotionTimes } from '../../src/router/delivery-times.ts';

it.each([
  [30_000, 29_800, 28_800],
  [10_000, 9_800, 8_800],
  [5_200, 5_000, 4_000],
  [4_000, 3_800, 3_040],
  [1_500, 1_425, 1_140],
  [100, 95, 76],
  [0, 0, 0],
  [-1, 0, 0],
])('of %d ms waits %d, and gives the handler %d', (leftMs, waitMs, handlerMs) => {
  expect(deliveryTimes(leftMs)).toEqual({ waitMs, handlerMs });
});

const leftMs = fc.double({ min: 0, max: 30_000, noNaN: true });

it('keeps time for the way back from the caller, and for the way there from the handler', () => {
  fc.assert(
    fc.property(leftMs, (left) => {
      const { waitMs, handlerMs } = deliveryTimes(left);
      const [wayBackMs, transportMs] = [left - waitMs, waitMs - handlerMs];
      expect(handlerMs).toBeGreaterThanOrEqual(0);
      expect(wayBackMs).toBeCloseTo(Math.min(200, left / 20), 6);
      expect(transportMs).toBeCloseTo(Math.min(1_000, waitMs / 5), 6);
    }),
  );
});

it('gives no handler less because its caller has more time', () => {
  fc.assert(
    fc.property(leftMs, leftMs, (a, b) => {
      const [less, more] = [deliveryTimes(Math.min(a, b)), deliveryTimes(Math.max(a, b))];
      expect(less.handlerMs).toBeLessThanOrEqual(more.handlerMs);
      expect(less.waitMs).toBeLessThanOrEqual(more.waitMs);
    }),
  );
});

it.each([
  [29_800, 29_300, 28_300],
  [9_800, 9_300, 8_300],
  [3_000, 2_700, 2_160],
  [1_000, 900, 720],
])(
  'of %d ms to wait promotes after %d, and has the handler write what it has from %d on',
  (waitMs, promoteMs, cutOffMs) => {
    expect(promotionTimes(waitMs)).toEqual({ promoteMs, cutOffMs });
  },
);
