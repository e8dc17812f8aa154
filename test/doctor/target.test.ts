import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DoctorUsageError } from '../../src/doctor/doctor-usage-error.ts';
import { parseTarget, shownUrl, withPrefix } from '../../src/doctor/target.ts';

const API = 'https://abc.execute-api.eu-west-1.amazonaws.com';

it.each([
  [`${API}/nexus/endpoints/shop/services`, undefined, '', `${API}/nexus/endpoints/shop/services`],
  [`${API}/basic/nexus/endpoints/shop/services/`, undefined, '/basic', `${API}/basic/nexus/endpoints/shop/services`],
  [`${API}/nexus/endpoints/shop/services`, 'shop', '', `${API}/nexus/endpoints/shop/services`],
  [API, 'shop', '', `${API}/nexus/endpoints/shop/services`],
  [`${API}/prod/`, 'shop', '/prod', `${API}/prod/nexus/endpoints/shop/services`],
  [
    'http://127.0.0.1:4566/_aws/execute-api/abc/basic/nexus/endpoints/shop/services',
    undefined,
    '/_aws/execute-api/abc/basic',
    'http://127.0.0.1:4566/_aws/execute-api/abc/basic/nexus/endpoints/shop/services',
  ],
])('reads %s with the endpoint %s', (url, endpoint, prefix, baseUrl) => {
  expect(parseTarget(url, endpoint)).toEqual({ baseUrl, query: '', endpoint: 'shop', prefix });
});

it("takes an API's URL with user information for its routes under /basic", () => {
  const expected = {
    baseUrl: `${API}/basic/nexus/endpoints/shop/services`,
    credentials: { user: 'shop', password: 's3cret' },
  };
  expect(parseTarget(API.replace('://', '://shop:s3cret@'), 'shop')).toMatchObject(expected);
  expect(parseTarget(`${API.replace('://', '://shop:s3cret@')}/basic`, 'shop')).toMatchObject(expected);
});

it('keeps a query, and reads escapes in names', () => {
  const target = parseTarget('https://a%40b:p%3Aw@host/nexus/endpoints/my%20shop/services?x=1', undefined);
  expect(target).toEqual({
    baseUrl: 'https://host/nexus/endpoints/my%20shop/services',
    query: '?x=1',
    endpoint: 'my shop',
    prefix: '',
    credentials: { user: 'a@b', password: 'p:w' },
  });
  expect(shownUrl(target)).toBe('https://host/nexus/endpoints/my%20shop/services?x=1');
  expect(shownUrl(target, 'a@b')).toBe('https://a%40b:PASSWORD@host/nexus/endpoints/my%20shop/services?x=1');
});

it.each([
  ['shop', undefined, '--url is no URL'],
  ['ftp://shop:s3cret@host', 'shop', '--url begins with "ftp:"'],
  ['https://shop:s3cret@host/nexus', undefined, '--url names no endpoint'],
  ['https://shop:s3cret@host/nexus/endpoints/shop/services/a/b', undefined, 'ends in "/a/b"'],
  [
    'https://shop:s3cret@host/nexus/endpoints/shop/services',
    'other',
    'names the endpoint "shop", and --endpoint "other"',
  ],
  ['https://shop:s3cret%zz@host', 'shop', 'write it as %25'],
])('refuses %s with the endpoint %s, and quotes no password', (url, endpoint, message) => {
  const parse = () => parseTarget(url, endpoint);
  expect(parse).toThrow(DoctorUsageError);
  expect(parse).toThrow(message);
  expect(parse).toThrow(/^(?!.*s3cret)/);
});

const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !['.', '..'].includes(name));

it('reads back any endpoint, user and password, and never shows the password', () => {
  fc.assert(
    fc.property(text, text, fc.uuid(), (endpoint, user, password) => {
      const path = `/nexus/endpoints/${encodeURIComponent(endpoint)}/services`;
      const target = parseTarget(`https://${encodeURIComponent(user)}:${password}@host${path}`, undefined);
      expect(target).toMatchObject({ endpoint, credentials: { user, password } });
      expect(parseTarget(shownUrl(target, user), undefined).credentials?.user).toBe(user);
      expect(shownUrl(target) + shownUrl(target, user)).not.toContain(password);
    }),
  );
});

it('moves an endpoint behind another prefix', () => {
  const target = parseTarget(`${API}/jwt/nexus/endpoints/shop/services`, undefined);
  expect(withPrefix(target, '/basic')).toMatchObject({
    prefix: '/basic',
    baseUrl: `${API}/basic/nexus/endpoints/shop/services`,
  });
});
