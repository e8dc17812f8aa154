import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  iamPrincipal,
  isCaller,
  mayCall,
  notAmongCallers,
  principalOf,
  unauthenticated,
} from '../../src/handler/access.ts';
import type { HttpEventV2 } from '../../src/handler/lambda-event.ts';

const ROLE = 'iam:arn:aws:iam::123456789012:role/Caller';

describe('iamPrincipal', () => {
  it.each(['aws', 'aws-cn', 'aws-us-gov'])("names the role of a role's session, in partition %s", (partition) => {
    expect(iamPrincipal(`arn:${partition}:sts::123456789012:assumed-role/Caller/i-0abc`)).toBe(
      `iam:arn:${partition}:iam::123456789012:role/Caller`,
    );
  });

  it('names the role whatever the session calls itself', () => {
    for (const session of ['a@example.com', 'assumed-role', 'role/Admin', '']) {
      expect(iamPrincipal(`arn:aws:sts::123456789012:assumed-role/Caller/${session}`)).toBe(ROLE);
    }
  });

  it.each([
    'arn:aws:iam::123456789012:root',
    'arn:aws:iam::123456789012:user/Ada',
    'arn:aws:iam::123456789012:user/team/blue/Ada',
    'arn:aws:sts::123456789012:federated-user/Ada',
    'arn:aws:sts::123456789012:assumed-role/Caller',
    'arn:aws:iam::123456789012:user/assumed-role/Caller/x',
  ])('leaves %s as it is', (arn) => {
    expect(iamPrincipal(arn)).toBe(`iam:${arn}`);
  });
});

describe('mayCall', () => {
  it('lets the dev server in where an endpoint names no callers, and nobody else', () => {
    expect(mayCall('local', undefined)).toBe(true);
    expect(mayCall(ROLE, undefined)).toBe(false);
    expect(mayCall('local', [ROLE, 'iam:*'])).toBe(false);
  });

  it('lets nobody in where the list is empty', () => {
    for (const principal of ['local', ROLE, 'basic:shop', 'jwt:ada', '']) expect(mayCall(principal, [])).toBe(false);
  });

  it('has a wildcard for those whom IAM lets through, and for no others', () => {
    for (const principal of [ROLE, 'iam:arn:aws:iam::1:user/Ada', 'iam:arn:aws-cn:iam::1:root']) {
      expect(mayCall(principal, ['basic:shop', 'iam:*'])).toBe(true);
    }
    for (const principal of ['basic:shop', 'jwt:ada', 'local', 'IAM:x', 'basic:iam:x', '']) {
      expect(mayCall(principal, ['iam:*'])).toBe(false);
    }
    expect(mayCall('basic:shop', ['basic:*', '*', 'basic:'])).toBe(false);
    expect(mayCall('jwt:ada', ['jwt:*'])).toBe(false);
  });

  it('finds a role that is written with its path', () => {
    const sso = 'iam:arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0123';
    expect(mayCall('iam:arn:aws:iam::1:role/AWSReservedSSO_Dev_0123', [sso])).toBe(true);
    expect(mayCall('iam:arn:aws-us-gov:iam::1:role/B', ['iam:arn:aws-us-gov:iam::1:role/a/B'])).toBe(true);
    expect(mayCall('iam:arn:aws:iam::1:role/a', [sso, 'iam:arn:aws:iam::1:role/a/B'])).toBe(false);
    expect(mayCall('iam:arn:aws:iam::2:role/B', ['iam:arn:aws:iam::1:role/a/B'])).toBe(false);
  });

  it('takes no path off a user, whose ARN has it in every request', () => {
    expect(mayCall('iam:arn:aws:iam::1:user/Ada', ['iam:arn:aws:iam::1:user/team/Ada'])).toBe(false);
    expect(mayCall('iam:arn:aws:iam::1:user/team/Ada', ['iam:arn:aws:iam::1:user/team/Ada'])).toBe(true);
  });

  const word = fc.stringMatching(/^[a-zA-Z0-9-]{1,8}$/);
  const principal = fc.oneof(
    word.map((user) => `basic:${user}`),
    word.map((subject) => `jwt:${subject}`),
    word.map((name) => `iam:arn:aws:iam::1:role/${name}`),
    word.map((name) => `iam:arn:aws:iam::1:user/${name}`),
    fc.constant('local'),
  );

  it('lets a principal in exactly where it is listed', () => {
    fc.assert(
      fc.property(fc.array(principal), principal, (callers, caller) => {
        expect(mayCall(caller, callers)).toBe(callers.includes(caller));
        expect(mayCall(caller, [...callers, caller])).toBe(true);
      }),
    );
  });

  it('lets nobody in for being like one that is listed', () => {
    const change = fc.constantFrom<(text: string) => string>(
      (text) => text.toUpperCase(),
      (text) => ` ${text}`,
      (text) => `${text} `,
      (text) => `${text}\n`,
      (text) => text.slice(0, -1),
      (text) => text.slice(1),
      (text) => `${text}x`,
      (text) => `${text}/x`,
      (text) => text.replace(/:.*/, ':'),
      (text) => text.replace(/:.*/, ':*'),
      (text) => text.replace(/^[a-z]+:/, ''),
      () => '',
      () => '*',
    );
    fc.assert(
      fc.property(principal, change, (listed, changed) => {
        fc.pre(changed(listed) !== listed);
        expect(mayCall(changed(listed), [listed])).toBe(false);
      }),
    );
  });
});

