import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AddressSeen, addressFinding, isLoopback } from '../../src/doctor/address-hop.ts';
import { connectTo } from '../../src/doctor/connect.ts';
import { parseTarget } from '../../src/doctor/target.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { basic, dev } from './deployments.ts';

const never = new AbortController().signal;
const targetAt = (origin: string) => parseTarget(origin, 'shop');

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('connecting', () => {
  it('tells the address, and the version of TLS', async () => {
    const port = await listening(createServer());
    const seen = await connectTo(targetAt(`http://localhost:${port}`), never);
    expect(seen).toEqual({ step: 'connected', ip: '127.0.0.1', port, tls: undefined });
  });

  it('tells a name without an address', async () => {
    const seen = await connectTo(targetAt('http://no-such-host.invalid'), never);
    expect(seen).toMatchObject({ step: 'dns', code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) });
  });

  it('tells a port where nothing listens', async () => {
    const [port] = await freePorts(1);
    expect(await connectTo(targetAt(`http://127.0.0.1:${port}`), never)).toMatchObject({
      step: 'tcp',
      code: 'ECONNREFUSED',
    });
  });

  it('tells a port without TLS', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const seen = await connectTo(targetAt(`https://127.0.0.1:${await listening(server)}`), never);
    expect(seen).toMatchObject({ step: 'tls', code: expect.stringContaining('WRONG_VERSION_NUMBER') });
    expect(addressFinding(seen, targetAt('https://127.0.0.1:1')).why).toBe('The port does not speak TLS.');
  });

  it('tells a silence when its time is over', async () => {
    const seen = await connectTo(
      targetAt(`https://127.0.0.1:${await listening(createServer())}`),
      AbortSignal.timeout(50),
    );
    expect(seen).toEqual({ step: 'tls', code: 'ETIMEDOUT', message: 'no answer in time' });
  });
});

describe('the address', () => {
  it.each<[AddressSeen, typeof dev, { says: string; why: string; type: string }]>([
    [
      { step: 'tcp', code: 'ECONNREFUSED', message: '' },
      dev,
      {
        says: 'nothing takes connections at 127.0.0.1:9233 (ECONNREFUSED)',
        why: 'the dev server is not running',
        type: 'npx nexus-lambda dev MODULE --endpoint shop --port 9233',
      },
    ],
    [
      { step: 'tcp', code: 'ECONNREFUSED', message: '' },
      basic,
      { says: 'amazonaws.com:443 (ECONNREFUSED)', why: 'nothing listens on that port', type: '' },
    ],
    [{ step: 'tcp', code: 'ETIMEDOUT', message: '' }, basic, { says: '(ETIMEDOUT)', why: 'A firewall', type: '' }],
    [
      { step: 'dns', code: 'ENOTFOUND', message: '' },
      basic,
      {
        says: 'has no address (ENOTFOUND)',
        why: 'An API that was destroyed',
        type: 'aws cloudformation describe-stacks',
      },
    ],
    [
      { step: 'dns', code: 'ENOTFOUND', message: '' },
      dev,
      { says: 'has no address', why: 'misspelt', type: 'getent hosts 127.0.0.1' },
    ],
    [
      { step: 'tls', code: 'EPROTO', message: 'wrong version number' },
      basic,
      { says: 'no TLS with', why: 'does not speak TLS', type: 'http://shop:PASSWORD@abc.execute-api' },
    ],
    [
      { step: 'tls', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' },
      basic,
      { says: 'self-signed certificate', why: 'does not know', type: 'NODE_EXTRA_CA_CERTS=ca.pem' },
    ],
    [
      { step: 'tls', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: 'unable to verify the first certificate' },
      basic,
      { says: 'unable to verify', why: 'does not know', type: 'NODE_EXTRA_CA_CERTS=ca.pem' },
    ],
    [
      { step: 'tls', code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: 'x' },
      basic,
      { says: 'no TLS with', why: 'for another name', type: '' },
    ],
    [{ step: 'tls', code: 'CERT_HAS_EXPIRED', message: 'x' }, basic, { says: 'no TLS', why: 'has expired', type: '' }],
    [{ step: 'tls', code: 'ECONNRESET', message: 'x' }, basic, { says: 'no TLS', why: 'and TLS was not', type: '' }],
  ])('that is %j is named', (seen, { target }, { says, why, type }) => {
    const finding = addressFinding(seen, target);
    expect(finding).toMatchObject({
      hop: 'address',
      status: 'fail',
      says: expect.stringContaining(says),
      why: expect.stringContaining(why),
    });
    expect(finding.type?.join('\n') ?? '').toContain(type);
  });

  it('that takes connections is shown', () => {
    const connected = { step: 'connected', ip: '10.0.0.7', port: 443, tls: 'TLSv1.3' } as const;
    expect(addressFinding(connected, basic.target).says).toBe(
      'abc.execute-api.eu-west-1.amazonaws.com (10.0.0.7) takes connections on port 443, with TLSv1.3',
    );
    expect(addressFinding({ ...connected, ip: '127.0.0.1', tls: undefined }, dev.target).says).toBe(
      '127.0.0.1 takes connections on port 443',
    );
  });

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])('%s is this machine', (hostname) => {
    expect(isLoopback(hostname)).toBe(true);
    expect(isLoopback(`${hostname}.example`)).toBe(hostname.startsWith('127.'));
  });
});
