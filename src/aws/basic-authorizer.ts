import { setTimeout } from 'node:timers/promises';
import { consoleLoggerOptions, createConsoleLogger } from '../handler/logger.ts';
import { parseBasicHeader } from './basic-credentials.ts';
import { createSecretReader } from './basic-secret.ts';
import { ENV } from './contract.ts';
import { type CredentialViewDeps, createCredentialView } from './credential-view.ts';
import { requiredVariable } from './environment.ts';

/** The event of an HTTP API's Lambda authorizer, payload format 2.0: the members that are used. */
export interface AuthorizerEvent {
  readonly version: '2.0';
  /** The header that the answer is cached by. */
  readonly identitySource?: readonly string[] | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A simple response. */
export type AuthorizerAnswer =
  | { readonly isAuthorized: true; readonly context: { readonly principal: string } }
  | { readonly isAuthorized: false };

export type BasicAuthorizer = (event: AuthorizerEvent) => Promise<AuthorizerAnswer>;

/**
 * Makes the Lambda authorizer of an HTTP API for HTTP Basic, which an unmodified Temporal server sends where its
 * endpoint's target URL has user information. It says who calls (`context.principal`, `basic:<user>`), and nothing of
 * what they may call: API Gateway caches its answer by the header alone.
 *
 * A denial ends a Temporal operation for good, so it denies only what a read of the secret that started after the
 * request does not hold. It rejects, which callers see as a 500 and retry, where it cannot know.
 *
 * @param deps default to the secret that `NEXUS_BASIC_SECRET_ARN` names
 */
export function createBasicAuthorizer(deps: CredentialViewDeps = depsFrom(process.env)): BasicAuthorizer {
  const view = createCredentialView(deps);
  return async (event) => {
    // The answer of the other format is another, and its header is elsewhere: everybody would be denied.
    if (event.version !== '2.0') {
      throw new TypeError(
        `this authorizer takes payload format 2.0 with simple responses, got ${JSON.stringify(event.version)}; set ` +
          'AuthorizerPayloadFormatVersion and EnableSimpleResponses of the authorizer',
      );
    }
    const credentials = parseBasicHeader(event.identitySource?.[0] ?? event.headers?.authorization ?? '');
    const user = credentials && (await view.authenticate(credentials));
    return user === undefined
      ? { isAuthorized: false }
      : { isAuthorized: true, context: { principal: `basic:${user}` } };
  };
}

function depsFrom(env: NodeJS.ProcessEnv): CredentialViewDeps {
  return {
    reader: createSecretReader(
      requiredVariable(ENV.basicSecret, 'the ARN of the secret that holds user → password', env),
    ),
    clock: { now: Date.now },
    wait: setTimeout,
    logger: createConsoleLogger(consoleLoggerOptions(env)),
  };
}