describe('isCaller', () => {
  it.each([
    'local',
    'iam:*',
    ROLE,
    'iam:arn:aws-cn:iam::1:user/a/B',
    'iam:arn:aws:iam::1:root',
    'iam:arn:aws:sts::1:federated-user/Ada',
    'basic:shop',
    'basic:a b',
    'jwt:auth0|5f7c',
  ])('takes %s', (caller) => {
    expect(isCaller(caller)).toBe(true);
  });

  it.each([
    '',
    '*',
    'basic:',
    'basic:*',
    'jwt:*',
    'jwt:',
    'iam:',
    'iam:Caller',
    'iam:arn:',
    'iam:arn:aws:iam::1:role/*',
    'iam:arn:aws:iam::1:role/a b',
    'Iam:*',
    'local ',
    'shop',
    ' basic:shop',
  ])('refuses %j', (caller) => {
    expect(isCaller(caller)).toBe(false);
  });

  it("refuses the ARN of a role's session, as which nobody ever calls", () => {
    expect(isCaller('iam:arn:aws:sts::1:assumed-role/Caller/session')).toBe(false);
  });
});

type Authorizer = HttpEventV2['requestContext']['authorizer'] | null;

describe('principalOf', () => {
  const of = (authorizer: Authorizer | Record<string, unknown>) =>
    principalOf({
      version: '2.0',
      rawPath: '/',
      requestContext: { http: { method: 'POST' }, ...(authorizer !== undefined && { authorizer }) },
    } as HttpEventV2);

  it.each<[string, Authorizer, string]>([
    ['IAM', { iam: { userArn: 'arn:aws:sts::123456789012:assumed-role/Caller/x' } }, ROLE],
    ['IAM for a user', { iam: { userArn: 'arn:aws:iam::1:user/Ada' } }, 'iam:arn:aws:iam::1:user/Ada'],
    ['a JWT', { jwt: { claims: { sub: 'ada', aud: 'x' } } }, 'jwt:ada'],
    ['our Lambda function', { lambda: { principal: 'basic:shop' } }, 'basic:shop'],
    ['IAM, whatever else is there', { iam: { userArn: 'arn:a' }, jwt: { claims: { sub: 'ada' } } }, 'iam:arn:a'],
  ])('is whom %s says', (_who, authorizer, principal) => {
    expect(of(authorizer)).toBe(principal);
  });

  it.each<[string, unknown]>([
    ['no authorizer', undefined],
    ['an authorizer of null', null],
    ['an authorizer that says nothing', {}],
    ['IAM without an ARN', { iam: { userArn: '' } }],
    ['IAM of null', { iam: null }],
    ['an ARN that is no text', { iam: { userArn: { toString: 'x' } } }],
    ['a list of ARNs', { iam: { userArn: ['arn:aws:iam::1:root'] } }],
    ['claims of null', { jwt: { claims: null } }],
    ['no claims', { jwt: {} }],
    ['claims without a subject', { jwt: { claims: { aud: 'x' } } }],
    ['an empty subject', { jwt: { claims: { sub: '' } } }],
    ['a subject that is an object', { jwt: { claims: { sub: { admin: true } } } }],
    ['a subject that is a list', { jwt: { claims: { sub: ['ada'] } } }],
    ['a subject that is a number', { jwt: { claims: { sub: 7 } } }],
    ['a Lambda context of null', { lambda: null }],
    ['a Lambda context without a principal', { lambda: { user: 'shop' } }],
    ['a Lambda principal that is an object', { lambda: { principal: { toString: 'basic:shop' } } }],
    ['a Lambda principal that is a list', { lambda: { principal: ['basic:shop'] } }],
    ['a Lambda principal without a user', { lambda: { principal: 'basic:' } }],
  ])('is nobody for %s', (_what, authorizer) => {
    expect(of(authorizer as Authorizer)).toBeUndefined();
  });

  it("is nobody where a Lambda authorizer of somebody else's speaks for another kind of principal", () => {
    for (const principal of [ROLE, 'iam:*', 'jwt:ada', 'local', 'BASIC:shop', ' basic:shop', 'iam:basic:shop', '']) {
      expect(of({ lambda: { principal, iam: { userArn: 'arn:x' }, jwt: { claims: { sub: 'x' } } } })).toBeUndefined();
    }
  });

  it('is of the kind of its authorizer, or nobody, whatever the event holds', () => {
    const anything = fc.anything();
    const authorizer = fc.record(
      {
        iam: fc.oneof(fc.record({ userArn: anything }), anything),
        jwt: fc.oneof(fc.record({ claims: fc.oneof(fc.record({ sub: anything }), anything) }), anything),
        lambda: fc.oneof(fc.record({ principal: fc.oneof(fc.string(), fc.constant(ROLE), anything) }), anything),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(authorizer, (given) => {
        const principal = of(given as Authorizer);
        if (principal === undefined) return;
        const kind = principal.slice(0, principal.indexOf(':'));
        expect(['iam', 'jwt', 'basic']).toContain(kind);
        expect(given).toHaveProperty(kind === 'basic' ? 'lambda' : kind);
      }),
    );
  });
});

describe('the errors', () => {
  it('say what is missing or whom to ask, and nothing of our stack', () => {
    expect(unauthenticated()).toMatchObject({
      type: 'UNAUTHENTICATED',
      message: 'nobody authenticated this request: its route has no authorizer, or its token no subject (sub)',
      stack: '',
    });
    expect(notAmongCallers('basic:shop', 'bank')).toMatchObject({
      type: 'UNAUTHORIZED',
      message:
        '"basic:shop" is not among the callers of endpoint "bank"; whoever deploys the endpoint can add it there',
      stack: '',
    });
  });
});
