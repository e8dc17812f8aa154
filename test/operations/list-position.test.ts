import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPosition, type ListPlace, parsePosition } from '../../src/operations/list-position.ts';

const place: fc.Arbitrary<ListPlace> = fc.record({
  acceptedAt: fc.oneof(fc.maxSafeNat(), fc.nat(20)),
  token: fc.stringMatching(/^[\w.-]{1,5}$/),
});

describe('a position in a list', () => {
  it('tells its place', () => {
    fc.assert(
      fc.property(place, (place) => {
        expect(parsePosition(formatPosition(place))).toEqual(place);
      }),
    );
  });

  it('sorts by time, then by token', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const before = a.acceptedAt < b.acceptedAt || (a.acceptedAt === b.acceptedAt && a.token < b.token);
        expect(formatPosition(a) < formatPosition(b)).toBe(before);
      }),
    );
  });

  it.each(['', '1.t', '0000000000000001', '0000000000000001.', 'x000000000000001.t', '00000000000000001.t'])(
    'is not %j',
    (text) => {
      expect(() => parsePosition(text)).toThrow(
        new TypeError(`"${text}" is no position in a list of operations; give the \`next\` of the page before`),
      );
    },
  );
});
