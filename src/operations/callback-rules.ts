import { quote } from '../nexus/quote.ts';
import type { AddressRule } from './address-guard.ts';

/** A place that completions may be sent to. None is allowed by default: a callback URL is whatever a caller says. */
export interface AllowedCallback {
  /**
   * Scheme, host and, where it is not the scheme's own, port: `https://temporal.example.com:7243`. Compared as a whole,
   * with no wildcards: all callbacks of one Temporal cluster have one origin, that of its
   * `callback.endpoint.template`.
   */
  readonly origin: string;
  /**
   * Lets the origin's addresses be private (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7), as those of a self-hosted
   * Temporal server are. Default false. Loopback, link-local and metadata addresses stay forbidden.
   */
  readonly allowPrivateAddresses?: boolean;
  /**
   * Lets the origin be `http:`. Default false, since the callback token, sent in clear, lets whoever reads it complete the
   * operation. Has no part in `https:`, where certificates are always verified.
   */
  readonly allowInsecure?: boolean;
  /**
   * The `Authorization` header of completions, as a whole: `Bearer …`. A secret of Secrets Manager holds it, or the text
   * itself, which whoever reads the configuration can read. Without it, what the caller gave as
   * `Nexus-Callback-Authorization` is sent.
   */
  readonly authorization?: string | { readonly secretArn: string };
  /** Certificates in PEM that the origin's is verified by. Default: the public authorities that Node knows. */
  readonly ca?: string;
}

/** Where completions may go. */
export interface CallbackPolicy {
  readonly allowed: readonly AllowedCallback[];
  /** Allows every port of loopback as well, by `http:` too: for a server on a developer's machine only. */
  readonly loopback?: boolean;
}

/** The rule that a callback URL was allowed by. */
export type CallbackRule = AllowedCallback & AddressRule;

/** What becomes of a callback URL. */
export type CallbackCheck =
  | { readonly kind: 'allowed'; readonly url: URL; readonly rule: CallbackRule }
  /** There is nothing for us to send to: no URL, or Temporal's own, which only a workflow can complete. */
  | { readonly kind: 'none' }
  /** The reason is for the caller, and says nothing of what is allowed. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What Temporal gives as the callback where only Temporal itself is to deliver the completion. */
export const SYSTEM_CALLBACK = 'temporal://system';

const AUTHORITY = /^https?:\/\/([^/?]*)/i;
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::[1-9]\d{0,4})?$/i;
const LOOPBACK_HOST = /^(?:localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Whether a completion may be sent to a callback URL, by its text alone: where its host is, is looked at when connecting.
 *
 * A URL that another parser could read in another way is refused, since a handler may pass it on to one: user information,
 * backslashes, control characters, and hosts that are not written as they are meant (`0x7f.1`, `%6c`, `ü`).
 */
export function checkCallback(url: string | undefined, { allowed, loopback }: CallbackPolicy): CallbackCheck {
  if (url === undefined || url === SYSTEM_CALLBACK) return { kind: 'none' };
  const read = readUrl(url);
  if (typeof read === 'string') return { kind: 'refused', reason: `the callback ${quote(url)} ${read}` };
  const { origin, hostname } = read;
  const rule = allowed.find((one) => one.origin === origin);
  if (rule !== undefined) return { kind: 'allowed', url: read, rule };
  if (loopback && LOOPBACK_HOST.test(hostname)) {
    return { kind: 'allowed', url: read, rule: { origin, allowInsecure: true, loopback } };
  }
  return {
    kind: 'refused',
    reason: `completions may not be sent to ${origin}; it has to be among the allowedCallbacks of who serves the operation`,
  };
}

/** The URL, or what is wrong with it, to be read after it. */
export function readUrl(text: string): URL | string {
  const stray = /[^\x21-\x7e]|[\\#]/u.exec(text)?.[0];
  if (stray !== undefined) return `holds ${quote(stray)}; percent-encode it, and write a host in Punycode`;
  const authority = AUTHORITY.exec(text)?.[1];
  if (authority === undefined) return 'has to begin with https:// or http://';
  if (authority.includes('@')) return 'holds user information; credentials go into an Authorization header';
  const [, host] = HOST_AND_PORT.exec(authority) ?? [];
  const url = URL.parse(text);
  if (host === undefined || url === null) return `names no host and port by ${quote(authority)}`;
  // Node and browsers take 0x7f.1, 2130706433 and [::0:1] for loopback; others look up a name, or fail.
  if (host.toLowerCase() !== url.hostname) return `names its host by ${quote(host)}, which means ${url.hostname}`;
  return url;
}
