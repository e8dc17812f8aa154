import { expect, it } from 'vitest';
import { type AuthOptions, chooseAuth, describeAuth } from '../../src/doctor/auth.ts';
import { parseTarget } from '../../src/doctor/target.ts';

const API = 'https://abc.execute-api.eu-west-1.amazonaws.com';
const FUNCTION_URL = 'https://abc.lambda-url.eu-north-1.on.aws';
const EMULATOR = 'http://127.0.0.1:4566/_aws/execute-api/abc';
const DEV = 'http://127.0.0.1:9233';

const choose = (url: string, options: Partial<AuthOptions> = {}) =>
  chooseAuth(parseTarget(url, 'shop'), { sign: false, env: {}, ...options });

it.each([
  [API, { kind: 'sigv4', service: 'execute-api', region: 'eu-west-1' }],
  [FUNCTION_URL, { kind: 'sigv4', service: 'lambda', region: 'eu-north-1' }],
  [
    'https://abc.execute-api.cn-north-1.amazonaws.com.cn',
    { kind: 'sigv4', service: 'execute-api', region: 'cn-north-1' },
  ],
  [API.replace('://', '://shop:s3cret@'), { kind: 'basic', user: 'shop', password: 's3cret' }],
  [DEV.replace('://', '://shop:s3cret@'), { kind: 'basic', user: 'shop', password: 's3cret' }],
  [`${API}/basic`, { kind: 'none' }],
  [`${API}/jwt`, { kind: 'none' }],
  [DEV, { kind: 'none' }],
  ['https://nexus.example', { kind: 'none' }],
])('calls %s with %j', (url, auth) => {
  expect(choose(url)).toEqual(auth);
});

it('signs for any host where it is told to, for the region of the environment', () => {
  const signed = (region: string) => ({ kind: 'sigv4', service: 'execute-api', region });
  expect(choose(EMULATOR, { sign: true, env: { AWS_REGION: 'eu-west-1' } })).toEqual(signed('eu-west-1'));
  expect(choose(EMULATOR, { sign: true, env: { AWS_DEFAULT_REGION: 'eu-west-2' } })).toEqual(signed('eu-west-2'));
  expect(() => choose(EMULATOR, { sign: true })).toThrow('set AWS_REGION');
});

it('sends a token that is given, and the one of the environment where nothing else is asked for', () => {
  const env = { NEXUS_BEARER_TOKEN: 'of the environment' };
  expect(choose(API, { bearer: 'given', env })).toEqual({ kind: 'bearer', token: 'given' });
  expect(choose(`${API}/jwt`, { env })).toEqual({ kind: 'bearer', token: 'of the environment' });
  expect(choose(DEV, { env })).toEqual({ kind: 'bearer', token: 'of the environment' });
  expect(choose(API, { env })).toMatchObject({ kind: 'sigv4' });
});

it('refuses two kinds of credentials', () => {
  expect(() => choose(API.replace('://', '://shop:s3cret@'), { bearer: 'token' })).toThrow(
    'user information in --url and --bearer were given; give one of them',
  );
  expect(() => choose(API, { bearer: 'token', sign: true })).toThrow('--bearer and --sign were given');
});

it('names them without what is secret', () => {
  expect(describeAuth({ kind: 'basic', user: 'shop', password: 's3cret' })).toBe('HTTP Basic as user "shop"');
  expect(describeAuth({ kind: 'bearer', token: 's3cret' })).toBe('a bearer token');
  expect(describeAuth({ kind: 'sigv4', service: 'lambda', region: 'eu-west-1' })).toBe(
    'an AWS signature (lambda, eu-west-1)',
  );
  expect(describeAuth({ kind: 'none' })).toBe('no credentials');
});
