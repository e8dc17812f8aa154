import { describe, expect, it } from 'vitest';
import { callbackHeaders, checkedHeaders, withoutCredentials } from '../../src/nexus/headers.ts';

it('takes the prefix off callback headers and leaves their values alone', () => {
  const headers = { 'nexus-callback-a': ' {"b":1} ', 'nexus-callback-': 'x', 'nexus-callbackx': 'x', a: 'x' };
  expect(callbackHeaders(headers)).toEqual({ a: ' {"b":1} ' });
});

it('takes off what proves who calls, in any case', () => {
  const headers = {
    Authorization: 'Basic x',
    cookie: 'x',
    'proxy-authorization': 'x',
    'X-Amz-Security-Token': 'x',
    'x-amz-date': 'x',
    'x-amzn-trace-id': 'kept',
    'nexus-callback-authorization': 'kept',
    'x-authorization': 'kept',
  };
  expect(withoutCredentials(headers)).toEqual({
    'x-amzn-trace-id': 'kept',
    'nexus-callback-authorization': 'kept',
    'x-authorization': 'kept',
  });
});

it('keeps names that every object has as plain members', () => {
  const hostile = JSON.parse('{"nexus-callback-__proto__":"x","nexus-callback-constructor":"y","__proto__":"z"}');
  for (const result of [callbackHeaders(hostile), withoutCredentials(hostile), checkedHeaders(hostile)]) {
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(result).toBeInstanceOf(Object);
  }
  expect(Object.entries(callbackHeaders(hostile))).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

describe('checkedHeaders', () => {
  it('lets through what arrives as it was sent', () => {
    const headers = { a: '', 'x-b_1.~!': 'a\tb c', latin: 'é', json: '{"v":1,"d":"x"}' };
    expect(checkedHeaders(headers)).toEqual(headers);
  });

  it.each(['a\r\nb: c', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'a\x1bb', ' a', 'a ', '\ta', '日'])(
    'fails when a value is %j, and names its header',
    (value) => {
      expect(() => checkedHeaders({ 'x-secret': value })).toThrow(/"x-secret"/);
    },
  );

  it('does not show the value that it refuses', () => {
    expect(() => checkedHeaders({ 'x-secret': 'hunter2\n' })).not.toThrow(/hunter2/);
  });

  it.each(['', 'a b', 'a:b', 'a\r\nb', 'ä', 'a\0'])('fails when a name is %j', (name) => {
    expect(() => checkedHeaders({ [name]: 'x' })).toThrow(TypeError);
  });
});
