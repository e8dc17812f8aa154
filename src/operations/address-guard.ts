import { BlockList, isIP } from 'node:net';
import { quote } from '../nexus/quote.ts';

/** Which addresses beyond the public ones an origin may have. */
export interface AddressRule {
  /** The private networks: 10/8, 172.16/12, 192.168/16, 100.64/10 and fc00::/7, less the metadata services in them. */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** Loopback, and nothing else. */
  readonly loopback?: boolean | undefined;
}

/** An address that no completion may be sent to. Its message names host, address and reason. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress';
}

interface Range {
  readonly what: string;
  readonly list: BlockList;
}

type Family = 'ipv4' | 'ipv6';

/** The first range that holds an address says what it is. */
type Ranges = Readonly<Record<Family, readonly Range[]>>;

const LOOPBACK = ranges(['127.0.0.0/8 ::1/128', 'a loopback address']);

/** The IANA registries of special-purpose addresses, and what clouds put into the ranges of others. */
const FORBIDDEN = ranges(
  ['127.0.0.0/8 ::1/128', 'a loopback address'],
  // Instance metadata, container credentials, and what serves the Lambda runtime are at 169.254.
  ['169.254.0.0/16 fe80::/10', 'a link-local address'],
  // Of AWS, Alibaba Cloud, Azure and Google Cloud, where they are in private or public ranges.
  ['100.100.100.200/32 168.63.129.16/32 fd00:ec2::/32 fd20:ce::254/128', 'a metadata service of a cloud'],
  ['0.0.0.0/8 ::/128', 'an unspecified address'],
  ['::ffff:0:0/96 ::ffff:0:0:0/96 ::/96', 'an IPv4 address written as IPv6'],
  ['224.0.0.0/4 ff00::/8', 'a multicast address'],
  ['255.255.255.255/32', 'the broadcast address'],
  ['192.0.0.0/24 192.88.99.0/24 240.0.0.0/4 192.31.196.0/24 192.52.193.0/24 192.175.48.0/24', 'a reserved address'],
  ['2001::/23 5f00::/16 2620:4f:8000::/48 fec0::/10', 'a reserved address'],
  ['192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20', 'an address for documentation'],
  ['198.18.0.0/15', 'an address for benchmarks'],
  ['64:ff9b:1::/48 2002::/16', 'an address that is translated to another'],
  ['100::/64 100:0:0:1::/64', 'an address that discards what is sent to it'],
);

const PRIVATE = ranges(['10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7', 'a private address']);

/** All that was ever assigned for use over the Internet is in there. */
const GLOBAL_UNICAST = ranges(['0.0.0.0/0 2000::/3', 'a public address']);

/**
 * What keeps a completion from going to an address, to be read after "it is"; `undefined` where nothing does.
 *
 * @param ip an IPv4 or IPv6 address, without a zone
 */
export function addressProblem(ip: string, { allowPrivateAddresses, loopback }: AddressRule = {}): string | undefined {
  const version = isIP(ip);
  if (version === 0 || ip.includes('%')) return `${quote(ip)}, which is no IP address`;
  const judged = version === 6 ? (translatedAddress(ip) ?? ip) : ip;
  if (loopback) return whatIs(judged, LOOPBACK) ? undefined : 'no loopback address';
  const forbidden = whatIs(judged, FORBIDDEN);
  if (forbidden !== undefined) return forbidden;
  const private_ = whatIs(judged, PRIVATE);
  if (private_ !== undefined) return allowPrivateAddresses ? undefined : private_;
  return whatIs(judged, GLOBAL_UNICAST) ? undefined : 'no public address';
}

/** The IPv4 address behind one of 64:ff9b::/96, which DNS64 makes of every IPv4 address in a VPC that has it on. */
function translatedAddress(ip: string): string | undefined {
  const canonical = new URL(`http://[${ip}]`).hostname;
  const match = /^\[64:ff9b::(?:(?:([0-9a-f]+):)?([0-9a-f]+))?\]$/.exec(canonical);
  if (match === null) return undefined;
  const [, high = '0', low = '0'] = match;
  const [first, second] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [first >> 8, first & 255, second >> 8, second & 255].join('.');
}

function whatIs(ip: string, { ipv4, ipv6 }: Ranges): string | undefined {
  const [family, list] = isIP(ip) === 4 ? (['ipv4', ipv4] as const) : (['ipv6', ipv6] as const);
  return list.find((range) => range.list.check(ip, family))?.what;
}

/** A BlockList takes 1.2.3.4 for one of ::ffff:0:0/96, and the other way around: the families are kept apart. */
function ranges(...rows: readonly (readonly [subnets: string, what: string])[]): Ranges {
  const of = (family: Family) =>
    rows.flatMap(([subnets, what]) => {
      const own = subnets.split(' ').filter((subnet) => subnet.includes(':') === (family === 'ipv6'));
      if (own.length === 0) return [];
      const list = new BlockList();
      for (const subnet of own) {
        const [network = '', prefix] = subnet.split('/');
        list.addSubnet(network, Number(prefix), family);
      }
      return [{ what, list }];
    });
  return { ipv4: of('ipv4'), ipv6: of('ipv6') };
}
