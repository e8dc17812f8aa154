import { AwsV4Signer } from 'aws4fetch';
import { expect } from 'vitest';
import type { AccessApp } from './access-app.ts';
import type { ApiRequest } from './emulated-api.ts';
import type { IamCredentials } from './iam.ts';
import type { TokenIssuer } from './token-issuer.ts';

/** What a caller may make its credentials of. */
export interface Means extends Pick<AccessApp, 'signers'> {
  readonly issuer: TokenIssuer;
  /** Where the call goes. */
  readonly url: string;
}

/** How a request says who sends it, given the endpoint that it is for. */
type Shows = (means: Means, endpoint: string) => ApiRequest | Promise<ApiRequest>;

/** What becomes of it, given the endpoint. */
type Gets = (endpoint: string) => { readonly status: number; readonly json: unknown };

/** Who calls, whether an endpoint with the default callers or one that lists the role and the subject `auditor`, and what follows. */
export type CallerRow = readonly [who: string, calls: 'open' | 'listed', shows: Shows, gets: Gets];

const ANSWERED: Gets = () => ({ status: 200, json: { runs: expect.any(Number) } });

/** What API Gateway says, which is no Nexus failure. */
const UNAUTHORIZED: Gets = () => ({ status: 401, json: { message: 'Unauthorized' } });
const FORBIDDEN: Gets = () => ({ status: 403, json: { message: 'Forbidden' } });

/** The same in the emulator's words. AWS: FORBIDDEN. */
const FORBIDDEN_AS =
  (type: string): Gets =>
  () => ({ status: 403, json: { __type: type, message: expect.any(String) } });

/** A Nexus failure: of the router, or of a handler that no router is in front of. */
const FAILURE = (status: number, message: unknown) => ({
  status,
  json: { message, metadata: { type: 'temporal.api.failure.v1.Failure' }, details: expect.any(Object) },
});

const UNAUTHENTICATED: Gets = () =>
  FAILURE(401, 'nobody authenticated this request: its route has no authorizer, or its token no subject (sub)');

const NOT_LISTED =
  (principal: string): Gets =>
  (endpoint) =>
    FAILURE(403, expect.stringMatching(`^"${principal}" is not among the callers of endpoint "${endpoint}"; whoever `));

const nothing: Shows = () => ({});

const header = (authorization: string): ApiRequest => ({ headers: { authorization } });

const password = (user: string, text: string, scheme = 'Basic') =>
  header(`${scheme} ${Buffer.from(`${user}:${text}`).toString('base64')}`);

const ownPassword =
  (text: string): Shows =>
  (_means, endpoint) =>
    password(endpoint, text);

const signature =
  (signer: keyof AccessApp['signers'], changed: Partial<IamCredentials> = {}): Shows =>
  ({ signers }) => ({ credentials: { ...signers[signer], ...changed } });

/** Of a quarter of an hour ago; AWS takes them for five minutes. */
const oldSignature: Shows = async ({ signers: { buyer }, url }) => {
  const datetime = new Date(Date.now() - 15 * 60_000).toISOString().replace(/[:-]|\.\d{3}/g, '');
  const body = '{}';
  const own = { 'content-type': 'application/json' };
  const signer = new AwsV4Signer({
    ...buyer,
    url,
    method: 'POST',
    headers: own,
    body,
    datetime,
    service: 'execute-api',
  });
  const { headers } = await signer.sign();
  return { headers: Object.fromEntries(headers), body };
};

const token =
  (claims: Readonly<Record<string, unknown>>): Shows =>
  ({ issuer }) =>
    header(`Bearer ${issuer.token(claims)}`);

const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1_000) - seconds;

/** Who gets what, by the prefix of the gateway's routes. */
export const CALLERS: Readonly<Record<'' | '/basic' | '/jwt', readonly CallerRow[]>> = {
  '': [
    ['nobody', 'open', nothing, FORBIDDEN],
    // The emulator lets any header pass that is no signature. AWS: FORBIDDEN.
    ['a right password', 'open', ownPassword('current'), UNAUTHENTICATED],
    ['a right token', 'listed', token({ sub: 'auditor' }), UNAUTHENTICATED],
    ['a role whose policy allows the path', 'open', signature('buyer'), ANSWERED],
    ['a user whose policy allows the path', 'open', signature('user'), ANSWERED],
    ['a role whose policy allows other paths', 'listed', signature('buyer'), FORBIDDEN_AS('AccessDeniedException')],
    ['a user whose policy allows other paths', 'listed', signature('user'), FORBIDDEN_AS('AccessDeniedException')],
    ['a role that is a caller', 'listed', signature('auditor'), ANSWERED],
    [
      'a role whose policy allows the path, and is no caller',
      'listed',
      signature('visitor'),
      NOT_LISTED('iam:\\S+Visitor\\w+-\\w+'),
    ],
    [
      'a wrong secret key',
      'open',
      signature('buyer', { secretAccessKey: 'wrong' }),
      FORBIDDEN_AS('InvalidSignatureException'),
    ],
    [
      'an unknown key',
      'open',
      signature('buyer', { accessKeyId: 'ASIAUNKNOWN' }),
      FORBIDDEN_AS('UnrecognizedClientException'),
    ],
    ['an old signature', 'open', oldSignature, FORBIDDEN_AS('InvalidSignatureException')],
  ],
  '/basic': [
    ['nobody', 'open', nothing, UNAUTHORIZED],
    ['a role whose policy allows the path', 'open', signature('buyer'), FORBIDDEN],
    ['a right token', 'listed', token({ sub: 'auditor' }), FORBIDDEN],
    ['a wrong password', 'open', ownPassword('wrong'), FORBIDDEN],
    ['an unknown user', 'open', () => password('nobody', 'current'), FORBIDDEN],
    ['the current password', 'open', ownPassword('current'), ANSWERED],
    ['the previous password', 'open', ownPassword('previous'), ANSWERED],
    ['the pending password', 'open', ownPassword('pending'), ANSWERED],
    // In another spelling: it was right a moment ago, and API Gateway keeps its answer to a header for a minute.
    ['an expired password', 'open', (_means, endpoint) => password(endpoint, 'expired', 'BASIC'), FORBIDDEN],
    [
      'the right password of another endpoint',
      'open',
      () => password('billing', 'current'),
      NOT_LISTED('basic:billing'),
    ],
    ['the right password of a user who is no caller', 'listed', ownPassword('current'), NOT_LISTED('basic:\\w+')],
  ],
  '/jwt': [
    ['nobody', 'listed', nothing, UNAUTHORIZED],
    ['a right password', 'open', ownPassword('current'), UNAUTHORIZED],
    ['a subject that is a caller', 'listed', token({ sub: 'auditor' }), ANSWERED],
    ['a subject that is no caller', 'listed', token({ sub: 'visitor' }), NOT_LISTED('jwt:visitor')],
    ['any subject, where the callers are the default', 'open', token({ sub: 'auditor' }), NOT_LISTED('jwt:auditor')],
    ['a token without a subject', 'listed', token({}), UNAUTHENTICATED],
    ['an expired token', 'listed', token({ sub: 'auditor', exp: secondsAgo(60) }), UNAUTHORIZED],
    ['a token for another audience', 'listed', token({ sub: 'auditor', aud: 'others' }), UNAUTHORIZED],
    ['a token of another issuer', 'listed', token({ sub: 'auditor', iss: 'https://other.example' }), UNAUTHORIZED],
    [
      'a token that another key signed',
      'listed',
      ({ issuer }) => header(`Bearer ${issuer.forgedToken({ sub: 'auditor' })}`),
      UNAUTHORIZED,
    ],
  ],
};
