import { describe, expect, it } from 'vitest';
import { type CallbackPolicy, checkCallback } from '../../src/operations/callback-rules.ts';

const policy: CallbackPolicy = {
  allowed: [
    { origin: 'https://temporal.example.com' },
    { origin: 'https://temporal.example.com:7243', allowPrivateAddresses: true },
    { origin: 'http://10.0.0.5:7243', allowPrivateAddresses: true, allowInsecure: true },
    { origin: 'https://xn--bcher-kva.example' },
    { origin: 'https://[fd12::5]', allowPrivateAddresses: true },
  ],
};
const developers: CallbackPolicy = { ...policy, loopback: true };

function refusal(url: string, by: CallbackPolicy): string {
  const check = checkCallback(url, by);
  return check.kind === 'refused' ? check.reason : `${check.kind}: ${url}`;
}

/** What a URL like the allowed ones is refused for, in the words that tell its sender. */
const hostile: readonly (readonly [url: string, reason: string])[] = [
  // Another origin.
  ['https://evil.example/', 'may not be sent to https://evil.example;'],
  ['https://temporal.example.com.evil.example/', 'may not be sent to https://temporal.example.com.evil.example;'],
  ['https://eviltemporal.example.com/', 'may not be sent to https://eviltemporal.example.com;'],
  ['https://a.temporal.example.com/', 'may not be sent to https://a.temporal.example.com;'],
  ['https://example.com/', 'may not be sent to https://example.com;'],
  ['https://temporal.example.com./', 'may not be sent to https://temporal.example.com.;'],
  ['https://temporal..example.com/', 'may not be sent to https://temporal..example.com;'],
  ['http://temporal.example.com/', 'may not be sent to http://temporal.example.com;'],
  ['http://temporal.example.com:443/', 'may not be sent to http://temporal.example.com:443;'],
  ['https://temporal.example.com:80/', 'may not be sent to https://temporal.example.com:80;'],
  ['https://temporal.example.com:8443/', 'may not be sent to https://temporal.example.com:8443;'],
  ['https://10.0.0.5:7243/', 'may not be sent to https://10.0.0.5:7243;'],
  ['http://10.0.0.5/', 'may not be sent to http://10.0.0.5;'],
  ['http://10.0.0.50:7243/', 'may not be sent to http://10.0.0.50:7243;'],
  ['https://evil.example/https://temporal.example.com/', 'may not be sent to https://evil.example;'],
  ['https://evil.example?https://temporal.example.com/', 'may not be sent to https://evil.example;'],
  ['https://127.0.0.1/', 'may not be sent to https://127.0.0.1;'],
  ['http://localhost:7243/', 'may not be sent to http://localhost:7243;'],
  ['http://169.254.169.254/latest/meta-data/', 'may not be sent to http://169.254.169.254;'],
  ['http://[::1]/', 'may not be sent to http://[::1];'],
  ['http://[fd00:ec2::254]/', 'may not be sent to http://[fd00:ec2::254];'],
  // User information.
  ['https://temporal.example.com@evil.example/', 'user information'],
  ['https://temporal.example.com:443@evil.example/', 'user information'],
  ['https://user:password@temporal.example.com/', 'user information'],
  ['https://@temporal.example.com/', 'user information'],
  ['https://evil.example:80@temporal.example.com:443@evil.example/', 'user information'],
  ['https://temporal.example.com%40evil.example/', 'no host and port'],
  // Characters that parsers drop, turn round, or take for the end of the host.
  ['https://temporal.example.com\\@evil.example/', 'holds "\\\\"'],
  ['https://evil.example\\@temporal.example.com/', 'holds "\\\\"'],
  ['https:\\\\temporal.example.com/', 'holds "\\\\"'],
  ['https:/\\temporal.example.com/', 'holds "\\\\"'],
  ['https://temporal.example.com\\.evil.example/', 'holds "\\\\"'],
  ['https://temporal.example.com/\\evil.example', 'holds "\\\\"'],
  ['https://temporal.example.com#@evil.example/', 'holds "#"'],
  ['https://evil.example#.temporal.example.com/', 'holds "#"'],
  ['https://temporal.example.com/#fragment', 'holds "#"'],
  ['https://temporal.exam\tple.com/', 'holds "\\t"'],
  ['https://temporal.example.com/\n', 'holds "\\n"'],
  ['https://temporal.example.com\r\nHost: evil.example', 'holds "\\r"'],
  ['https://temporal.example.com/\r\nX-Injected: 1', 'holds "\\r"'],
  ['https://temporal.example.com/\0', 'holds "\\u0000"'],
  [' https://temporal.example.com/', 'holds " "'],
  ['https://temporal.example.com /', 'holds " "'],
  ['https://temporal.example.com/a b', 'holds " "'],
  ['https://temporal.example.com/\x7f', 'holds'],
  ['https://temporal.example.com/\u2028', 'holds'],
  // Hosts in letters that become others.
  ['https://bücher.example/', 'holds "ü"'],
  ['https://temporal。example。com/', 'holds "。"'],
  ['https://temporal.example.com／evil/', 'holds "／"'],
  ['https://ⓣemporal.example.com/', 'holds "ⓣ"'],
  ['https://temporal.ex\u00adample.com/', 'holds'],
  ['https://temporal.example.com/\ud800', 'holds'],
  ['https://%74emporal.example.com/', 'no host and port'],
  ['https://temporal%2eexample.com/', 'no host and port'],
  ['https://temporal.example.com%00.evil.example/', 'no host and port'],
  ['https://temporal.example.com%2f.evil.example/', 'no host and port'],
  ['https://xn--/', 'may not be sent to https://xn--;'],
  // Addresses in other spellings.
  ['http://167772165:7243/', 'by "167772165", which means 10.0.0.5'],
  ['http://0xa000005:7243/', 'by "0xa000005", which means 10.0.0.5'],
  ['http://0xA.0.0.5:7243/', 'by "0xA.0.0.5", which means 10.0.0.5'],
  ['http://012.0.0.5:7243/', 'by "012.0.0.5", which means 10.0.0.5'],
  ['http://10.5:7243/', 'by "10.5", which means 10.0.0.5'],
  ['http://10.0.5:7243/', 'by "10.0.5", which means 10.0.0.5'],
  ['http://10.0.0.5.:7243/', 'by "10.0.0.5.", which means 10.0.0.5'],
  ['http://10.0.0.05:7243/', 'by "10.0.0.05", which means 10.0.0.5'],
  ['http://2130706433/', 'by "2130706433", which means 127.0.0.1'],
  ['http://0/', 'by "0", which means 0.0.0.0'],
  ['http://0x/', 'by "0x", which means 0.0.0.0'],
  ['http://10.0.0.256:7243/', 'no host and port'],
  ['http://10.0.0.5.6:7243/', 'no host and port'],
  ['http://[::ffff:10.0.0.5]:7243/', 'by "[::ffff:10.0.0.5]", which means [::ffff:a00:5]'],
  ['http://[::10.0.0.5]:7243/', 'by "[::10.0.0.5]", which means [::a00:5]'],
  ['http://[::ffff:a00:5]:7243/', 'may not be sent to http://[::ffff:a00:5]:7243;'],
  ['https://[fd12:0::5]/', 'by "[fd12:0::5]", which means [fd12::5]'],
  ['https://[fd12::0005]/', 'by "[fd12::0005]", which means [fd12::5]'],
  ['https://[fd12::5%eth0]/', 'no host and port'],
  ['https://[fd12::5%25eth0]/', 'no host and port'],
  ['https://[fd12::5/', 'no host and port'],
  ['https://fd12::5/', 'no host and port'],
  ['https://[v1.fd12::5]/', 'no host and port'],
  // Ports.
  ['https://temporal.example.com:/', 'no host and port'],
  ['https://temporal.example.com:0/', 'no host and port'],
  ['https://temporal.example.com:0443/', 'no host and port'],
  ['https://temporal.example.com:65536/', 'no host and port'],
  ['https://temporal.example.com:70979/', 'no host and port'],
  ['https://temporal.example.com:+443/', 'no host and port'],
  ['https://temporal.example.com:443:443/', 'no host and port'],
  ['https://temporal.example.com:https/', 'no host and port'],
  // What is no http(s) URL with a host.
  ['', 'has to begin with'],
  ['temporal.example.com', 'has to begin with'],
  ['//temporal.example.com/', 'has to begin with'],
  ['/namespaces/default/nexus/callback', 'has to begin with'],
  ['https:temporal.example.com/', 'has to begin with'],
  ['https:/temporal.example.com/', 'has to begin with'],
  ['https:///temporal.example.com/', 'no host and port by ""'],
  ['https://', 'no host and port by ""'],
  ['https://?temporal.example.com', 'no host and port by ""'],
  ['ftp://temporal.example.com/', 'has to begin with'],
  ['file:///etc/passwd', 'has to begin with'],
  ['javascript:alert(1)', 'has to begin with'],
  ['data:text/plain,x', 'has to begin with'],
  ['gopher://temporal.example.com:7243/_', 'has to begin with'],
  ['ws://temporal.example.com/', 'has to begin with'],
  ['temporal://internal', 'has to begin with'],
  ['temporal://system/', 'has to begin with'],
  ['TEMPORAL://SYSTEM', 'has to begin with'],
  ['blob:https://temporal.example.com/', 'has to begin with'],
  ['view-source:https://temporal.example.com/', 'has to begin with'],
  // Names that browsers would take, and no allowed origin has.
  ['https://temporal.example.com,evil.example/', 'no host and port'],
  ['https://temporal.example.com;evil.example/', 'no host and port'],
  ['https://temporal.example.com&evil.example/', 'no host and port'],
  ['https://*.example.com/', 'no host and port'],
  ["https://temporal.example.com'/", 'no host and port'],
];

