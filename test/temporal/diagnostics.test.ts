import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { HandlerError } from 'nexus-rpc';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporalDiagnostics } from '../../src/temporal/diagnostics.ts';
import { reachOf, reachTemporal } from '../../src/temporal/reach.ts';
import { freePorts } from '../toolchain/free-ports.ts';

const never = new AbortController().signal;

describe('what is seen of a Temporal server', () => {
  it('is how it is connected to, without what is secret', () => {
    const pair = { crt: Buffer.from('crt'), key: Buffer.from('s3cret') };
    const seen = (options: object) => {
      const reach = reachOf({ namespace: 'shop', connectionOptions: { address: 'a:1', ...options } });
      expect(JSON.stringify(reach)).not.toContain('s3cret');
      return reach;
    };
    expect(seen({})).toEqual({ address: 'a:1', namespace: 'shop', tls: false, authentication: 'none' });
    expect(seen({ tls: {} })).toMatchObject({ tls: true, authentication: 'none' });
    expect(seen({ tls: { clientCertPair: pair } })).toMatchObject({ tls: true, authentication: 'certificate' });
    expect(seen({ apiKey: 's3cret' })).toMatchObject({ tls: true, authentication: 'api-key' });
    expect(seen({ apiKey: 's3cret', tls: false })).toMatchObject({ tls: false, authentication: 'api-key' });
  });

  it.each([
    ['nothing listens', async () => `127.0.0.1:${(await freePorts(1))[0]}`, { code: 14, message: /ECONNREFUSED/ }],
    ['it is no address', async () => 'http://127.0.0.1', { message: /Invalid address/ }],
    ['the answer is no gRPC', httpAddress, { code: 14, message: /Protocol error|ECONNRESET|socket/i }],
  ])('is a problem where %s', async (_what, address, problem) => {
    const target = { namespace: 'shop', connectionOptions: { address: await address() } };
    const { problem: seen } = await reachTemporal(target, never);
    expect(seen).toMatchObject({ ...problem, step: 'connect', message: expect.stringMatching(problem.message) });
  });

  it('is given up when the signal fires', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const target = { namespace: 'shop', connectionOptions: { address: `127.0.0.1:${port}` } };
    const { problem } = await reachTemporal(target, AbortSignal.timeout(50));
    expect(problem).toMatchObject({ step: 'connect', code: 1 });
  });
});

async function httpAddress(): Promise<string> {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("the handler's diagnostics", () => {
  const config = { namespace: 'shop', taskQueue: 'queue', connectionOptions: { address: 'temporal.example:7233' } };

  it('do not tell a caller why credentials cannot be fetched', async () => {
    const { reach } = temporalDiagnostics(config, async () => {
      throw new Error('arn:aws:secretsmanager:…:s3cret');
    });
    expect(await reach(never)).toEqual({
      address: 'temporal.example:7233',
      namespace: 'shop',
      tls: false,
      authentication: 'none',
      taskQueue: 'queue',
      problem: { step: 'credentials', message: 'the credentials cannot be used' },
    });
  });

  it('do not wait for credentials that do not come', async () => {
    const { reach } = temporalDiagnostics(config, () => new Promise(() => {}));
    expect(await reach(AbortSignal.timeout(10))).toMatchObject({ problem: { step: 'credentials' } });
  });

  it.each([undefined, {}, { taskQueue: 'orders' }, { taskQueue: 7 }])(
    'start no workflow on a task queue of somebody else: %j',
    async (input) => {
      const { relay } = temporalDiagnostics(config, undefined);
      const started = relay.start({} as never, input as never);
      await expect(started).rejects.toThrow(HandlerError);
      await expect(started).rejects.toMatchObject({
        type: 'BAD_REQUEST',
        message: expect.stringContaining('must begin with'),
      });
    },
  );
});
