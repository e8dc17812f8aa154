import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isEndpointName, toEndpointName } from '../../src/router/endpoint-spec.ts';

it.each([
  ['shop', 'shop'],
  ['my_services', 'my-services'],
  ['2nd.shop', 'nd-shop'],
  ['--a--b--', 'a-b'],
  ['größe', 'gr-e'],
  ['shop.test', 'shop-test'],
  ['x'.repeat(300), 'x'.repeat(200)],
])('makes the name of an endpoint of %j', (text, name) => {
  expect(toEndpointName(text)).toBe(name);
});

it.each(['', '1', 'a', '___', '价格'])('has no name for %j', (text) => {
  expect(toEndpointName(text)).toBeUndefined();
});

it('makes only legal names, and leaves legal names as they are', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const name = toEndpointName(text);
      expect(name === undefined || isEndpointName(name)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){1,80}$/), (text) => {
      expect(toEndpointName(text)).toBe(text);
    }),
  );
});
