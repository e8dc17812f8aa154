import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenProblem } from '../../src/nexus/token.ts';
import { createToken, parseToken } from '../../src/operations/operation-token.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('a token', () => {
  it('tells what it was made of, and is one that Temporal takes', () => {
    fc.assert(
      fc.property(bytes(32), bytes(16), (keyHash, secret) => {
        const token = createToken(keyHash, secret);
        expect(tokenProblem(token)).toBeUndefined();
        expect(encodeURIComponent(token)).toBe(token);
        expect(parseToken(token)).toEqual({
          keyHash: Buffer.from(keyHash).toString('base64url'),
          secret: Buffer.from(secret).toString('base64url'),
        });
      }),
    );
  });

  it.each([
    ['a hash', 31, 16, 'a hash of 31 bytes; give 32'],
    ['a secret', 32, 15, 'a secret of 15 bytes; give 16'],
  ])('is not made of %s of another length', (_, hash, secret, problem) => {
    expect(() => createToken(new Uint8Array(hash), new Uint8Array(secret))).toThrow(new RangeError(problem));
  });

  it.each([
    '',
    'a',
    '.',
    'a.b',
    `${'a'.repeat(43)}.${'b'.repeat(22)}\n`,
    `${'a'.repeat(43)}.${'='.repeat(22)}`,
    'x'.repeat(66),
  ])('is not %j', (text) => {
    expect(parseToken(text)).toBeUndefined();
  });
});
