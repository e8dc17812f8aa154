import { temporal } from '@temporalio/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePayload, encodePayload } from '../../src/nexus/payload-proto.ts';
import { anyPayload } from './arbitraries.ts';

const { Payload } = temporal.api.common.v1;
const plain = (bytes: Uint8Array) => Uint8Array.from(bytes);
/** protobufjs leaves out the one key that it cannot hold. */
const held = anyPayload.filter(({ metadata }) => !Object.hasOwn(metadata, '__proto__'));

describe('against the codec of @temporalio/proto', () => {
  it('writes what that reads', () => {
    fc.assert(
      fc.property(held, (payload) => {
        const { metadata, data } = Payload.decode(encodePayload(payload));
        const entries = Object.entries(metadata).map(([key, value]) => [key, plain(value)]);
        expect({ metadata: Object.fromEntries(entries), data: plain(data) }).toEqual(payload);
      }),
    );
  });

  it('reads what that writes', () => {
    fc.assert(
      fc.property(held, (payload) => {
        expect(decodePayload(plain(Payload.encode(payload).finish()))).toEqual(payload);
      }),
    );
  });

  it('skips the sizes of externally stored payloads', () => {
    const written = Payload.encode(
      Payload.fromObject({ data: Buffer.from('x'), externalPayloads: [{ sizeBytes: 300 }, { sizeBytes: 1 }] }),
    ).finish();
    expect(decodePayload(plain(written))).toEqual({ metadata: {}, data: new TextEncoder().encode('x') });
  });
});

describe('decodePayload', () => {
  it.each([
    ['nothing', [], ''],
    ['a varint', [0x78, 0x96, 0x01, 0x12, 1, 0x61], 'a'],
    ['eight fixed bytes', [0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 1, 0x61], 'a'],
    ['four fixed bytes', [0x7d, 1, 2, 3, 4, 0x12, 1, 0x61], 'a'],
    ['a group, and what is in it', [0x7b, 0x12, 1, 0x62, 0x7b, 0x7c, 0x7c, 0x12, 1, 0x61], 'a'],
    ['data of another type', [0x10, 5, 0x12, 1, 0x61], 'a'],
    ['data that comes again', [0x12, 1, 0x62, 0x12, 1, 0x61], 'a'],
  ])('skips %s', (_, bytes, data) => {
    expect(new TextDecoder().decode(decodePayload(Uint8Array.from(bytes)).data)).toBe(data);
  });

  it.each([
    ['a length beyond the end', [0x12, 5, 0x61]],
    ['a tag without content', [0x12]],
    ['a varint without end', [0x78, 0x80, 0x80]],
    ['a varint of eleven bytes', [0x78, ...Array<number>(10).fill(0x80), 1]],
    ['a field of number 0', [0x02, 0]],
    ['a field number too high', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ['a wire type 6', [0x7e]],
    ['a wire type 7', [0x7f]],
    ['a group without end', [0x7b]],
    ['an end without group', [0x7c]],
    ['the end of another group', [0x7b, 0x74]],
    ['a fixed number cut short', [0x79, 1, 2]],
    ['an entry that is malformed', [0x0a, 2, 0x0a, 9]],
    ['a key that is not UTF-8', [0x0a, 3, 0x0a, 1, 0xff]],
  ])('fails when given %s', (_, bytes) => {
    expect(() => decodePayload(Uint8Array.from(bytes))).toThrow(/^malformed temporal.api.common.v1.Payload: /);
  });

  it('only ever fails with a TypeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodePayload(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('takes __proto__ for a key like any other', () => {
    const key = [...new TextEncoder().encode('__proto__')];
    const { metadata } = decodePayload(
      Uint8Array.from([0x0a, key.length + 5, 0x0a, key.length, ...key, 0x12, 1, 0x61]),
    );
    expect(Object.keys(metadata)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });
});
