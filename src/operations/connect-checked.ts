import { once } from 'node:events';
import { isIP, type LookupFunction, type Socket, SocketAddress, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { beforeAbort } from '../nexus/before-abort.ts';
import { type AddressRule, addressProblem, ForbiddenAddress } from './address-guard.ts';

/** The addresses of a host. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface ConnectCheckedOptions {
  readonly rule: AddressRule;
  /** Certificates in PEM instead of the public authorities'. */
  readonly ca?: string | undefined;
  readonly resolve: Resolve;
  readonly connect: (options: TcpNetConnectOpts) => Socket;
  readonly signal: AbortSignal;
}

/**
 * Connects to the host of a URL, by TLS for `https:`, at an address that is allowed. The host is looked up once, every
 * address is checked, and only those are connected to: what its name resolves to a moment later plays no part.
 *
 * @throws ForbiddenAddress where one of them is not allowed, and what the network or the signal says.
 */
export async function connectChecked(url: URL, options: ConnectCheckedOptions): Promise<Socket> {
  const { rule, ca, resolve, connect, signal } = options;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) ? [host] : await beforeAbort(signal, resolve(host));
  const [first] = addresses;
  if (first === undefined) throw new Error(`${host} has no address`);
  for (const address of addresses) {
    const problem = addressProblem(address, rule);
    if (problem !== undefined) throw new ForbiddenAddress(`${host} has the address ${address}: it is ${problem}`);
  }
  const pinned = addresses.map(canonical);
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const tcp = connect({ host, port, lookup: answering(pinned), autoSelectFamily: true });
  try {
    await beforeAbort(signal, once(tcp, 'connect'));
    const { remoteAddress = '' } = tcp;
    if (!pinned.includes(remoteAddress)) {
      throw new ForbiddenAddress(
        `${host} was reached at ${remoteAddress}: it is none of the addresses that were checked`,
      );
    }
    if (url.protocol !== 'https:') return tcp;
    // Without a name, the certificate has to be for the address.
    const name = isIP(host) ? { host } : { servername: host };
    // Said, since NODE_TLS_REJECT_UNAUTHORIZED=0 would change the default.
    const tls = connectTls({ socket: tcp, ...name, rejectUnauthorized: true, ...(ca !== undefined && { ca }) });
    await beforeAbort(signal, once(tls, 'secureConnect'));
    return tls;
  } catch (error) {
    tcp.destroy();
    throw error;
  }
}

function answering(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  // With autoSelectFamily, Node asks for all of them, and tries one after the other.
  return (_host, _options, done) => done(null, all);
}

/** As a socket says where it is connected to. */
function canonical(address: string): string {
  return new SocketAddress({ address, family: isIP(address) === 6 ? 'ipv6' : 'ipv4' }).address;
}
