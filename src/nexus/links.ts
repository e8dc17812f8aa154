import { HandlerError, type Link } from 'nexus-rpc';
import { quote } from './quote.ts';

const LINK = /\s*<([^>]*)>((?:[^",]|"[^"]*")*)(?:,|$)/y;
const TYPE = /^[\w./]+$/;

/** What would end a link early, or what Go's URL parser refuses: Temporal fails the whole attempt for one such link. */
const UNSAFE = /[^\x21-\x7e]|[",<>]|%(?![0-9a-fA-F]{2})/gu;

/**
 * Links of a `Nexus-Link` header: `<url>; type="name"`, several joined by commas. None for an empty value.
 *
 * @throws HandlerError BAD_REQUEST that shows the link it could not read.
 */
export function parseLinks(value: string): Link[] {
  const links: Link[] = [];
  if (value.trim() === '') return links;
  const end = value.trimEnd().length;
  for (let at = 0; at < end; at = LINK.lastIndex) {
    LINK.lastIndex = at;
    const match = LINK.exec(value);
    if (match === null) throw malformed(value.slice(at), 'a link is written <url>; type="name"');
    const [text, url, parameters] = match as unknown as [string, string, string];
    const type = typeOf(parameters);
    if (type === undefined) throw malformed(text, 'its type takes letters, digits, "_", "." and "/"');
    const parsed = URL.parse(url.trim());
    if (parsed === null) throw malformed(text, 'its URL must be absolute');
    // Go refuses such a host as well, and a link that is taken must be one that can be sent on.
    if (!isSendableHost(parsed)) throw malformed(text, 'its host holds "," or "%"; it takes neither');
    links.push({ url: parsed, type });
    if (LINK.lastIndex >= end && text.endsWith(',')) throw malformed(value.slice(at), 'nothing follows its comma');
  }
  return links;
}

/**
 * A `Nexus-Link` header that every Temporal server can read: what would break the list or Go's URL parser is
 * percent-encoded. Empty for no links; leave the header away then.
 *
 * @throws TypeError where a type is not made of letters, digits, `_`, `.` and `/`, or a host cannot be encoded.
 */
export function formatLinks(links: readonly Link[]): string {
  return links.map(formatLink).join(', ');
}

function formatLink({ url, type }: Link): string {
  if (!TYPE.test(type)) {
    throw new TypeError(`link type ${quote(type)} is not allowed; it takes letters, digits, "_", "." and "/"`);
  }
  if (!isSendableHost(url))
    throw new TypeError(`the host of link ${quote(url.href)} holds "," or "%"; it takes neither`);
  // Go takes no semicolon in a query.
  const href = url.search === '' ? url.href : url.href.replace(/\?[^#]*/, (query) => query.replaceAll(';', '%3B'));
  return `<${href.replace(UNSAFE, (char) => (char === '%' ? '%25' : percentEncoded(char)))}>; type="${type}"`;
}

function isSendableHost({ host }: URL): boolean {
  return !/[,%]/.test(host);
}

function percentEncoded(char: string): string {
  // encodeURIComponent refuses half of a surrogate pair, which no URL holds.
  return encodeURIComponent(char).replace(/^[^%]$/, (plain) => `%${plain.charCodeAt(0).toString(16).toUpperCase()}`);
}

function typeOf(parameters: string): string | undefined {
  const [nothing, ...rest] = parameters.split(';').map((parameter) => parameter.trim());
  if (nothing !== '') return undefined;
  let type: string | undefined;
  for (const parameter of rest) {
    const at = parameter.indexOf('=');
    if (at < 0) return undefined;
    const value = parameter.slice(at + 1).trim();
    if (parameter.slice(0, at).trim() === 'type') type = /^".*"$/s.test(value) ? value.slice(1, -1) : value;
  }
  return type !== undefined && TYPE.test(type) ? type : undefined;
}

function malformed(link: string, reason: string): HandlerError {
  return new HandlerError('BAD_REQUEST', `malformed Nexus-Link ${quote(link.trim())}: ${reason}`);
}
