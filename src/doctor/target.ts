import { endpointPath } from '../router/route.ts';
import { DoctorUsageError } from './doctor-usage-error.ts';

/** The endpoint that is examined. */
export interface Target {
  /** Base URL of the endpoint, without user information, query and a slash at its end. */
  readonly baseUrl: string;
  /** With its `?`; empty where there is none. */
  readonly query: string;
  /** Decoded. */
  readonly endpoint: string;
  /** What stands in front of `/nexus/…` in the path: the kind of authentication, a stage, the mapping of a domain. */
  readonly prefix: string;
  /** The URL's user information, decoded. */
  readonly credentials?: BasicCredentials;
}

export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** What is shown in place of a password. */
export const PASSWORD_PLACEHOLDER = 'PASSWORD';

/** Any prefix: an emulator of AWS has one of several segments, which a router never sees. */
const ENDPOINT_PATH = /^(.*?)\/nexus\/endpoints\/([^/]+)\/services(\/.*)?$/;

const FORMS =
  'give the base URL of an endpoint (https://…/nexus/endpoints/NAME/services), or the URL of the API and --endpoint NAME';

/**
 * Reads `--url` and `--endpoint`: the base URL of an endpoint, or the URL of an API and the endpoint's name. An API's
 * URL with user information means its routes under `/basic`.
 *
 * @throws DoctorUsageError that says what to give. It never quotes a URL: there may be a password in it.
 */
export function parseTarget(text: string, endpointName: string | undefined): Target {
  const url = parseUrl(text);
  const credentials = credentialsOf(url);
  const path = url.pathname.replace(/\/+$/, '');
  const [, prefix = '', segment, rest] = ENDPOINT_PATH.exec(path) ?? [];
  if (segment !== undefined) {
    const endpoint = decoded(segment);
    if (rest !== undefined) throw new DoctorUsageError(`--url ends in "${rest}" after its /services; leave that out`);
    if (endpointName !== undefined && endpointName !== endpoint) {
      throw new DoctorUsageError(`--url names the endpoint "${endpoint}", and --endpoint "${endpointName}"; give one`);
    }
    return targetOf(url, prefix, endpoint, credentials);
  }
  if (endpointName === undefined) throw new DoctorUsageError(`--url names no endpoint; ${FORMS}`);
  const door = credentials !== undefined && !path.endsWith('/basic') ? '/basic' : '';
  return targetOf(url, path + door, endpointName, credentials);
}

/** The same endpoint behind another prefix. */
export function withPrefix(target: Target, prefix: string): Target {
  const { origin, pathname } = new URL(target.baseUrl);
  return { ...target, prefix, baseUrl: `${origin}${prefix}${pathname.slice(target.prefix.length)}` };
}

/** The URL as it may be shown: without a password, and with the user where there is one. */
export function shownUrl({ baseUrl, query }: Target, user?: string): string {
  return user === undefined
    ? baseUrl + query
    : `${baseUrl.replace('://', `://${encodeURIComponent(user)}:${PASSWORD_PLACEHOLDER}@`)}${query}`;
}

/** User and password of a URL, decoded. */
export function credentialsOf({ username, password }: URL): BasicCredentials | undefined {
  if (username === '' && password === '') return undefined;
  return { user: decoded(username), password: decoded(password) };
}

function targetOf(url: URL, prefix: string, endpoint: string, credentials: BasicCredentials | undefined): Target {
  return {
    baseUrl: `${url.origin}${prefix}${endpointPath(endpoint)}`,
    query: url.search,
    endpoint,
    prefix,
    ...(credentials && { credentials }),
  };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw new DoctorUsageError(`--url is no URL; ${FORMS}`);
  const url = new URL(text);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new DoctorUsageError(`--url begins with "${url.protocol}"; it takes http: and https:`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DoctorUsageError('--url holds a "%" that begins no escape; write it as %25');
  }
}
