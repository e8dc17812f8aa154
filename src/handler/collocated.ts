import { HandlerError } from 'nexus-rpc';
import { splitEndpointPath } from '../nexus/endpoint-path.ts';
import { CALLER_RULE, isCaller, mayCall, notAmongCallers, principalOf, unauthenticated } from './access.ts';
import { isHttpEvent } from './lambda-event.ts';

/** The endpoints of a function that an API calls without a router in between, as JSON: name → callers. */
export const COLLOCATED_ENDPOINTS = 'NEXUS_COLLOCATED_ENDPOINTS';

/** Throws the HandlerError for whoever may not call. */
type CheckAccess = (event: unknown) => void;

/**
 * What the router would check before this function is invoked, where there is none. Without the variable nothing is:
 * whoever put the function behind an API or a Function URL of their own decides who gets through.
 *
 * @throws TypeError where the variable holds anything else than lists of callers.
 */
export function collocatedAccess(env: Readonly<Record<string, string | undefined>>): CheckAccess {
  const text = env[COLLOCATED_ENDPOINTS];
  if (text === undefined) return () => {};
  const callersOf = parse(text);
  return (event) => {
    if (!isHttpEvent(event)) return; // from a router, which has checked it
    const principal = principalOf(event);
    if (principal === undefined) throw unauthenticated();
    const endpoint = splitEndpointPath(event.rawPath)?.endpoint ?? '';
    const callers = callersOf.get(endpoint);
    if (callers === undefined) {
      throw new HandlerError('NOT_FOUND', `no endpoint is named "${endpoint}" here`, { stackTrace: '' });
    }
    if (!mayCall(principal, callers)) throw notAmongCallers(principal, endpoint);
  };
}

function parse(text: string): ReadonlyMap<string, readonly string[]> {
  const parsed: unknown = parseJson(text);
  const entries = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.entries(parsed) : [];
  if (entries.length === 0 || !entries.every(([, callers]) => isListOfCallers(callers))) {
    throw new TypeError(
      `${COLLOCATED_ENDPOINTS} is ${JSON.stringify(text)}; it takes a JSON object of endpoint names and lists of callers, ` +
        `each ${CALLER_RULE}`,
    );
  }
  return new Map(entries as [string, string[]][]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused with its text, like JSON of another shape
  }
}

function isListOfCallers(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && isCaller(item));
}
