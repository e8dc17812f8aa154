import type { Payload } from './payload.ts';

// temporal.api.common.v1.Payload: map<string, bytes> metadata = 1; bytes data = 2. A map entry is key = 1, value = 2.
const FIRST = (1 << 3) | 2;
const SECOND = (2 << 3) | 2;
const EMPTY = new Uint8Array();

/** A Payload in protobuf: the body of `application/x-temporal-payload`. */
export function encodePayload({ metadata, data }: Payload): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (const [key, value] of Object.entries(metadata)) {
    const entry: Uint8Array[] = [];
    field(entry, FIRST, new TextEncoder().encode(key));
    field(entry, SECOND, value);
    field(chunks, FIRST, joined(entry));
  }
  if (data.length > 0) field(chunks, SECOND, data);
  return joined(chunks);
}

/**
 * The Payload of such a body. Fields that it does not know are skipped, among them the sizes of externally stored
 * payloads (`external_payloads`), which are for statistics; the reference to the stored payload itself is data.
 *
 * @throws TypeError where the bytes are no such message.
 */
export function decodePayload(bytes: Uint8Array): Payload {
  const metadata: [string, Uint8Array][] = [];
  let data: Uint8Array = EMPTY;
  for (const [tag, content] of fields(bytes)) {
    if (tag === SECOND) data = content;
    if (tag !== FIRST) continue;
    let key = '';
    let value: Uint8Array = EMPTY;
    for (const [entryTag, part] of fields(content)) {
      if (entryTag === FIRST) key = utf8(part);
      if (entryTag === SECOND) value = part;
    }
    metadata.push([key, value]);
  }
  // Not by assignment: a key may be `__proto__`.
  return { metadata: Object.fromEntries(metadata), data };
}

function field(chunks: Uint8Array[], tag: number, content: Uint8Array): void {
  const head = [tag];
  let length = content.length;
  for (; length > 0x7f; length = Math.floor(length / 128)) head.push((length % 128) | 0x80);
  head.push(length);
  chunks.push(Uint8Array.from(head), content);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The fields of a message with their content; only that of a length-delimited field is more than empty. */
function* fields(bytes: Uint8Array): Generator<[tag: number, content: Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed('it ends too early');
      value += (byte & 0x7f) * 128 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a number is too long');
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw malformed('it ends too early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const groups: number[] = [];
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (number === 0 || number > 0x1fff_ffff) throw malformed('a field has an impossible number');
    let content: Uint8Array = EMPTY;
    const type = tag % 8;
    if (type === 0) varint();
    else if (type === 1) take(8);
    else if (type === 2) content = take(varint());
    else if (type === 3) groups.push(number);
    else if (type === 4) {
      if (groups.pop() !== number) throw malformed('a group ends that did not begin');
    } else if (type === 5) take(4);
    else throw malformed('a field has an impossible type');
    if (groups.length === 0) yield [tag, content];
  }
  if (groups.length > 0) throw malformed('it ends too early');
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('a metadata key is not UTF-8');
  }
}

function malformed(reason: string): TypeError {
  return new TypeError(`malformed temporal.api.common.v1.Payload: ${reason}`);
}
