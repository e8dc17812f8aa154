import { HandlerError } from 'nexus-rpc';
import type { NexusHttpRequest } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { Target } from './ports.ts';
import type { EndpointSettings } from './settings.ts';

/** What the body of a request about an endpoint may say. */
export interface EndpointRequest {
  readonly name?: string | undefined;
  /** `null` takes it away. */
  readonly description?: string | null | undefined;
  readonly target?: Partial<Target> | undefined;
  /** The principals that may call it. */
  readonly callers?: readonly string[] | undefined;
  /** By name; `null` takes an override back, as for all of them `null` in place of the object. */
  readonly settings?: Readonly<Partial<Record<keyof EndpointSettings, number | null>>> | null | undefined;
  readonly reason?: string | undefined;
  /** Milliseconds after which what is set ends by itself. */
  readonly expiresInMs?: number | undefined;
  /** The version that was read, where nothing else may be changed. */
  readonly version?: number | undefined;
}

type Member = keyof EndpointRequest;

/** What is to hold longer needs no end that nobody will remember. */
export const MAX_EXPIRES_IN_MS = 366 * 86_400_000;
export const MIN_EXPIRES_IN_MS = 1_000;

/** Of a reason: it goes into the answers to callers of a paused endpoint. */
const MAX_REASON_LENGTH = 500;

interface Reader {
  readonly takes: string;
  is(value: unknown): boolean;
}

const READERS: Readonly<Record<Member, Reader>> = {
  name: { takes: 'a text', is: isText },
  description: { takes: 'a text, or null for none', is: (value) => value === null || typeof value === 'string' },
  target: {
    takes: '{"namespace": a text, "taskQueue": a text}',
    is: (value) =>
      isObject(value) &&
      Object.entries(value).every(([name, one]) => ['namespace', 'taskQueue'].includes(name) && isText(one)),
  },
  callers: { takes: 'a list of principals', is: (value) => Array.isArray(value) && value.every(isText) },
  settings: {
    takes: 'an object with a number for each setting, or null for one that is to be as declared',
    is: (value) =>
      value === null ||
      (isObject(value) && Object.values(value).every((one) => one === null || typeof one === 'number')),
  },
  reason: {
    takes: `a text of at most ${MAX_REASON_LENGTH} characters`,
    is: (value) => isText(value) && value.trim() !== '' && value.length <= MAX_REASON_LENGTH,
  },
  expiresInMs: {
    takes: `whole milliseconds from ${MIN_EXPIRES_IN_MS} (a second) to ${MAX_EXPIRES_IN_MS} (366 days)`,
    is: (value) => isWhole(value) && value >= MIN_EXPIRES_IN_MS && value <= MAX_EXPIRES_IN_MS,
  },
  version: { takes: 'the version as it was read, a whole number', is: (value) => isWhole(value) && value >= 1 },
};

/**
 * Reads a JSON body; none is `{}`.
 *
 * @param members those that are allowed here. Any other is refused: it would be left undone in silence.
 * @throws HandlerError BAD_REQUEST that says what was given and what is allowed.
 */
export function parseEndpointRequest<M extends Member>(
  { body }: Pick<NexusHttpRequest, 'body'>,
  members: readonly M[],
): Pick<EndpointRequest, M> {
  const value = body.length === 0 ? {} : parseJson(body);
  if (!isObject(value)) throw bad(`the body is no JSON object; ${allowed(members)}`);
  for (const [name, one] of Object.entries(value)) {
    if (!(members as readonly string[]).includes(name))
      throw bad(`there is no ${quote(name)} here; ${allowed(members)}`);
    const { takes, is } = READERS[name as M];
    if (!is(one)) throw bad(`${name} is ${quote(JSON.stringify(one))}; it takes ${takes}`);
  }
  return value as Pick<EndpointRequest, M>;
}

/** A version in the query, where a request has no body. */
export function parseVersionQuery(query: string): number | undefined {
  let version: number | undefined;
  for (const [name, text] of new URLSearchParams(query)) {
    if (name !== 'version') throw bad(`there is no parameter ${quote(name)}; allowed here: version`);
    if (!/^\d{1,15}$/.test(text)) throw bad(`version is ${quote(text)}; it takes ${READERS.version.takes}`);
    version = Number(text);
  }
  return version;
}

export function bad(message: string): HandlerError {
  return new HandlerError('BAD_REQUEST', message, { stackTrace: '' });
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

function allowed(members: readonly string[]): string {
  return `allowed here: ${members.join(', ')}`;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
