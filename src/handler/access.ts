import { HandlerError } from 'nexus-rpc';
import type { HttpEventV2 } from './lambda-event.ts';

/** The principals of an endpoint that names none: whoever can reach the dev server. */
const DEFAULT_CALLERS: readonly string[] = ['local'];

/** The rule of {@link isCaller} in words, for messages. */
export const CALLER_RULE =
  '"iam:<ARN of a role or user>", "iam:*" (whomever IAM lets through), "basic:<user>" or "jwt:<subject>"';

/** Whether an endpoint's list may hold this: one principal, or `iam:*`. */
export function isCaller(text: string): boolean {
  if (text === 'local' || text === 'iam:*') return true;
  // A role's session calls as its role: listed itself, it would never be let in.
  return /^iam:arn:(?![^:]*:sts:[^:]*:[^:]*:assumed-role\/)[^*\s]+$|^(?:basic|jwt):[^*]+$/.test(text);
}

/**
 * Whether a principal is on an endpoint's list. A wildcard exists for `iam:` only, where a policy of the caller's own
 * must allow the endpoint's path as well; whoever holds some password or token must be named.
 */
export function mayCall(principal: string, callers: readonly string[] = DEFAULT_CALLERS): boolean {
  return callers.some((caller) =>
    caller === 'iam:*' ? principal.startsWith('iam:') : withoutRolePath(caller) === principal,
  );
}

/**
 * `iam:<ARN>` of whoever signed a request. What a role's session signs with names the role, and no path of it: a role's
 * name is unique in its account without one.
 *
 * @param userArn as API Gateway and Function URLs hand it on, such as `arn:aws:sts::1:assumed-role/Name/session`
 */
export function iamPrincipal(userArn: string): string {
  const session = /^arn:([^:]+):sts::(\d+):assumed-role\/([^/]+)\/.*$/.exec(userArn);
  return session === null ? `iam:${userArn}` : `iam:arn:${session[1]}:iam::${session[2]}:role/${session[3]}`;
}

/** People write the ARN that IAM shows them, with the role's path. */
function withoutRolePath(caller: string): string {
  return caller.replace(/^(iam:arn:[^:]+:iam::\d+:role\/)(?:.*\/)?([^/]+)$/, '$1$2');
}

/**
 * Who calls, by what the front door's authorizer says of an event: `iam:…`, `basic:…` or `jwt:…`. `undefined` where
 * nothing authenticated the request.
 */
export function principalOf({ requestContext: { authorizer } }: HttpEventV2): string | undefined {
  const userArn: unknown = authorizer?.iam?.userArn;
  if (typeof userArn === 'string' && userArn !== '') return iamPrincipal(userArn);
  const subject = authorizer?.jwt?.claims?.sub;
  if (typeof subject === 'string' && subject !== '') return `jwt:${subject}`;
  const principal = authorizer?.lambda?.principal;
  return typeof principal === 'string' && /^basic:./.test(principal) ? principal : undefined;
}

/** The error for a request that no authorizer let in. */
export function unauthenticated(): HandlerError {
  return new HandlerError(
    'UNAUTHENTICATED',
    'nobody authenticated this request: its route has no authorizer, or its token no subject (sub)',
    { stackTrace: '' },
  );
}

/** The error for a principal that is not on the endpoint's list. */
export function notAmongCallers(principal: string, endpoint: string): HandlerError {
  return new HandlerError(
    'UNAUTHORIZED',
    `"${principal}" is not among the callers of endpoint "${endpoint}"; whoever deploys the endpoint can add it there`,
    { stackTrace: '' },
  );
}
