import { describe, expect, it } from 'vitest';
import { parseAllowedCallbacks } from '../../src/operations/allowed-callbacks.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

const { cert, key } = selfSignedCertificate('temporal.example.com');
const broken = cert.replace('\nMII', '\nAAA');

describe('parseAllowedCallbacks', () => {
  it.each<[string, unknown[]]>([
    ['nothing', []],
    ['an origin', [{ origin: 'https://temporal.example.com' }]],
    ['a certificate', [{ origin: 'https://temporal.example.com:7243', ca: cert }]],
    ['several, with comments', [{ origin: 'https://temporal.example.com', ca: `# old\n${cert}# new\n${cert}` }]],
    ['an authorization', [{ origin: 'https://temporal.example.com', authorization: 'Bearer abc' }]],
    ['one in a secret', [{ origin: 'https://temporal.example.com', authorization: { secretArn: 'arn:x' } }]],
    ['a name inside', [{ origin: 'http://temporal_frontend:7243', allowInsecure: true, allowPrivateAddresses: true }]],
    ['a private address', [{ origin: 'http://10.0.0.5:7243', allowInsecure: true, allowPrivateAddresses: true }]],
    ['a private IPv6 address', [{ origin: 'https://[fd12::5]', allowInsecure: false, allowPrivateAddresses: true }]],
    ['two ports', [{ origin: 'https://8.8.8.8' }, { origin: 'https://8.8.8.8:8443' }]],
  ])('takes %s', (_, written) => {
    const parsed = parseAllowedCallbacks(written);
    expect(parsed).toEqual(written);
    expect(parseAllowedCallbacks(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
  });

  it.each<[string, Record<string, unknown>]>([
    ['is missing', {}],
    ['is "7"', { origin: 7 }],
    ['has to begin with https://', { origin: 'temporal.example.com' }],
    ['has to begin with https://', { origin: '*' }],
    ['no host and port by "*.example.com"', { origin: 'https://*.example.com' }],
    ['holds "ü"', { origin: 'https://bücher.example' }],
    ['user information', { origin: 'https://u:p@temporal.example.com' }],
    ['write "https://temporal.example.com"', { origin: 'https://temporal.example.com/' }],
    ['write "https://temporal.example.com"', { origin: 'https://temporal.example.com:443' }],
    ['write "https://temporal.example.com"', { origin: 'https://Temporal.example.com' }],
    ['write "https://temporal.example.com"', { origin: 'https://temporal.example.com/nexus/callback?a=b' }],
    ['add allowInsecure: true', { origin: 'http://temporal.example.com' }],
    ['add allowPrivateAddresses: true', { origin: 'https://10.0.0.5' }],
    ['add allowPrivateAddresses: true', { origin: 'https://[fd12::5]', allowPrivateAddresses: false }],
    ['a loopback address; nothing may be sent there', { origin: 'https://127.0.0.1', allowPrivateAddresses: true }],
    ['a name for loopback', { origin: 'https://localhost:7243', allowPrivateAddresses: true }],
    ['a name for loopback', { origin: 'https://temporal.localhost' }],
    ['a link-local address', { origin: 'https://169.254.169.254', allowPrivateAddresses: true }],
    ['a metadata service', { origin: 'https://[fd00:ec2::254]', allowPrivateAddresses: true }],
  ])('says of the origin "%s", given %j', (words, entry) => {
    expect(() => parseAllowedCallbacks([entry])).toThrow(/^allowedCallbacks\[0\]\.origin /);
    expect(() => parseAllowedCallbacks([entry])).toThrow(words);
  });

  it.each<[string, Record<string, unknown>]>([
    ['[0] has a member "allowPrivate"', { allowPrivate: true }],
    ['[0].allowPrivateAddresses is "yes"; it takes true or false', { allowPrivateAddresses: 'yes' }],
    ['[0].allowInsecure is for an http origin', { allowInsecure: true }],
    ['[0].allowInsecure is "1"', { allowInsecure: 1 }],
    ['[0].authorization is no value', { authorization: 'Bearer abc\n' }],
    ['[0].authorization is no value', { authorization: '' }],
    ['[0].authorization is no value', { authorization: { secretArn: '' } }],
    ['[0].authorization is no value', { authorization: { secret: 'x' } }],
    ['[0].authorization is no value', { authorization: null }],
    ['[0].ca is no certificate', { ca: 'temporal-ca.pem' }],
    ['[0].ca is no certificate', { ca: broken }],
    ['[0].ca is no certificate', { ca: cert + broken }],
    ['[0].ca is no certificate', { ca: cert + key }],
    ['[0].ca is no certificate', { ca: [cert] }],
    ['[0].ca is for an https origin', { origin: 'http://temporal.example.com', allowInsecure: true, ca: cert }],
  ])('says "allowedCallbacks%s …" (%#)', (words, entry) => {
    expect(() => parseAllowedCallbacks([{ origin: 'https://temporal.example.com', ...entry }])).toThrow(words);
  });

  it('tells all that is wrong at once', () => {
    const list = ['https://temporal.example.com', { origin: 'https://a.example' }, { origin: 'https://a.example' }, {}];
    expect(() => parseAllowedCallbacks(list)).toThrow(
      [
        'allowedCallbacks[0] is no object; it takes { origin: "https://…" }',
        'allowedCallbacks[2].origin is "https://a.example", as that of an entry before it; leave one away',
        'allowedCallbacks[3].origin is missing; it takes a text like "https://temporal.example.com:7243"',
      ].join('\n'),
    );
  });

  it('shows no credentials', () => {
    const entry = { origin: 'http://a', authorization: 'Bearer secret\r', ca: 'secret' };
    expect(() => parseAllowedCallbacks([entry])).toThrow(expect.not.stringContaining('secret'));
  });

  it.each([undefined, null, {}, 'https://temporal.example.com'])('fails when the list is %j', (list) => {
    expect(() => parseAllowedCallbacks(list)).toThrow('allowedCallbacks is no array');
  });
});
