import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type KnownCredentials,
  MAX_CREDENTIALS_BYTES,
  MAX_USER_LENGTH,
  matchCredentials,
  parseBasicHeader,
  parseCredentialSecret,
} from '../../src/aws/basic-credentials.ts';

/** The header that Go's net/http makes of a URL's user information. */
function header(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('parseBasicHeader', () => {
  it.each([
    ['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
    ['basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
    ['BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ== ', 'Aladdin', 'open sesame'],
    // The example of RFC 7617 for UTF-8.
    ['Basic dGVzdDoxMjPCow==', 'test', '123£'],
    ['Basic YTpiYw', 'a', 'bc'],
    [header('\ufeffa', 'b'), '\ufeffa', 'b'],
    [header('a', 'b:c::'), 'a', 'b:c::'],
    [header('a', '%3A%20'), 'a', '%3A%20'],
    [header('a', ''), 'a', ''],
    [header('', 'b'), '', 'b'],
  ])('reads %j', (text, user, password) => {
    expect(parseBasicHeader(text)).toEqual({ user, password });
  });

  it.each([
    '',
    'Basic',
    'Basic ',
    'Bearer YTpi',
    'BasicYTpi',
    ' Basic YTpi',
    'Basic YTpi YTpi',
    'Basic YTpi, Basic YTpi',
    'Basic YTpiY',
    'Basic !!!!',
    `Basic ${Buffer.from('no colon').toString('base64')}`,
    `Basic ${Buffer.from([0x61, 0x3a, 0xe9]).toString('base64')}`,
    'AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=e',
  ])('finds no credentials in %j', (text) => {
    expect(parseBasicHeader(text)).toBeUndefined();
  });

  it('reads credentials of 4096 bytes, and no longer ones', () => {
    const longest = 'ä'.repeat((MAX_CREDENTIALS_BYTES - 2) / 2);
    expect(parseBasicHeader(header('a', longest))).toEqual({ user: 'a', password: longest });
    expect(parseBasicHeader(header('a', `${longest}b`))).toBeUndefined();
  });

  it('reads any user without a colon and any password as they were sent', () => {
    const anyUser = anyText.filter((text) => !text.includes(':'));
    fc.assert(
      fc.property(anyUser, anyText, (user, password) => {
        expect(parseBasicHeader(header(user, password))).toEqual({ user, password });
      }),
    );
  });

  it('never throws, whatever the header is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyText,
          anyText.map((text) => `Basic ${text}`),
          fc.base64String().map((text) => `Basic ${text}`),
        ),
        (text) => {
          parseBasicHeader(text);
        },
      ),
    );
  });

  it('reads a hostile header in linear time', () => {
    const began = performance.now();
    expect(parseBasicHeader(`Basic${' '.repeat(200_000)}`)).toBeUndefined();
    expect(parseBasicHeader(`Basic ${'a'.repeat(200_000)} b`)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('parseCredentialSecret', () => {
  it('reads users with a password each, and none', () => {
    const known = parseCredentialSecret('{"temporal": "s3cret", "größe": "a:b", "with space": " "}');
    expect(known.map(({ user }) => user)).toEqual(['temporal', 'größe', 'with space']);
    expect(parseCredentialSecret('{}')).toEqual([]);
  });

  it('keeps users whose names every object has as plain members', () => {
    const known = parseCredentialSecret('{"__proto__": "a", "constructor": "b"}');
    expect(matchCredentials({ user: '__proto__', password: 'a' }, known)).toBe('__proto__');
    expect(matchCredentials({ user: 'constructor', password: 'b' }, known)).toBe('constructor');
    expect(matchCredentials({ user: 'toString', password: 'b' }, known)).toBeUndefined();
  });

  it.each([
    ['no JSON object', ''],
    ['no JSON object', 'hunter2'],
    ['no JSON object', '{"a": "hunter2"'],
    ['no JSON object', '"hunter2"'],
    ['no JSON object', '["a", "hunter2"]'],
    ['no JSON object', 'null'],
    ['member 1 of the object has an empty name', '{"": "hunter2"}'],
    ['member 2 of the object has ":" or "*" in its name', '{"a": "b", "c:hunter2": "d"}'],
    ['member 1 of the object has ":" or "*" in its name', '{"*": "hunter2"}'],
    ['member 1 of the object has control or invisible characters', '{"a\\nb": "hunter2"}'],
    ['member 1 of the object has control or invisible characters', '{"a\\u202eb": "hunter2"}'],
    ['member 1 of the object has control or invisible characters', '{"a\\ud800": "hunter2"}'],
    ['member 1 of the object has control or invisible characters', '{" a": "hunter2"}'],
    [`member 1 of the object has a name longer than ${MAX_USER_LENGTH}`, `{"${'hunter2'.repeat(20)}": "a"}`],
    ['member 2 of the object has an empty password', '{"a": "b", "c": ""}'],
    ['member 1 of the object has a value that is no string', '{"a": ["hunter2"]}'],
    ['member 1 of the object has a value that is no string', '{"a": {"password": "hunter2"}}'],
    ['member 1 of the object has a value that is no string', '{"a": null}'],
    ['member 1 of the object has a value that is no string', '{"a": 12345}'],
    ['half of a surrogate pair', '{"a": "hunter2\\ud800"}'],
    ['a user is named twice', '{"a": "hunter2", "b": "c", "\\u0061": "other"}'],
    ['a user is named twice', '{"a": ["hunter2"], "a": "other"}'],
    ['as the secret of a database has', '{"username": "temporal", "password": "hunter2"}'],
    ['is too long', `{"a": "${'hunter2'.repeat(600)}"}`],
  ])('fails with "%s" and without a word of the secret', (message, text) => {
    expect(() => parseCredentialSecret(text)).toThrow(message);
    expect(() => parseCredentialSecret(text)).not.toThrow(/hunter2|12345/);
  });

  it('takes the longest credentials that a header can bring', () => {
    const password = 'p'.repeat(MAX_CREDENTIALS_BYTES - 2);
    const known = parseCredentialSecret(JSON.stringify({ a: password }));
    const given = parseBasicHeader(header('a', password));
    expect(given && matchCredentials(given, known)).toBe('a');
    expect(() => parseCredentialSecret(JSON.stringify({ a: `${password}p` }))).toThrow('4095 bytes');
  });

  it('lets in, by the header, exactly the pairs that it holds', () => {
    const secrets = fc.dictionary(
      fc.stringMatching(/^[\w.@/+-]{1,20}$/),
      anyText.filter((text) => text !== ''),
      {
        noNullPrototype: true,
        maxKeys: 5,
      },
    );
    fc.assert(
      fc.property(secrets, fc.boolean(), anyText, (secret, spaced, other) => {
        fc.pre(!(Object.keys(secret).length === 2 && 'username' in secret && 'password' in secret));
        const known = parseCredentialSecret(JSON.stringify(secret, null, spaced ? 2 : 0));
        for (const [user, password] of Object.entries(secret)) {
          const given = parseBasicHeader(header(user, password));
          expect(given && matchCredentials(given, known)).toBe(user);
          if (other !== password) expect(matchCredentials({ user, password: other }, known)).toBeUndefined();
        }
      }),
    );
  });

  it('fails with nothing but a TypeError that shows no password, whatever the secret is', () => {
    const hidden = 'hunter2hunter2';
    const members = fc.dictionary(fc.string(), fc.oneof(fc.constant(hidden), fc.jsonValue()), { maxKeys: 4 });
    const texts = fc.oneof(
      members.map((object) => JSON.stringify(object)),
      members.map((object) => JSON.stringify(object).slice(0, -1)),
      fc.string().map((text) => text + hidden),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseCredentialSecret(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          expect(String((error as Error).stack)).not.toContain(hidden);
          expect(error).not.toHaveProperty('cause');
        }
      }),
    );
  });
});

describe('matchCredentials', () => {
  const known = parseCredentialSecret('{"a": "1", "b": "2", "c": "3"}');

  it.each([
    ['a', '1', 'a'],
    ['c', '3', 'c'],
    ['a', '2', undefined],
    ['A', '1', undefined],
    ['a', '1 ', undefined],
    ['d', '1', undefined],
    ['', '', undefined],
  ])('says of %j with %j: %j', (user, password, expected) => {
    expect(matchCredentials({ user, password }, known)).toBe(expected);
  });

  it.each([
    ['a', '1'],
    ['b', '2'],
    ['c', 'wrong'],
    ['nobody', 'wrong'],
  ])('compares with all that are known for %j with %j, so that its time tells nothing', (user, password) => {
    const compared: string[] = [];
    const watched = known.map(
      (one): KnownCredentials => ({
        user: one.user,
        get digest() {
          compared.push(one.user);
          return one.digest;
        },
      }),
    );
    matchCredentials({ user, password }, watched);
    expect(compared).toEqual(['a', 'b', 'c']);
  });
});
