import { isIP, Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressProblem } from '../../src/operations/address-guard.ts';
import { parseAllowedCallbacks } from '../../src/operations/allowed-callbacks.ts';
import { type AllowedCallback, checkCallback } from '../../src/operations/callback-rules.ts';
import { createCompletionPoster } from '../../src/operations/completion-poster.ts';

const completion = { headers: {}, body: new Uint8Array() };

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('127.0.0.1', '10.0.0.5', '169.254.169.254', '8.8.8.8', '::1', 'fd00:ec2::254', 'fd12::5', '0.0.0.0'),
  fc.constantFrom('::ffff:127.0.0.1', '64:ff9b::a00:5', '64:ff9b::808:808', '2606:4700::1', 'fe80::1%eth0', 'nonsense'),
);

const host = fc.oneof(
  fc.constantFrom(
    'temporal.example.com',
    'temporal.internal',
    'localhost',
    '10.0.0.5',
    '[fd12::5]',
    '127.0.0.1',
    '[::1]',
  ),
  fc.constantFrom('2130706433', '0x7f.1', '127.1', '0', '0xa000005', '[::ffff:7f00:1]', 'metadata.google.internal'),
  address.map((ip) => (ip.includes(':') ? `[${ip}]` : ip)),
  fc.domain(),
);
const scheme = fc.constantFrom('http:', 'https:', 'HTTP:', 'ftp:');
const slashes = fc.constantFrom('//', '//', '//', '/', '\\\\', '/\\', '///', '');
const before = fc.constantFrom(
  '',
  '',
  '',
  'user:password@',
  '@',
  'temporal.example.com@',
  'temporal.example.com:80\\@',
);
const after = fc.constantFrom('', ':80', ':443', ':7243', '/', '/callback?a=b', '#', '\\', '.', '@evil.example', '\t');
const url = fc.oneof(
  fc.tuple(scheme, slashes, before, host, after, after).map((parts) => parts.join('')),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.webUrl({ authoritySettings: { withIPv4Extended: true, withIPv6: true, withPort: true, withUserInfo: true } }),
  fc.string(),
);

const origin = fc
  .tuple(fc.constantFrom('http:', 'https:'), host, fc.constantFrom('', ':7243'))
  .map(([protocol, name, port]) => `${protocol}//${name}${port}`);
const rule: fc.Arbitrary<AllowedCallback> = fc
  .record({ origin, allowPrivateAddresses: fc.boolean() })
  .map((given) => ({ ...given, allowInsecure: given.origin.startsWith('http:') }));
const isRule = (one: AllowedCallback) => {
  try {
    return parseAllowedCallbacks([one]).length === 1;
  } catch {
    return false;
  }
};

const policy = fc.record({
  allowed: fc.uniqueArray(rule.filter(isRule), { maxLength: 4, selector: (one) => one.origin }),
  loopback: fc.boolean(),
});

/** A policy, and a URL that has a chance to be allowed by it. */
const attempt = policy.chain((callbacks) => {
  const own = callbacks.allowed.map((one) => one.origin);
  const near = fc.tuple(fc.constantFrom('https://evil.example', ...own), after, after).map((parts) => parts.join(''));
  return fc.record({ callbacks: fc.constant(callbacks), url: fc.oneof(url, near) });
});

describe('a callback URL', () => {
  it('never leads to an address that its rule does not allow, whatever its host resolves to', async () => {
    let dials = 0;
    await fc.assert(
      fc.asyncProperty(attempt, fc.array(address, { maxLength: 3 }), async ({ callbacks, url: callback }, resolved) => {
        const dialed: string[] = [];
        const poster = createCompletionPoster({
          callbacks,
          resolve: async () => resolved,
          connect: ({ host: name = '', lookup }) => {
            if (isIP(name)) dialed.push(name);
            lookup?.(name, { all: true }, (_error, found) => {
              if (!isIP(name)) dialed.push(...(found as { address: string }[]).map((one) => one.address));
            });
            const socket = new Socket();
            setImmediate(() => socket.destroy(new Error('the network is down')));
            return socket;
          },
        });
        const result = await poster(callback, completion);
        expect(result.kind).not.toBe('delivered');
        dials += dialed.length;
        const check = checkCallback(callback, callbacks);
        if (check.kind !== 'allowed') {
          expect([result.kind, dialed]).toEqual(['dead-lettered', []]);
          return;
        }
        for (const ip of dialed) expect(addressProblem(ip, check.rule)).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
    expect(dials).toBeGreaterThan(0);
  });

  it('that is allowed has the host in its text, read from left to right, that is connected to', () => {
    let allowed = 0;
    fc.assert(
      fc.property(attempt, ({ callbacks, url: callback }) => {
        const check = checkCallback(callback, callbacks);
        if (check.kind !== 'allowed') return;
        allowed++;
        // What a parser that knows no rules but RFC 3986's finds.
        const [, authority = ''] = /^[a-z]+:\/\/([^/?#]*)/i.exec(callback) ?? [];
        const name = authority.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
        expect(check.url.hostname).toBe(name);
        expect(check.rule.origin).toBe(check.url.origin);
      }),
      { numRuns: 2_000 },
    );
    expect(allowed).toBeGreaterThan(0);
  });
});
