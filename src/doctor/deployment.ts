import { type Auth, isAwsHost } from './auth.ts';
import { type Target, withPrefix } from './target.ts';

/** What hops know of the deployment that they judge. */
export interface Deployment {
  readonly target: Target;
  readonly auth: Auth;
}

/** Whether the URL is one of AWS, or is called as one. */
export function isOnAws({ target, auth }: Deployment): boolean {
  return auth.kind === 'sigv4' || isAwsHost(new URL(target.baseUrl).hostname);
}

/** Where changes of a deployment are made. */
export const DEPLOY = 'npx cdk deploy';

/** The user that Basic credentials are for, where none was given: whom an endpoint of the constructs lets in by default. */
export function basicUser({ target, auth }: Deployment): string {
  return auth.kind === 'basic' ? auth.user : target.endpoint;
}

/** The same endpoint at the route that takes HTTP Basic. */
export function basicTarget({ target, auth }: Deployment): Target {
  if (!isOnAws({ target, auth }) || target.prefix.endsWith('/basic')) return target;
  return withPrefix(target, `${withoutDoor(target.prefix)}/basic`);
}

/** The same endpoint at the route that takes signatures. */
export function signedTarget({ target }: Deployment): Target {
  // Behind the host of an API itself nothing stands in front of a path.
  return withPrefix(target, isAwsHost(new URL(target.baseUrl).hostname) ? '' : withoutDoor(target.prefix));
}

function withoutDoor(prefix: string): string {
  return prefix.replace(/\/(?:basic|jwt)$/, '');
}
