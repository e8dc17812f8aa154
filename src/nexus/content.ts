import { HandlerError } from 'nexus-rpc';
import { HEADER, isSendableHeader } from './headers.ts';
import { parseMediaType } from './media-type.ts';
import type { Headers } from './message.ts';
import type { Payload } from './payload.ts';
import { decodePayload, encodePayload } from './payload-proto.ts';
import { quote } from './quote.ts';

/** The Payload encoding of content that Temporal has no encoding for; its metadata is the content's headers. */
export const UNKNOWN_CONTENT = 'unknown/nexus-content';

const TEMPORAL_PAYLOAD = 'application/x-temporal-payload';
const PREFIX = 'content-';

/**
 * The Payload that Temporal makes of an HTTP body and its `Content-*` headers; others are ignored.
 *
 * Temporal is strict: `application/json; charset=utf-8`, or a second `Content-*` header, make `unknown/nexus-content`.
 * With `lenient`, for clients and servers that are not Temporal, only the type counts, and that charset is JSON's own.
 *
 * @throws HandlerError BAD_REQUEST for a compressed body, for JSON that is not UTF-8 (what the text says is the
 * converter's to read), and for an `application/x-temporal-payload` that is none.
 */
export function contentToPayload(
  headers: Headers,
  body: Uint8Array,
  options: { readonly lenient?: boolean } = {},
): Payload {
  const compression = headers[HEADER.contentEncoding]?.trim().toLowerCase();
  if (compression !== undefined && compression !== '' && compression !== 'identity') {
    throw new HandlerError(
      'BAD_REQUEST',
      `Content-Encoding ${quote(compression)} is not supported; send the body as it is`,
    );
  }
  const content = Object.entries(headers)
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, value]) => [name.slice(PREFIX.length), value] as const)
    .filter(([name]) => (options.lenient ? name === 'type' : name !== 'encoding' && name !== 'length'));
  const metadata = metadataOf(content, body, options.lenient ?? false);
  if (metadata === TEMPORAL_PAYLOAD) return temporalPayload(body);
  const { encoding } = metadata;
  if (encoding === 'json/plain' || encoding === 'json/protobuf') checkUtf8(body);
  return { metadata: bytesOf(metadata), data: body };
}

/**
 * The HTTP body of a Payload with its `content-type`, as Temporal writes it. Whatever HTTP could not carry back as it
 * was (custom encodings, further metadata, values that are no header values) goes as `application/x-temporal-payload`.
 */
export function payloadToContent(payload: Payload): { headers: Record<string, string>; body: Uint8Array } {
  const headers = headersOf(payload);
  return headers === undefined
    ? { headers: { [HEADER.contentType]: TEMPORAL_PAYLOAD }, body: encodePayload(payload) }
    : { headers, body: payload.data };
}

type Content = readonly (readonly [name: string, value: string])[];

function metadataOf(
  content: Content,
  body: Uint8Array,
  lenient: boolean,
): Record<string, string> | 'application/x-temporal-payload' {
  const unknown = { ...Object.fromEntries(content), encoding: UNKNOWN_CONTENT };
  const [first, ...more] = content;
  if (first === undefined) return body.length === 0 ? { encoding: 'binary/null' } : unknown;
  if (more.length > 0 || first[0] !== 'type') return unknown;
  const mediaType = parseMediaType(first[1]);
  if (mediaType === undefined) return unknown;
  const { type, parameters } = mediaType;
  const messageType = parameters.get('message-type');
  switch (type) {
    case TEMPORAL_PAYLOAD:
      return TEMPORAL_PAYLOAD;
    case 'application/json':
      if (parameters.size === 0) return { encoding: 'json/plain' };
      if (lenient && parameters.size === 1 && /^utf-?8$/i.test(parameters.get('charset') ?? '')) {
        return { encoding: 'json/plain' };
      }
      return parameters.size === 2 && parameters.get('format') === 'protobuf' && messageType
        ? { encoding: 'json/protobuf', messageType }
        : unknown;
    case 'application/x-protobuf':
      return parameters.size === 1 && messageType ? { encoding: 'binary/protobuf', messageType } : unknown;
    case 'application/octet-stream':
      return parameters.size === 0 ? { encoding: 'binary/plain' } : unknown;
    default:
      return unknown;
  }
}

/** `undefined` where only the whole Payload says what this one says. */
function headersOf({ metadata, data }: Payload): Record<string, string> | undefined {
  const text = new Map(Object.entries(metadata).map(([name, value]) => [name, textOf(value)]));
  const messageType = text.get('messageType') ?? '';
  const typed = text.size === 2 && /^[\w.]+$/.test(messageType);
  switch (text.get('encoding')) {
    case 'json/plain':
      return text.size === 1 ? { [HEADER.contentType]: 'application/json' } : undefined;
    case 'binary/null':
      return text.size === 1 && data.length === 0 ? {} : undefined;
    case 'binary/plain':
      return text.size === 1 ? { [HEADER.contentType]: 'application/octet-stream' } : undefined;
    case 'json/protobuf':
      return typed
        ? { [HEADER.contentType]: `application/json; format=protobuf; message-type="${messageType}"` }
        : undefined;
    case 'binary/protobuf':
      return typed ? { [HEADER.contentType]: `application/x-protobuf; message-type="${messageType}"` } : undefined;
    case UNKNOWN_CONTENT:
      text.delete('encoding');
      return unknownHeaders(text, data);
    default:
      return undefined;
  }
}

function unknownHeaders(
  text: ReadonlyMap<string, string | undefined>,
  data: Uint8Array,
): Record<string, string> | undefined {
  const headers: [string, string][] = [];
  for (const [name, value] of text) {
    if (value === undefined || name !== name.toLowerCase() || name === 'length') return undefined;
    if (!isSendableHeader(name, value)) return undefined;
    headers.push([`${PREFIX}${name}`, value]);
  }
  const content = Object.fromEntries(headers);
  // What reads as one of the known rows would not come back as unknown.
  const again = metadataOf([...text] as unknown as Content, data, false);
  return typeof again !== 'string' && again.encoding === UNKNOWN_CONTENT ? content : undefined;
}

function temporalPayload(body: Uint8Array): Payload {
  try {
    return decodePayload(body);
  } catch (cause) {
    throw new HandlerError('BAD_REQUEST', `the body is no ${TEMPORAL_PAYLOAD}: ${(cause as Error).message}`, { cause });
  }
}

function checkUtf8(body: Uint8Array): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new HandlerError('BAD_REQUEST', 'the body is JSON but not UTF-8; send it in UTF-8', { cause });
  }
}

function bytesOf(metadata: Readonly<Record<string, string>>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, new TextEncoder().encode(value)]));
}

/** ASCII only, since bytes beyond it mean different characters on different ways through HTTP. */
function textOf(bytes: Uint8Array): string | undefined {
  return bytes.every((byte) => byte < 0x80) ? new TextDecoder().decode(bytes) : undefined;
}
