import { encodeBase64 } from '../nexus/base64.ts';

/** What a token is made of, each in base64url. */
export interface OperationToken {
  /** Leads to the record: all repetitions of one start have the same. */
  readonly keyHash: string;
  /** Nobody but the caller who got it can know it, so all of the token has to be compared with the record's. */
  readonly secret: string;
}

/** Bytes of a SHA-256. */
const HASH_BYTES = 32;
const SECRET_BYTES = 16;

const TOKEN = /^(?<keyHash>[\w-]{43})\.(?<secret>[\w-]{22})$/;

/**
 * The token of a new operation, 66 characters that need no escaping in a header or a query. The hash is in it so that one
 * and the same item can be found by the key of a start and by the token of a cancel.
 *
 * @param keyHash SHA-256 of the record's `key`
 * @param secret 16 bytes that cannot be guessed
 * @throws RangeError where they are of another length
 */
export function createToken(keyHash: Uint8Array, secret: Uint8Array): string {
  if (keyHash.length !== HASH_BYTES) throw new RangeError(`a hash of ${keyHash.length} bytes; give ${HASH_BYTES}`);
  if (secret.length !== SECRET_BYTES) throw new RangeError(`a secret of ${secret.length} bytes; give ${SECRET_BYTES}`);
  return `${encodeBase64Url(keyHash)}.${encodeBase64Url(secret)}`;
}

/** The parts of a token; `undefined` where it is none of ours, such as a handler's own. */
export function parseToken(token: string): OperationToken | undefined {
  const { keyHash, secret } = TOKEN.exec(token)?.groups ?? {};
  return keyHash === undefined || secret === undefined ? undefined : { keyHash, secret };
}

function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