describe('checkCallback', () => {
  it.each(hostile)('refuses %j', (url, reason) => {
    expect(refusal(url, policy)).toContain(reason);
  });

  it.each([
    ['https://temporal.example.com/namespaces/default/nexus/callback', 'https://temporal.example.com'],
    ['https://temporal.example.com', 'https://temporal.example.com'],
    ['https://temporal.example.com:443/nexus/callback', 'https://temporal.example.com'],
    ['HTTPS://Temporal.EXAMPLE.com/nexus/callback', 'https://temporal.example.com'],
    ['https://temporal.example.com?token=a%0d%0ab', 'https://temporal.example.com'],
    ['https://temporal.example.com/@evil.example/../:80', 'https://temporal.example.com'],
    ['https://temporal.example.com:7243/namespaces/a%2Fb/nexus/callback', 'https://temporal.example.com:7243'],
    ['http://10.0.0.5:7243/namespaces/default/nexus/callback', 'http://10.0.0.5:7243'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example'],
    ['https://[FD12::5]/', 'https://[fd12::5]'],
  ])('allows %s by the rule for its origin', (url, origin) => {
    const check = checkCallback(url, policy);
    expect(check).toMatchObject({ kind: 'allowed', rule: policy.allowed.find((rule) => rule.origin === origin) });
    expect(check.kind === 'allowed' && check.url.href).toBe(new URL(url).href);
  });

  it.each([undefined, 'temporal://system'])('counts %s as no callback', (url) => {
    expect(checkCallback(url, policy)).toEqual({ kind: 'none' });
  });

  it('does not tell a caller what is allowed', () => {
    expect(refusal('https://evil.example/', policy)).not.toMatch(/temporal\.example|10\.0\.0\.5|fd12/);
  });

  it('allows nothing where nothing is said', () => {
    expect(refusal('https://temporal.example.com/', { allowed: [] })).toContain('may not be sent');
  });
});

describe('checkCallback where loopback is allowed', () => {
  it.each([
    'http://127.0.0.1:7243/namespaces/default/nexus/callback',
    'http://127.255.0.9/',
    'http://localhost:51234/',
    'https://LOCALHOST/',
    'http://temporal.localhost:7243/',
    'http://[::1]:7243/',
  ])('allows %s, and no other addresses for it', (url) => {
    const { origin } = new URL(url);
    expect(checkCallback(url, developers)).toMatchObject({ kind: 'allowed', rule: { origin, loopback: true } });
  });

  it.each([
    'http://localhost.evil.example/',
    'http://evillocalhost/',
    'http://localhost./',
    'http://127.evil.example/',
    'http://0.0.0.0:7243/',
    'http://[::]/',
    'http://128.0.0.1/',
    'http://192.168.0.1/',
    'http://[::ffff:7f00:1]/',
    'http://169.254.169.254/',
    'http://127.1/',
    'http://localhost@evil.example/',
  ])('refuses %s', (url) => {
    expect(checkCallback(url, developers)).toMatchObject({ kind: 'refused' });
  });

  it('goes by the rules that there are besides', () => {
    const check = checkCallback('http://10.0.0.5:7243/', developers);
    expect(check).toMatchObject({ kind: 'allowed', rule: { allowPrivateAddresses: true } });
    expect(check.kind === 'allowed' && check.rule.loopback).toBeUndefined();
  });
});
