import fc from 'fast-check';
import { HandlerError } from 'nexus-rpc';
import { expect, it } from 'vitest';
import { endpointPath, parseRoute } from '../../src/router/route.ts';

it.each([
  ['/nexus/endpoints/shop/services/orders/place', { endpoint: 'shop', path: '/orders/place' }],
  ['/nexus/endpoints/my%20shop/services/a%2Fb/c%20d/cancel', { endpoint: 'my shop', path: '/a%2Fb/c%20d/cancel' }],
  ['/nexus/endpoints/shop/services/../..', { endpoint: 'shop', path: '/../..' }],
  ['/nexus/endpoints/shop/services//', { endpoint: 'shop', path: '//' }],
  ['/nexus/endpoints/shop/services', { endpoint: 'shop', path: '/' }],
  ['/nexus/endpoints/shop/services/', { endpoint: 'shop', path: '/' }],
  ['/nexus/endpoints/services/services/services/services', { endpoint: 'services', path: '/services/services' }],
])('takes %s apart, and leaves what is below it escaped', (path, route) => {
  expect(parseRoute(path)).toEqual(route);
});

it.each([
  '',
  '/',
  '/nexus',
  '/nexus/endpoints',
  '/nexus/endpoints//services/a/b',
  '/nexus/endpoints/a/b/services/c/d',
  '/NEXUS/endpoints/a/services/b/c',
])('fails when the path is %j, saying which paths exist', (path) => {
  expect(() => parseRoute(path)).toThrow(
    expect.objectContaining({
      type: 'NOT_FOUND',
      message: expect.stringContaining('/nexus/endpoints/{endpoint}/services/'),
    }),
  );
});

it.each(['%', '%zz', '%ff', '%c3'])('fails when the endpoint is %s, which is not percent-encoded UTF-8', (name) => {
  expect(() => parseRoute(`/nexus/endpoints/${name}/services/a/b`)).toThrow(
    expect.objectContaining({ type: 'BAD_REQUEST' }),
  );
});

it('finds any endpoint below the path that is made of its name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (endpoint) => {
      expect(parseRoute(`${endpointPath(endpoint)}/a/b`)).toEqual({ endpoint, path: '/a/b' });
    }),
  );
});

it('either takes a path apart or fails with a HandlerError', () => {
  const pieces = fc.oneof(fc.constantFrom('/', 'nexus', 'endpoints', 'services', '%2F', '%', '..'), fc.string());
  fc.assert(
    fc.property(fc.array(pieces), (parts) => {
      const outcome = (() => {
        try {
          return parseRoute(parts.join(''));
        } catch (error) {
          return error;
        }
      })();
      expect(outcome instanceof HandlerError || typeof (outcome as { path?: unknown }).path === 'string').toBe(true);
    }),
  );
});
