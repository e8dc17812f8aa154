import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { contentToPayload, payloadToContent } from '../../src/nexus/content.ts';
import { encodePayload } from '../../src/nexus/payload-proto.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (metadata: Record<string, string>) =>
  Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, utf8(value)]));

const TEMPORAL = 'application/x-temporal-payload';
const PROTO_JSON = 'application/json; format=protobuf; message-type="a.B"';
const PROTO = 'application/x-protobuf; message-type="a.B"';

describe.each([
  ['json/plain', { encoding: 'json/plain' }, '{"a":1}', { 'content-type': 'application/json' }],
  ['binary/null', { encoding: 'binary/null' }, '', {}],
  ['binary/plain', { encoding: 'binary/plain' }, 'abc', { 'content-type': 'application/octet-stream' }],
  ['json/protobuf', { encoding: 'json/protobuf', messageType: 'a.B' }, '{}', { 'content-type': PROTO_JSON }],
  ['binary/protobuf', { encoding: 'binary/protobuf', messageType: 'a.B' }, 'x', { 'content-type': PROTO }],
  [
    'unknown/nexus-content',
    { encoding: 'unknown/nexus-content', type: 'text/html', language: 'en' },
    'x',
    { 'content-type': 'text/html', 'content-language': 'en' },
  ],
])('%s', (_, metadata, data, headers) => {
  it('is content with its own type', () => {
    const content = payloadToContent({ metadata: bytesOf(metadata), data: utf8(data) });
    expect(content.headers).toEqual(headers);
    expect(text(content.body)).toBe(data);
  });

  it('is read from that content', () => {
    expect(contentToPayload(headers, utf8(data))).toEqual({ metadata: bytesOf(metadata), data: utf8(data) });
  });
});

describe('a payload that has no content of its own goes whole as application/x-temporal-payload', () => {
  it.each([
    ['no metadata', {}],
    ['a codec', { encoding: 'binary/encrypted' }],
    ['JSON with one key more', { encoding: 'json/plain', extra: '' }],
    ['null with data', { encoding: 'binary/null' }],
    ['null with one key more', { encoding: 'binary/null', extra: '' }],
    ['bytes with one key more', { encoding: 'binary/plain', extra: '' }],
    ['protobuf without a type', { encoding: 'binary/protobuf' }],
    ['protobuf JSON without a type', { encoding: 'json/protobuf' }],
    ['protobuf with an odd type', { encoding: 'binary/protobuf', messageType: 'a"; x="b' }],
    ['protobuf with one key more', { encoding: 'json/protobuf', messageType: 'a.B', extra: '' }],
    ['unknown content that would break a header', { encoding: 'unknown/nexus-content', type: 'a\r\nx: y' }],
    ['unknown content whose key is no header', { encoding: 'unknown/nexus-content', 'a b': 'c' }],
    ['unknown content that would lie about its length', { encoding: 'unknown/nexus-content', length: '5' }],
    ['unknown content beyond ASCII', { encoding: 'unknown/nexus-content', language: 'ä' }],
    ['unknown content in capitals', { encoding: 'unknown/nexus-content', Type: 'a/b' }],
    ['unknown content that would be read as JSON', { encoding: 'unknown/nexus-content', type: 'application/json' }],
  ])('%s', (_, metadata) => {
    const payload = { metadata: bytesOf(metadata), data: utf8('x') };
    const { headers, body } = payloadToContent(payload);
    expect(headers).toEqual({ 'content-type': TEMPORAL });
    expect(body).toEqual(encodePayload(payload));
    expect(contentToPayload(headers, body)).toEqual(payload);
  });
});

describe('content that Temporal does not understand', () => {
  it.each([
    ['a charset', { 'content-type': 'application/json; charset=utf-8' }, '{}'],
    ['a second content header', { 'content-type': 'application/json', 'content-language': 'en' }, '{}'],
    ['an empty type', { 'content-type': '' }, ''],
    ['a malformed type', { 'content-type': 'json' }, '{}'],
    ['a malformed parameter', { 'content-type': 'application/json; x' }, '{}'],
    ['a parameter given twice', { 'content-type': 'application/json; x=1; x=1' }, '{}'],
    ['bytes with a parameter', { 'content-type': 'application/octet-stream; x=1' }, ''],
    ['bytes without a type', {}, 'x'],
    ['protobuf without its type', { 'content-type': 'application/x-protobuf' }, ''],
    ['protobuf JSON without its type', { 'content-type': 'application/json; format=protobuf; x=1' }, '{}'],
    ['another header alone', { 'content-language': 'en' }, ''],
  ])('is unknown/nexus-content with its headers as metadata: %s', (_, headers, data) => {
    const stripped = Object.entries(headers).map(([name, value]) => [name.slice('content-'.length), value]);
    expect(contentToPayload(headers, utf8(data))).toEqual({
      metadata: bytesOf({ ...Object.fromEntries(stripped), encoding: 'unknown/nexus-content' }),
      data: utf8(data),
    });
  });

  it.each([
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    'application/json; charset="utf8" ',
    'application/json;',
  ])('is JSON where it is %s and the reader lenient', (type) => {
    const headers = { 'content-type': type, 'content-language': 'en' };
    const { metadata } = contentToPayload(headers, utf8('{}'), { lenient: true });
    expect(metadata).toEqual(bytesOf({ encoding: 'json/plain' }));
  });

  it('stays unknown to a lenient reader in another charset', () => {
    const { metadata } = contentToPayload({ 'content-type': 'application/json; charset=latin1' }, utf8('{}'), {
      lenient: true,
    });
    expect(metadata.encoding).toEqual(utf8('unknown/nexus-content'));
  });
});

it('does not count the length and the identity encoding among the content headers', () => {
  const headers = { 'content-type': 'application/json', 'content-length': '2', 'content-encoding': 'Identity' };
  expect(contentToPayload(headers, utf8('{}')).metadata).toEqual(bytesOf({ encoding: 'json/plain' }));
});

it('reads parameters in any order and spelling', () => {
  const type = 'Application/JSON ; Message-Type = "a\\.B";FORMAT=protobuf ';
  expect(contentToPayload({ 'content-type': type }, utf8('{}')).metadata).toEqual(
    bytesOf({ encoding: 'json/protobuf', messageType: 'a.B' }),
  );
});

it.each([
  ['compressed content', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, [0x1f, 0x8b], /gzip/],
  ['JSON that is not UTF-8', { 'content-type': 'application/json' }, [0x22, 0xff, 0x22], /UTF-8/],
  ['protobuf JSON that is not UTF-8', { 'content-type': PROTO_JSON }, [0xc0, 0x80], /UTF-8/],
  ['a payload that is no protobuf', { 'content-type': TEMPORAL }, [0x12, 9], /malformed/],
])('fails with BAD_REQUEST when given %s', (_, headers, bytes, message) => {
  const read = () => contentToPayload(headers, Uint8Array.from(bytes));
  expect(read).toThrow(HandlerError);
  expect(read).toThrow(expect.objectContaining({ type: 'BAD_REQUEST', message: expect.stringMatching(message) }));
});

it('reads a hostile content type in linear time', () => {
  const began = performance.now();
  for (const type of [`a/b;${' '.repeat(60_000)}x`, `a/b${'; x'.repeat(20_000)}`, `a/b; x="${'\\'.repeat(60_000)}`]) {
    expect(contentToPayload({ 'content-type': type }, utf8('')).metadata.encoding).toEqual(
      utf8('unknown/nexus-content'),
    );
  }
  expect(performance.now() - began).toBeLessThan(1000);
});
