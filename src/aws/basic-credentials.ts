import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeBase64 } from '../nexus/base64.ts';

/** What somebody who calls says to be and to know. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** A user with a password, as it is kept in memory. */
export interface KnownCredentials {
  readonly user: string;
  /** SHA-256 of `user:password`. */
  readonly digest: Uint8Array;
}

/**
 * Longest `user:password`, in bytes of UTF-8: as long as the target URL that Temporal stores may be in all. Longer ones
 * are refused in the secret already, so that none is accepted there and never let in.
 */
export const MAX_CREDENTIALS_BYTES = 4_096;

/** Longest name of a user, in characters: it becomes part of the key of every operation of theirs. */
export const MAX_USER_LENGTH = 128;

const HEADER = /^basic +(\S+) *$/i;

/** Characters that cannot be seen or end a line: such a name would read like another's in a log. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * The user and password in an `Authorization` header of HTTP Basic (RFC 7617, UTF-8), whatever they are. `undefined` for
 * any other header.
 */
export function parseBasicHeader(header: string): BasicCredentials | undefined {
  const token = HEADER.exec(header)?.[1];
  if (token === undefined) return undefined;
  try {
    const bytes = decodeBase64(token);
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const colon = text.indexOf(':');
    if (colon === -1 || bytes.length > MAX_CREDENTIALS_BYTES) return undefined;
    return { user: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    // Neither base64 nor UTF-8 is all that can be wrong, and the caller is told nothing but no.
    return undefined;
  }
}

/**
 * The user of the known credentials that these are, `undefined` where there are none.
 *
 * Takes as long whichever they are, if any: it compares digests, in constant time each, and always all of them.
 */
export function matchCredentials(given: BasicCredentials, known: readonly KnownCredentials[]): string | undefined {
  const digest = digestOf(given);
  let user: string | undefined;
  for (const one of known) {
    if (timingSafeEqual(digest, one.digest)) user = one.user;
  }
  return user;
}

/**
 * Reads one version of the secret: a JSON object, user → password. One without members lets nobody in.
 *
 * @throws TypeError that says what to change. It names a member by its position alone: what should be a user may be a
 * password that was put in the wrong place.
 */
export function parseCredentialSecret(text: string): KnownCredentials[] {
  const members = Object.entries(parseObject(text));
  const known = members.map(([user, password], index) => {
    const problem = problemOfUser(user) ?? problemOfPassword(user, password);
    if (problem !== undefined) throw new TypeError(`member ${index + 1} of the object ${problem}`);
    return { user, digest: digestOf({ user, password: password as string }) };
  });
  if (countStrings(text) !== 2 * members.length) {
    throw new TypeError('a user is named twice; a second password for the same user goes into a version of its own');
  }
  if (members.length === 2 && members.every(([user]) => user === 'username' || user === 'password')) {
    throw new TypeError(
      'it has the members "username" and "password", as the secret of a database has; the user is the name of the ' +
        'member here, and the password its value',
    );
  }
  return known;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not kept as the cause: its message quotes the text.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TypeError('it is no JSON object; it takes one with a member for each user, whose value is the password');
}

function problemOfUser(user: string): string | undefined {
  if (user === '') return 'has an empty name; the name is the user';
  if (user.length > MAX_USER_LENGTH)
    return `has a name longer than ${MAX_USER_LENGTH} characters; the name is the user`;
  if (/[:*]/.test(user)) return 'has ":" or "*" in its name; the name is the user, and takes neither';
  if (INVISIBLE.test(user) || user.trim() !== user) {
    return 'has control or invisible characters, or space at the ends, in its name; the name is the user';
  }
  return undefined;
}

function problemOfPassword(user: string, password: unknown): string | undefined {
  if (typeof password !== 'string') {
    return 'has a value that is no string; the value is the one password of the user, another goes into another version';
  }
  if (password === '') return 'has an empty password';
  if (!password.isWellFormed()) return 'has half of a surrogate pair in its password, which UTF-8 cannot hold';
  if (Buffer.byteLength(`${user}:${password}`) > MAX_CREDENTIALS_BYTES) {
    return `is too long; user and password take ${MAX_CREDENTIALS_BYTES - 1} bytes of UTF-8 together`;
  }
  return undefined;
}

/** Of valid JSON. JSON.parse keeps the last of several members of one name, and does not say that there are several. */
function countStrings(json: string): number {
  return json.match(/"(?:[^"\\]|\\.)*"/g)?.length ?? 0;
}

/** No two pairs have the same text, since no user has a colon. */
function digestOf({ user, password }: BasicCredentials): Uint8Array {
  return createHash('sha256').update(`${user}:${password}`).digest();
}
