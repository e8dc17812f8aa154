import { describeAuth } from './auth.ts';
import { basicTarget, basicUser, DEPLOY, type Deployment, isOnAws } from './deployment.ts';
import { type Advice, type Finding, fail, ok, skip } from './finding.ts';
import type { ReadAnswer } from './read-answer.ts';
import { shellWord } from './shell-word.ts';
import { shownUrl, withPrefix } from './target.ts';

/** Whether the front door, the route and the endpoint let the doctor in. */
export function credentialsFinding(answer: ReadAnswer, deployment: Deployment): Finding {
  const { auth } = deployment;
  if (answer.from === 'nobody') return skip('credentials', 'there is no answer to judge them by');
  if (answer.from === 'nexus') return ofNexus(answer, deployment);
  if (answer.from === 'front') {
    const { status, message } = answer;
    if (status === 401) return fail('credentials', `refused with 401: ${message}`, missing(deployment));
    if (status === 403) return fail('credentials', `refused with 403: ${message}`, denied(message, deployment));
    return skip('credentials', 'what answers is no Nexus endpoint to judge them by');
  }
  return ok('credentials', auth.kind === 'none' ? 'none were asked for' : `${describeAuth(auth)} is let in`);
}

/** There is nothing to sign with, or it cannot be had. */
export function noAwsCredentials(message: string): Finding {
  const install = /run: (npm i \S+)/.exec(message)?.[1];
  if (install !== undefined) {
    return fail('credentials', `the request cannot be signed: ${message}`, {
      why: 'This URL takes AWS signatures, and the package that finds AWS credentials is an optional one.',
      type: [install],
    });
  }
  return fail('credentials', `there are no AWS credentials: ${message}`, {
    why: 'This URL takes AWS signatures. Credentials are looked for where the AWS CLI does: environment, profile, single sign-on.',
    type: signIn(),
  });
}

const NO_AUTHORIZER: Advice = {
  why: 'The request came through a route that authenticates nobody, and the router lets nobody in whom it does not know.',
  type: ['# give the route an authorizer: the routes of the NexusGateway construct have one', DEPLOY],
};

function ofNexus(
  { type, message }: { readonly type: string; readonly message: string },
  deployment: Deployment,
): Finding {
  if (type === 'UNAUTHENTICATED') {
    const { auth } = deployment;
    const elsewhere = auth.kind === 'basic' ? misdirected(deployment, auth.user) : undefined;
    return fail('credentials', message, elsewhere ?? NO_AUTHORIZER);
  }
  if (type === 'UNAUTHORIZED') return fail('credentials', message, notAmongCallers(message));
  return ok('credentials', `${describeAuth(deployment.auth)} is let in`);
}

function notAmongCallers(message: string): Advice {
  const [, kind, name] = /^"(iam|basic|jwt):([^"]+)" is not among the callers/.exec(message) ?? [];
  if (kind === undefined || name === undefined) return { why: 'Who calls is known, and may not.' };
  return {
    why: 'Who calls is known, and is not on the list of the endpoint. Temporal ends an operation that is refused so.',
    type: [`# add to the callers of the endpoint: callers: [NexusCaller.${kind}('${name}'), …]`, DEPLOY],
  };
}

/** Nobody, or somebody whom the front door does not know. */
function missing(deployment: Deployment): Advice {
  const { target, auth } = deployment;
  const again = (url: string, more = '') => `npx nexus-lambda doctor --url ${shellWord(url)}${more}`;
  switch (auth.kind) {
    case 'bearer':
      return {
        why: 'The token has expired, or is for another issuer or audience than the gateway takes.',
        type: [again(shownUrl(target), ' --bearer TOKEN')],
      };
    case 'basic':
      return misdirected(deployment, auth.user) ?? wrongPassword(deployment, auth.user);
    default:
      if (target.prefix.endsWith('/jwt')) {
        return { why: 'The route takes a token.', type: [again(shownUrl(target), ' --bearer TOKEN')] };
      }
      return {
        why: 'The route takes HTTP Basic: a user and a password of the secret that the gateway was given.',
        type: [again(shownUrl(basicTarget(deployment), basicUser(deployment)))],
      };
  }
}

/** A password goes to a route of its own. */
function misdirected({ target }: Deployment, user: string): Advice | undefined {
  if (target.prefix.endsWith('/basic')) return undefined;
  const url = shownUrl(withPrefix(target, `${target.prefix}/basic`), user);
  return {
    why: 'User and password were sent to a route that does not take them: they go to the one under /basic.',
    type: [`npx nexus-lambda doctor --url ${shellWord(url)}`],
  };
}

function wrongPassword({ target }: Deployment, user: string): Advice {
  return {
    why: `The password of user "${user}" is not the one in the gateway's secret, or there is no such user. A secret that was changed counts within a minute.`,
    type: [
      'aws secretsmanager get-secret-value --secret-id BASIC_AUTH_SECRET_ARN --query SecretString --output text',
      `npx nexus-lambda doctor --url ${shellWord(shownUrl(target, user))}`,
    ],
  };
}

function denied(message: string, deployment: Deployment): Advice {
  const { target, auth } = deployment;
  switch (auth.kind) {
    case 'basic':
      return misdirected(deployment, auth.user) ?? wrongPassword(deployment, auth.user);
    case 'sigv4':
      if (/expired/i.test(message)) return { why: 'The AWS credentials have expired.', type: signIn() };
      if (/invalid|does not match|not match/i.test(message)) {
        return { why: 'AWS does not know these credentials, or they are of another account.', type: signIn() };
      }
      return {
        why: 'The credentials have expired, or no policy of theirs allows execute-api:Invoke on this path.',
        type: [
          ...signIn(),
          '# grant it: gateway.grantInvoke(role), or a policy with execute-api:Invoke on the API',
          DEPLOY,
        ],
      };
    case 'bearer':
      return { why: 'The token is known, and lacks a scope that the route asks for.' };
    case 'none':
      if (!isOnAws(deployment)) {
        return {
          why: 'The route takes AWS signatures, or something in front refuses this machine.',
          type: [`npx nexus-lambda doctor --url ${shellWord(shownUrl(target))} --sign`],
        };
      }
      return missing(deployment);
  }
}

function signIn(): string[] {
  return ['aws sso login', 'aws sts get-caller-identity'];
}
