import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { isSendableHeader } from '../nexus/headers.ts';
import { quote } from '../nexus/quote.ts';
import { addressProblem } from './address-guard.ts';
import { type AllowedCallback, readUrl } from './callback-rules.ts';

const FLAGS = ['allowPrivateAddresses', 'allowInsecure'] as const;
const MEMBERS: readonly string[] = ['origin', ...FLAGS, 'authorization', 'ca'];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads a list of allowed callbacks as it was written into a configuration.
 *
 * @throws TypeError that names everything that is wrong with it, and shows no credentials.
 */
export function parseAllowedCallbacks(value: unknown): readonly AllowedCallback[] {
  if (!Array.isArray(value)) throw new TypeError('allowedCallbacks is no array; it takes [{ origin: "https://…" }]');
  const entries: readonly unknown[] = value;
  const origins = entries.map((entry) => (isRecord(entry) ? entry.origin : undefined));
  const problems = entries.flatMap((entry, index) => {
    const found = isRecord(entry) ? entryProblems(entry) : ['is no object; it takes { origin: "https://…" }'];
    if (origins[index] !== undefined && origins.indexOf(origins[index]) < index) {
      found.push(`.origin is ${show(origins[index])}, as that of an entry before it; leave one away`);
    }
    return found.map((problem) => `allowedCallbacks[${index}]${problem.startsWith('.') ? '' : ' '}${problem}`);
  });
  if (problems.length > 0) throw new TypeError(problems.join('\n'));
  return entries as readonly AllowedCallback[];
}

/** To be read after the entry, or, from a dot on, as a member of it. */
function entryProblems(entry: Record<string, unknown>): string[] {
  const { authorization, ca } = entry;
  const origin = originProblem(entry);
  return [
    ...Object.keys(entry)
      .filter((name) => !MEMBERS.includes(name))
      .map((name) => `has a member ${quote(name)}; there is ${MEMBERS.join(', ')}`),
    ...FLAGS.filter((name) => !['boolean', 'undefined'].includes(typeof entry[name])).map(
      (name) => `.${name} is ${show(entry[name])}; it takes true or false`,
    ),
    ...(origin === undefined ? [] : [`.origin ${origin}`]),
    ...(authorization === undefined || isAuthorization(authorization)
      ? []
      : ['.authorization is no value of an Authorization header, and no { secretArn }']),
    ...(ca === undefined || isPem(ca) ? [] : ['.ca is no certificate in PEM']),
    ...secureProblems(entry),
  ];
}

function originProblem({ origin, allowInsecure, allowPrivateAddresses }: Record<string, unknown>): string | undefined {
  if (typeof origin !== 'string') return `is ${show(origin)}; it takes a text like "https://temporal.example.com:7243"`;
  const url = readUrl(origin);
  if (typeof url === 'string') return `${quote(origin)} ${url}`;
  if (origin !== url.origin) return `is ${quote(origin)}; write "${url.origin}"`;
  if (url.protocol === 'http:' && allowInsecure !== true) {
    return `is ${quote(origin)}, which is not encrypted; take https, or add allowInsecure: true`;
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // Whatever it resolves to, it would be refused when connecting.
  const problem = /(?:^|\.)localhost$/.test(host)
    ? 'a name for loopback'
    : isIP(host)
      ? addressProblem(host, { allowPrivateAddresses: allowPrivateAddresses === true })
      : undefined;
  if (problem === undefined) return undefined;
  const hint = problem === 'a private address' ? '; add allowPrivateAddresses: true' : '; nothing may be sent there';
  return `is ${quote(origin)}, ${problem}${hint}`;
}

/** What says nothing where the origin is https, and what says nothing where it is not. */
function secureProblems({ origin, allowInsecure, ca }: Record<string, unknown>): string[] {
  if (typeof origin !== 'string') return [];
  const secure = origin.startsWith('https:');
  return [
    ...(secure && allowInsecure === true
      ? ['.allowInsecure is for an http origin; give the certificate of a private authority as ca']
      : []),
    ...(!secure && ca !== undefined ? ['.ca is for an https origin'] : []),
  ];
}

function isAuthorization(value: unknown): boolean {
  if (typeof value === 'string') return value !== '' && isSendableHeader('authorization', value);
  return isRecord(value) && typeof value.secretArn === 'string' && value.secretArn !== '';
}

function isPem(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const certificates = value.match(CERTIFICATE) ?? [];
  // TLS would ignore what it cannot read, and then trust nobody.
  if (certificates.length === 0 || certificates.length !== value.split('-----BEGIN ').length - 1) return false;
  try {
    return certificates.every((one) => new X509Certificate(one).serialNumber !== '');
  } catch {
    return false;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
}
