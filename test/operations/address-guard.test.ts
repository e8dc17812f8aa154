import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressProblem } from '../../src/operations/address-guard.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Never allowed: IANA's special-purpose registries, multicast, and metadata services, first and last address of each. */
const FORBIDDEN = [
  ...LOOPBACK,
  ...['0.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24'],
  ...['192.88.99.0/24', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4'],
  ...['240.0.0.0/4', '100.100.100.200/32', '168.63.129.16/32'],
  ...['::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64', '2001::/23'],
  ...['2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20', '5f00::/16', 'fe80::/10', 'fec0::/10'],
  ...['ff00::/8', 'fd00:ec2::/32', 'fd20:ce::254/128'],
];

/** Allowed where an origin says so. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'];

const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
  ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255'],
  ...['192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '168.63.129.15'],
  ...['2000::', '2001:200::', '2001:4860:4860::8888', '2606:4700:4700::1111', '2a05:d014::1', '3ffe:ffff::'],
  ...['64:ff9b::808:808', '64:ff9b::8.8.8.8'],
];

const allowPrivateAddresses = true;

describe('addressProblem', () => {
  it.each(FORBIDDEN.map((range) => [range, ...ends(range)]))('never allows %s', (_, first, last) => {
    for (const ip of [first, last]) {
      expect(addressProblem(ip)).toEqual(expect.any(String));
      expect(addressProblem(ip, { allowPrivateAddresses })).toEqual(expect.any(String));
    }
  });

  it.each(PRIVATE.map((range) => [range, ...ends(range)]))(
    'allows %s where private addresses are',
    (_, first, last) => {
      for (const ip of [first, last]) {
        expect(addressProblem(ip)).toBe('a private address');
        expect(addressProblem(ip, { allowPrivateAddresses })).toBeUndefined();
      }
    },
  );

  it.each(PUBLIC)('allows %s', (ip) => {
    expect(addressProblem(ip)).toBeUndefined();
    expect(addressProblem(ip, { allowPrivateAddresses })).toBeUndefined();
  });

  it.each([
    ['127.0.0.1', 'a loopback address'],
    ['169.254.169.254', 'a link-local address'],
    ['169.254.100.1', 'a link-local address'],
    ['fd00:ec2::254', 'a metadata service of a cloud'],
    ['::ffff:10.0.0.5', 'an IPv4 address written as IPv6'],
    ['64:ff9b::a9fe:a9fe', 'a link-local address'],
    ['64:ff9b::7f00:1', 'a loopback address'],
    ['64:ff9b::', 'an unspecified address'],
    ['64:ff9b::1', 'an unspecified address'],
    ['64:ff9b::1:0:0', 'no public address'],
    ['4000::1', 'no public address'],
    ['fe80::1%eth0', '"fe80::1%eth0", which is no IP address'],
    ['2606:4700::1%lo', '"2606:4700::1%lo", which is no IP address'],
    ['010.0.0.1', '"010.0.0.1", which is no IP address'],
    ['localhost', '"localhost", which is no IP address'],
    ['', '"", which is no IP address'],
  ])('says of %s that it is %s', (ip, problem) => {
    expect(addressProblem(ip, { allowPrivateAddresses })).toBe(problem);
  });

  it('judges what a NAT gateway translates by the address behind it', () => {
    expect(addressProblem('64:ff9b::a00:0')).toBe('a private address');
    expect(addressProblem('64:FF9B:0:0:0:0:10.0.0.5', { allowPrivateAddresses })).toBeUndefined();
  });

  it.each(['127.0.0.1', '127.255.255.254', '::1'])('allows %s where loopback is', (ip) => {
    expect(addressProblem(ip, { loopback: true })).toBeUndefined();
  });

  it.each(['8.8.8.8', '10.0.0.5', '0.0.0.0', '169.254.169.254', '2606:4700:4700::1111', 'fe80::1', '::ffff:7f00:1'])(
    'refuses %s where loopback is all that is allowed',
    (ip) => {
      expect(addressProblem(ip, { loopback: true, allowPrivateAddresses })).toBe('no loopback address');
    },
  );

  it('agrees with the ranges for every address', () => {
    const near = (range: string) => {
      const [low, high] = bounds(range);
      const most = high > 2n ** 32n ? 2n ** 128n - 1n : 2n ** 32n - 1n;
      return fc
        .bigInt({ min: low > 9n ? low - 9n : 0n, max: high + 9n < most ? high + 9n : most })
        .map((n) => format(n, range.includes(':')));
    };
    const ip = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.bigInt({ min: 0x2000n << 112n, max: 0x3fffn << 112n }).map((n) => format(n, true)),
      ...[...FORBIDDEN, ...PRIVATE].map(near),
    );
    fc.assert(
      fc.property(ip, fc.boolean(), (address, allowed) => {
        const [value, is6] = [parse(address), address.includes(':')];
        fc.pre(!(is6 && value >> 32n === 0x64ff9bn << 64n));
        const within = (ranges: readonly string[]) =>
          ranges.some((range) => {
            const [low, high] = bounds(range);
            return range.includes(':') === is6 && low <= value && value <= high;
          });
        const expected = within(FORBIDDEN)
          ? false
          : within(PRIVATE)
            ? allowed
            : !is6 || (value >= 0x2000n << 112n && value < 0x4000n << 112n);
        expect(addressProblem(address, { allowPrivateAddresses: allowed }) === undefined).toBe(expected);
        expect(addressProblem(address, { loopback: true }) === undefined).toBe(within(LOOPBACK));
      }),
      { numRuns: 3_000 },
    );
  });
});

function ends(range: string): [string, string] {
  const [low, high] = bounds(range);
  return [format(low, range.includes(':')), format(high, range.includes(':'))];
}

function bounds(range: string): [bigint, bigint] {
  const [network = '', prefix] = range.split('/');
  const rest = BigInt(network.includes(':') ? 128 : 32) - BigInt(prefix ?? '');
  const low = parse(network);
  return [low, low + 2n ** rest - 1n];
}

function parse(ip: string): bigint {
  if (!ip.includes(':')) return ip.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n);
  const plain = ip.replace(/\d+\.\d+\.\d+\.\d+$/, (v4) => {
    const value = parse(v4);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [head = [], tail] = plain.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...(tail ?? [])].reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n);
}

function format(value: bigint, is6: boolean): string {
  const [count, bits, radix] = is6 ? ([8, 16n, 16] as const) : ([4, 8n, 10] as const);
  const parts = Array.from({ length: count }, (_, n) => (value >> (bits * BigInt(count - 1 - n))) & (2n ** bits - 1n));
  return parts.map((part) => part.toString(radix)).join(is6 ? ':' : '.');
}
