import { HandlerError } from 'nexus-rpc';
import type { ServiceContract } from './message.ts';
import { quote } from './quote.ts';

/** Longest name of a service or operation in bytes: Temporal's own limit. */
export const MAX_NAME_BYTES = 1000;

/** What a path below an endpoint's base URL asks for. */
export interface RequestTarget {
  readonly kind: 'start' | 'cancel';
  readonly service: string;
  readonly operation: string;
  /** Of a cancel whose token is a segment of the path, as Temporal up to 1.29 sends it. */
  readonly token?: string | undefined;
}

/**
 * Reads an escaped path: split first, then each segment decoded, so that names may hold `/` and `%`.
 *
 * @throws HandlerError NOT_FOUND where there is no such path, BAD_REQUEST where a name is empty, too long or no UTF-8.
 */
export function parsePath(path: string): RequestTarget {
  const [empty, ...escaped] = path.split('/');
  const { length } = escaped;
  const cancel = (length === 3 || length === 4) && escaped[length - 1] === 'cancel';
  if (empty !== '' || (length !== 2 && !cancel)) throw noSuchPath(path);
  const [service, operation, token] = escaped
    .slice(0, length === 4 ? 3 : 2)
    .map((segment) => percentDecode(segment, 'path'));
  return target({ kind: cancel ? 'cancel' : 'start', service, operation, token });
}

/**
 * Reads a path that arrives decoded, as behind an API Gateway HTTP API, where `/` in a name can no longer be told from
 * one between names: by the names that there are, the longest first.
 *
 * @throws HandlerError NOT_FOUND where no name fits.
 */
export function parseDecodedPath(path: string, contracts: readonly ServiceContract[]): RequestTarget {
  const names = contracts
    .flatMap(({ name, operations }) => operations.map((operation) => ({ service: name, operation })))
    .map((named) => ({ ...named, prefix: `/${named.service}/${named.operation}` }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  const start = names.find(({ prefix }) => path === prefix);
  if (start) return target({ kind: 'start', ...start });
  for (const { prefix, ...named } of names) {
    if (!path.startsWith(`${prefix}/`)) continue;
    const rest = path.slice(prefix.length);
    if (rest === '/cancel') return target({ kind: 'cancel', ...named });
    if (rest.length > '//cancel'.length && rest.endsWith('/cancel')) {
      return target({ kind: 'cancel', ...named, token: rest.slice(1, -'/cancel'.length) });
    }
  }
  throw noSuchPath(path);
}

/**
 * The escaped path of a request, and the reverse of {@link parsePath}.
 *
 * @throws TypeError for a name that {@link parsePath} refuses, and for `.` and `..`, which no URL can carry.
 */
export function formatPath({ kind, service, operation, token }: RequestTarget): string {
  const segments = [service, operation, ...(token === undefined ? [] : [token])];
  for (const name of [service, operation]) {
    const problem = nameProblem(name);
    if (problem !== undefined) throw new TypeError(`the name ${quote(name)} ${problem}`);
  }
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw new TypeError(`a name or token "." or ".." cannot be part of a path: URLs drop it; choose another`);
  }
  return `/${segments.map(encodeURIComponent).join('/')}${kind === 'cancel' ? '/cancel' : ''}`;
}

/**
 * A parameter of an escaped query, the first of that name; `undefined` where there is none. Others are not looked at:
 * they are part of the URL that somebody gave to Temporal.
 *
 * @throws HandlerError BAD_REQUEST where its escapes are malformed.
 */
export function queryParameter(query: string, name: string): string | undefined {
  const pair = query.split('&').find((one) => one === name || one.startsWith(`${name}=`));
  return pair === undefined
    ? undefined
    : percentDecode(pair.slice(name.length + 1).replaceAll('+', ' '), `query parameter ${name}`);
}

function target({ kind, service, operation, token }: Unchecked): RequestTarget {
  for (const [what, name] of Object.entries({ service, operation })) {
    const problem = nameProblem(name ?? '');
    if (problem !== undefined) throw new HandlerError('BAD_REQUEST', `the name of the ${what} ${problem}`);
  }
  return {
    kind,
    service: service as string,
    operation: operation as string,
    ...(token !== undefined && { token }),
  };
}

/** As it comes out of a split, where TypeScript cannot count the segments. */
interface Unchecked {
  readonly kind: RequestTarget['kind'];
  readonly service: string | undefined;
  readonly operation: string | undefined;
  readonly token?: string | undefined;
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty; the path is /{service}/{operation}';
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > MAX_NAME_BYTES) return `has ${bytes} bytes; ${MAX_NAME_BYTES} are allowed`;
  return name.isWellFormed() ? undefined : 'holds half of a surrogate pair; it must be UTF-8';
}

function percentDecode(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new HandlerError('BAD_REQUEST', `${quote(text)} in the ${where} is not percent-encoded UTF-8`, { cause });
  }
}

function noSuchPath(path: string): HandlerError {
  return new HandlerError(
    'NOT_FOUND',
    `there is nothing at ${quote(path)}; POST to /{service}/{operation} starts an operation, and to ` +
      '/{service}/{operation}/cancel cancels one',
  );
}
