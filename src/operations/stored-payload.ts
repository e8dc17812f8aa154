import type { Link } from 'nexus-rpc';
import { decodeBase64 } from '../nexus/base64.ts';
import type { Payload } from '../nexus/payload.ts';
import type { JsonPayload } from '../nexus/proto-failure.ts';
import type { StoredLink } from './record.ts';

/** The payload of an outcome, in bytes. */
export function fromStoredPayload({ metadata = {}, data = '' }: JsonPayload): Payload {
  const decoded = Object.entries(metadata).map(([name, value]) => [name, decodeBase64(value)]);
  return { metadata: Object.fromEntries(decoded), data: decodeBase64(data) };
}

/** The link of an outcome. */
export function fromStoredLink({ url, type }: StoredLink): Link {
  return { url: new URL(url), type };
}
