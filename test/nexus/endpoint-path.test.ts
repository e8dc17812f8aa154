import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitEndpointPath } from '../../src/nexus/endpoint-path.ts';

describe('a path is taken apart at its endpoint', () => {
  it.each([
    ['/nexus/endpoints/bank/services/x/y', 'bank', '/x/y'],
    ['/nexus/endpoints/bank/services/x/y/cancel', 'bank', '/x/y/cancel'],
    ['/nexus/endpoints/bank/services', 'bank', '/'],
    ['/nexus/endpoints/bank/services/', 'bank', '/'],
    ['/nexus/endpoints/bank/services//', 'bank', '//'],
    ['/nexus/endpoints/services/services/services', 'services', '/services'],
    ['/nexus/endpoints/%62ank/services/a%2Fb/%zz', '%62ank', '/a%2Fb/%zz'],
    ['/nexus/endpoints/bank/services/a\nb/c', 'bank', '/a\nb/c'],
    ['/nexus/endpoints/bank/services/x/nexus/endpoints/shop/services/y', 'bank', '/x/nexus/endpoints/shop/services/y'],
  ])('%j, with nothing of it decoded', (path, endpoint, rest) => {
    expect(splitEndpointPath(path)).toEqual({ endpoint, path: rest });
  });

  it.each(['/basic', '/prod/basic', '/v1', '/nexus2', '/NEXUS', '/endpoints/services', '/a%2Fb'])(
    'with %s in front of it, as a route or a stage puts it there',
    (prefix) => {
      expect(splitEndpointPath(`${prefix}/nexus/endpoints/bank/services/x/y`)).toEqual({
        endpoint: 'bank',
        path: '/x/y',
      });
    },
  );
});

it.each([
  '',
  '/',
  '/nexus/endpoints/bank',
  '/nexus/endpoints/bank/servicesx/y',
  '/nexus/endpoints//services/x/y',
  '/nexus/endpoints/bank/../shop/services/x/y',
  'nexus/endpoints/bank/services/x/y',
  '//nexus/endpoints/bank/services/x/y',
  '/Nexus/endpoints/bank/services/x/y',
  '/xnexus/endpoints/bank/services/x/y',
  '/a/b/c/nexus/endpoints/bank/services/x/y',
])('there is no endpoint in %j', (path) => {
  expect(splitEndpointPath(path)).toBeUndefined();
});

it.each([
  '/nexus/endpoints/nexus/endpoints/bank/services/x/y',
  '/nexus/nexus/endpoints/bank/services/x/y',
  '/basic/nexus/nexus/endpoints/bank/services/x/y',
  '/nexus/basic/nexus/endpoints/bank/services/x/y',
  '/basic/nexus/endpoints/nexus/endpoints/bank/services/x/y',
])('reaches no endpoint that a policy for the beginning of %s does not name', (path) => {
  expect(splitEndpointPath(path)?.endpoint).not.toBe('bank');
});

const segment = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('nexus', 'endpoints', 'services', 'bank', 'basic', '', '..', '%2F') },
  fc.string({ unit: 'binary-ascii', maxLength: 5 }),
);
const rest = fc.array(segment, { maxLength: 10 }).map((segments) => segments.join('/'));

it('whatever begins with the path of an endpoint reaches this one or none', () => {
  const name = fc.oneof(fc.constantFrom('nexus', 'endpoints', 'services', 'shop'), fc.stringMatching(/^[^/]+$/));
  const prefix = fc.constantFrom('', '/basic', '/prod/basic');
  fc.assert(
    fc.property(prefix, name, rest, (before, endpoint, after) => {
      const split = splitEndpointPath(`${before}/nexus/endpoints/${endpoint}/${after}`);
      if (split !== undefined) expect(split.endpoint).toBe(endpoint);
    }),
    { numRuns: 1_000 },
  );
});

it('takes apart what can be put together again, with at most two segments in front', () => {
  fc.assert(
    fc.property(rest, (text) => {
      const path = `/${text}`;
      const split = splitEndpointPath(path);
      if (split === undefined) return;
      const tail = `/nexus/endpoints/${split.endpoint}/services${split.path}`;
      const front = [path, `${path}/`].find((whole) => whole.endsWith(tail))?.slice(0, -tail.length);
      expect(front?.split('/').length).toBeLessThanOrEqual(3);
    }),
    { numRuns: 1_000 },
  );
});
