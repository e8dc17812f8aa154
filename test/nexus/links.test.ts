import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { formatLinks, parseLinks } from '../../src/nexus/links.ts';

const hrefs = (value: string) => parseLinks(value).map(({ url, type }) => `${url.href} ${type}`);

describe('parseLinks', () => {
  it.each([
    ['', []],
    ['  ', []],
    ['<temporal:///a>; type="T"', ['temporal:///a T']],
    ['< temporal:///a > ;type=T', ['temporal:///a T']],
    ['<https://x.io/?a=1&b=2>; rel=next; type="a.b_C/9"; x="y"', ['https://x.io/?a=1&b=2 a.b_C/9']],
    ['<a:///1>; type="T",<a:///2>; type="U" , <a:///3>;type="V"', ['a:///1 T', 'a:///2 U', 'a:///3 V']],
    ['<https://x.io/a,b>; type="T"', ['https://x.io/a,b T']],
  ])('reads %j', (value, expected) => {
    expect(hrefs(value)).toEqual(expected);
  });

  it.each([
    ['a:///1', '<url>'],
    ['<a:///1', '<url>'],
    ['<a:///1>', 'type'],
    ['<a:///1> type="T"', 'type'],
    ['<a:///1>; type', 'type'],
    ['<a:///1>; type=""', 'type'],
    ['<a:///1>; type="a b"', 'type'],
    ['<a:///1>; type="T', '<url>'],
    ['<a:///1>; rel="T"', 'type'],
    ['<a:///1>;; type="T"', 'type'],
    ['<>; type="T"', 'absolute'],
    ['<relative/url>; type="T"', 'absolute'],
    ['<a:///1>; type="T",', 'comma'],
    ['<a:///1>; type="T",,<a:///2>; type="T"', '<url>'],
    [',<a:///1>; type="T"', '<url>'],
  ])('fails when given %j, and shows it', (value, reason) => {
    expect(() => parseLinks(value)).toThrow(
      expect.objectContaining({ type: 'BAD_REQUEST', message: expect.stringContaining(reason) }),
    );
    expect(() => parseLinks(value)).toThrow(HandlerError);
  });

  it('shows the one link of many that is malformed', () => {
    expect(() => parseLinks('<a:///good>; type="T", <a:///bad>; type="?"')).toThrow(/a:\/\/\/bad/);
    expect(() => parseLinks('<a:///good>; type="T", <a:///bad>; type="?"')).not.toThrow(/a:\/\/\/good/);
  });

  it.each([';', ' ', '"";', ',', '<', '= '])('reads 60,000 bytes of %j in linear time', (part) => {
    const began = performance.now();
    expect(() => parseLinks(`<a:///1>${part.repeat(60_000 / part.length)}"`)).toThrow(HandlerError);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('formatLinks', () => {
  const formatted = (href: string) => formatLinks([{ url: new URL(href), type: 'T' }]);

  it.each([
    ['https://x.io/a,b', 'https://x.io/a%2Cb'],
    ['https://x.io/ä<b>', 'https://x.io/%C3%A4%3Cb%3E'],
    ['https://x.io/?a=1;b=2', 'https://x.io/?a=1%3Bb=2'],
    ['https://x.io/a;b#c;d', 'https://x.io/a;b#c;d'],
    ['https://x.io/100%', 'https://x.io/100%25'],
    ['https://x.io/%2C%zz', 'https://x.io/%2C%25zz'],
    ['opaque:a<b>"c"', 'opaque:a%3Cb%3E%22c%22'],
  ])('writes %s so that Go can read it', (href, expected) => {
    expect(formatted(href)).toBe(`<${expected}>; type="T"`);
  });

  it('writes several into one header, and none into nothing', () => {
    const links = [
      { url: new URL('a:///1'), type: 'T' },
      { url: new URL('a:///2'), type: 'U' },
    ];
    expect(formatLinks(links)).toBe('<a:///1>; type="T", <a:///2>; type="U"');
    expect(formatLinks([])).toBe('');
  });

  it.each(['', 'a b', 'a"', 'a\r\nx: y', 'ä', 'a,b', 'a-b'])('fails when the type is %j', (type) => {
    expect(() => formatLinks([{ url: new URL('a:///1'), type }])).toThrow(/letters, digits/);
  });

  it('fails when a host that is read could not be sent on', () => {
    expect(() => parseLinks('<temporal://%/a>; type="b"')).toThrow(/malformed Nexus-Link .*its host holds/);
  });

  it('fails when the host cannot be encoded', () => {
    expect(() => formatted('temporal://a,b/')).toThrow(TypeError);
  });
});
