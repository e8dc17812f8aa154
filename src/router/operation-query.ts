import { HandlerError } from 'nexus-rpc';
import { quote } from '../nexus/quote.ts';
import { parsePosition } from '../operations/list-position.ts';
import type { OperationFilter } from '../operations/ports.ts';
import type { CompletionState, OperationState } from '../operations/record.ts';

export const OPERATION_STATES = [
  'queued',
  'claimed',
  'handed-over',
  'dead-lettered',
  'ended',
] as const satisfies readonly OperationState[];

export const COMPLETION_STATES = [
  'pending',
  'delivered',
  'refused',
  'dead-lettered',
] as const satisfies readonly CompletionState['state'][];

/** What a list is asked for. */
export interface ListQuery {
  readonly filter: OperationFilter;
  readonly limit: number;
  readonly from?: string;
}

/** Records are read whole, each with an input of 2 MiB at most: so many take a quarter of the router's memory. */
export const MAX_LIST_LIMIT = 100;
const DEFAULT_LIST_LIMIT = 50;

type Name = keyof OperationFilter | 'limit' | 'from';

/** By the name of a parameter, its value or what it takes instead. */
const READERS = {
  endpoint: (text: string) => (text === '' ? refused('the name of an endpoint') : text),
  state: (text: string) => oneOf(text, OPERATION_STATES),
  completion: (text: string) => oneOf(text, COMPLETION_STATES),
  acceptedFrom: time,
  acceptedBefore: time,
  limit: (text: string) => {
    const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
    return limit >= 1 && limit <= MAX_LIST_LIMIT ? limit : refused(`a number from 1 to ${MAX_LIST_LIMIT}`);
  },
  from: (text: string) => {
    try {
      parsePosition(text);
      return text;
    } catch {
      return refused('the `next` of the page before');
    }
  },
} as const;

const ALL = Object.keys(READERS) as readonly Name[];

/**
 * Reads the query of a list: `endpoint`, `state`, `completion`, `acceptedFrom` and `acceptedBefore` (ISO 8601 with a zone,
 * or milliseconds since the epoch), `limit` (default 50) and `from`.
 *
 * @param names those that are allowed here. Any other is refused: one that is not known would narrow nothing.
 * @throws HandlerError BAD_REQUEST that says what was given and what is allowed.
 */
export function parseListQuery(query: string, names: readonly Name[] = ALL): ListQuery {
  const given = new Map<Name, string | number>();
  for (const [name, text] of new URLSearchParams(query)) {
    if (!isOneOf(name, names)) throw bad(`there is no parameter ${quote(name)}; ${allowed(names)}`);
    if (given.has(name)) throw bad(`${name} is given twice; give it once`);
    const value = READERS[name](text);
    if (typeof value === 'object') throw bad(`${name} is ${quote(text)}; it takes ${value.takes}`);
    given.set(name, value);
  }
  const {
    limit = DEFAULT_LIST_LIMIT,
    from,
    ...filter
  } = Object.fromEntries(given) as OperationFilter & Partial<ListQuery>;
  return { filter, limit, ...(from !== undefined && { from }) };
}

interface Refused {
  readonly takes: string;
}

function refused(takes: string): Refused {
  return { takes };
}

function oneOf<T extends string>(text: string, values: readonly T[]): T | Refused {
  return isOneOf(text, values) ? text : refused(values.join(', '));
}

function isOneOf<T extends string>(text: string, values: readonly T[]): text is T {
  return (values as readonly string[]).includes(text);
}

/** Date.parse takes much that is no time: "1", "May". */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/;

function time(text: string): number | Refused {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : ISO_TIME.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? refused('a time such as "2026-01-31T09:30:00Z", or milliseconds since the epoch') : ms;
}

function allowed(names: readonly string[]): string {
  return names.length === 0 ? 'none is allowed here' : `allowed here: ${names.join(', ')}`;
}

function bad(message: string): HandlerError {
  return new HandlerError('BAD_REQUEST', message, { stackTrace: '' });
}
