import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { VERSION } from '../../src/handler/version.ts';
import type { CallbackPolicy } from '../../src/operations/callback-rules.ts';
import { type CompletionPosterDeps, createCompletionPoster } from '../../src/operations/completion-poster.ts';
import { type CallbackServer, createNetwork, openCallback } from './callback-server.ts';
import { selfSignedCertificate } from './self-signed-certificate.ts';

const TOKEN = '{"v":1,"d":"CiQwMWEyMDY3NC03YmY2LTc3"}';
const completion = {
  headers: {
    'temporal-callback-token': TOKEN,
    'nexus-operation-state': 'succeeded',
    'content-type': 'application/json',
  },
  body: new TextEncoder().encode('{"ok":true}'),
};
const loopback: CallbackPolicy = { allowed: [], loopback: true };
const PRIVATE = 'http://10.0.0.5:7243';
const privately: CallbackPolicy = {
  allowed: [
    { origin: PRIVATE, allowPrivateAddresses: true, allowInsecure: true },
    { origin: 'http://temporal.internal', allowPrivateAddresses: true, allowInsecure: true },
    { origin: 'http://temporal.example.com', allowInsecure: true },
  ],
};

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function open(
  answer: RequestListener,
  ...certificate: Parameters<typeof openCallback> extends [unknown, ...infer C] ? C : never
): Promise<CallbackServer> {
  const server = await openCallback(answer, ...certificate);
  ends.push(server.close);
  return server;
}

const says =
  (status: number, body = '', headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
const json = { 'content-type': 'application/json' };

/** Posts to a callback on loopback. */
async function post(answer: RequestListener, deps: Partial<CompletionPosterDeps> = {}) {
  const server = await open(answer);
  const poster = createCompletionPoster({ callbacks: loopback, ...deps });
  return { server, result: await poster(`http://127.0.0.1:${server.port}/nexus/callback?a=b`, completion) };
}

describe('a completion on its way to a callback', () => {
  it('is one POST of what was given, with its length, over a connection that is then closed', async () => {
    const { server, result } = await post(says(200));
    expect(result).toEqual({ kind: 'delivered' });
    expect(server.received).toHaveLength(1);
    const [{ method, url, headers, body }] = server.received as [(typeof server.received)[0]];
    expect([method, url, body.toString()]).toEqual(['POST', '/nexus/callback?a=b', '{"ok":true}']);
    expect(headers).toEqual({
      ...completion.headers,
      host: `127.0.0.1:${server.port}`,
      'content-length': '11',
      connection: 'close',
      'user-agent': `nexus-lambda (${VERSION})`,
    });
  });

  it('says its length where it is empty', async () => {
    const server = await open(says(200));
    const poster = createCompletionPoster({ callbacks: loopback });
    await poster(`http://127.0.0.1:${server.port}`, { headers: {}, body: new Uint8Array() });
    expect(server.received[0]?.headers).toMatchObject({ 'content-length': '0' });
    expect(server.received[0]?.url).toBe('/');
  });

  it('is not sent on by a redirect', async () => {
    const target = await open(says(200));
    const { result } = await post(says(307, '', { location: `http://127.0.0.1:${target.port}/` }));
    expect(result).toMatchObject({ kind: 'retry', alarm: expect.any(String) });
    expect(target.connections()).toBe(0);
  });

  it.each<[string, RequestListener, object]>([
    ['delivered after 204', says(204), { kind: 'delivered' }],
    ['refused after a 404 of Nexus', says(404, '{"message":"operation not found"}', json), { kind: 'refused' }],
    ['retried after a 404 of an ingress', says(404, 'no route'), { kind: 'retry' }],
    ['dead-lettered after 400', says(400, '{"message":"result exceeds size limit"}', json), { kind: 'dead-lettered' }],
    ['retried after 503', says(503), { kind: 'retry' }],
    ['retried, with an alarm, after 401', says(401), { kind: 'retry', alarm: expect.any(String) }],
    [
      'retried after 101',
      (_, { socket }) => socket?.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
      { kind: 'retry' },
    ],
    ['retried after no HTTP', (_, { socket }) => socket?.end('SSH-2.0-OpenSSH\r\n'), { kind: 'retry' }],
    ['retried after no answer', (_, { socket }) => socket?.destroy(), { kind: 'retry' }],
  ])('is %s', async (_, answer, expected) => {
    const { result } = await post(answer, { timeoutMs: 1_000 });
    expect(result).toMatchObject(expected);
  });

  it('is retried where nobody listens', async () => {
    const server = await openCallback(says(200));
    await server.close();
    const poster = createCompletionPoster({ callbacks: loopback });
    const origin = `http://127.0.0.1:${server.port}`;
    const message = `${origin} did not answer: connect ECONNREFUSED 127.0.0.1:${server.port}`;
    expect(await poster(origin, completion)).toEqual({ kind: 'retry', message });
  });

  it.each<[string, Partial<CompletionPosterDeps>]>([
    ['no answer comes', {}],
    ['a name does not resolve', { resolve: () => new Promise(() => {}) }],
  ])('is retried where %s in time', async (_, deps) => {
    const server = await open(() => {});
    const poster = createCompletionPoster({ callbacks: loopback, timeoutMs: 50, ...deps });
    const origin = `http://localhost:${server.port}`;
    const message = `${origin} did not answer: nothing came within 50 ms`;
    expect(await poster(origin, completion)).toEqual({ kind: 'retry', message });
  });

  it('is retried where TLS is not agreed on in time', async () => {
    const silent = createServer(() => {});
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    ends.push(async () => silent.close());
    const { port } = silent.address() as AddressInfo;
    const poster = createCompletionPoster({ callbacks: loopback, timeoutMs: 50 });
    expect(await poster(`https://127.0.0.1:${port}`, completion)).toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('nothing came within 50 ms'),
    });
  });

  it('goes by the status where the answer is too long to be a failure', async () => {
    const long = JSON.stringify({ message: 'x'.repeat(64 * 1024) });
    expect((await post(says(404, long, json))).result).toMatchObject({ kind: 'retry' });
    const endless: RequestListener = (_, response) => {
      response.writeHead(404, json);
      const write = () => response.write(' '.repeat(16 * 1024), (error) => error || write());
      write();
    };
    expect((await post(endless)).result).toMatchObject({ kind: 'retry' });
  });

  it('goes by the status where the answer does not end', async () => {
    const unending =
      (status: number): RequestListener =>
      (_, response) => {
        response.writeHead(status, json).write('{"message":"operation');
      };
    const { server, result: delivered } = await post(unending(200), { timeoutMs: 600_000 });
    expect(delivered).toEqual({ kind: 'delivered' });
    await expect.poll(server.open).toBe(0);
    const { result } = await post(unending(400), { timeoutMs: 100 });
    expect(result).toMatchObject({ kind: 'dead-lettered', message: expect.stringMatching(/answered 400$/) });
    const cut: RequestListener = (_, response) => {
      response.writeHead(404, json).write('{"message":"operation', () => response.destroy());
    };
    expect((await post(cut)).result).toMatchObject({ kind: 'retry', message: expect.stringMatching(/answered 404$/) });
  });

  it('goes by the status where the answer breaks off in ways that HTTP does not know', async () => {
    const garbled: RequestListener = (_, { socket }) => {
      socket?.write('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n', () => {
        setImmediate(() => socket.write('no chunk\r\n'));
      });
    };
    const { result } = await post(garbled, { timeoutMs: 1_000 });
    expect(result).toMatchObject({ kind: 'retry', message: expect.stringMatching(/answered 404$/) });
  });

  it('survives an endpoint that answers before it has read everything, and hangs up', async () => {
    const hasty = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', () => socket.resetAndDestroy());
      });
    });
    await once(hasty.listen(0, '127.0.0.1'), 'listening');
    ends.push(async () => hasty.close());
    const { port } = hasty.address() as AddressInfo;
    const poster = createCompletionPoster({ callbacks: loopback });
    const body = new Uint8Array(16 * 1024 * 1024);
    const result = await poster(`http://127.0.0.1:${port}`, { ...completion, body });
    expect(['delivered', 'retry']).toContain(result.kind);
  });

  it('shows nothing of what it was sent, where the endpoint quotes that', async () => {
    const headers = {
      ...completion.headers,
      authorization: 'Bearer abcdefghijklmnop',
      'nexus-operation-token': 'b3VycywgcmFuZG9t',
    };
    const server = await open((request, response) => {
      const message = `bad headers ${JSON.stringify(request.headers)}`;
      response.writeHead(400, json).end(JSON.stringify({ message }));
    });
    const poster = createCompletionPoster({ callbacks: loopback });
    const result = await poster(`http://127.0.0.1:${server.port}`, { ...completion, headers });
    const { message } = result as { message: string };
    expect(message).toContain('bad headers');
    expect(message).not.toMatch(/CiQw|MWEy|abcdef|b3Vy/);
  });
});

describe('where a completion may go', () => {
  /** Posts by the rules of `privately` into a network of the test's own. */
  async function postTo(url: string, addresses: readonly string[], arrive?: string) {
    const server = await open(says(200));
    const network = createNetwork(server.port, arrive === undefined ? {} : { arrive });
    const asked: string[] = [];
    const poster = createCompletionPoster({
      callbacks: privately,
      connect: network.connect,
      resolve: async (host) => {
        asked.push(host);
        return addresses;
      },
    });
    return { result: await poster(url, completion), asked, dialed: network.dialed, server };
  }

  it('is a private address where the origin says so', async () => {
    const { result, asked, dialed } = await postTo(`${PRIVATE}/nexus/callback`, []);
    expect([result, asked, dialed]).toEqual([{ kind: 'delivered' }, [], ['10.0.0.5']]);
    const named = await postTo('http://temporal.internal/', ['10.0.0.7', 'fd12:0::5']);
    expect([named.result, named.asked, named.dialed]).toEqual([
      { kind: 'delivered' },
      ['temporal.internal'],
      ['10.0.0.7'],
    ]);
  });

  it.each([
    [
      'http://temporal.example.com/',
      ['10.0.0.5'],
      'temporal.example.com has the address 10.0.0.5: it is a private address',
    ],
    ['http://temporal.example.com/', ['127.0.0.1'], 'a loopback address'],
    ['http://temporal.example.com/', ['8.8.8.8', '10.0.0.5'], 'a private address'],
    ['http://temporal.example.com/', ['2606:4700::1', '::1'], 'a loopback address'],
    ['http://temporal.internal/', ['10.0.0.5', '169.254.169.254'], 'a link-local address'],
    ['http://temporal.internal/', ['10.0.0.5', '::ffff:127.0.0.1'], 'an IPv4 address written as IPv6'],
    ['http://temporal.internal/', ['fd00:ec2::254'], 'a metadata service of a cloud'],
    ['http://temporal.internal/', ['fe80::1%eth0'], 'no IP address'],
    ['http://temporal.internal/', ['temporal.example.com'], 'no IP address'],
  ])('is not %s at %j', async (url, addresses, reason) => {
    const { result, dialed, server } = await postTo(url, addresses);
    expect(result).toMatchObject({
      kind: 'retry',
      alarm: expect.any(String),
      message: expect.stringContaining(reason),
    });
    expect(dialed).toEqual([]);
    expect(server.connections()).toBe(0);
  });

  it('is nowhere where a name has no address', async () => {
    const { result } = await postTo('http://temporal.internal/', []);
    expect(result).toMatchObject({ kind: 'retry', message: expect.stringContaining('has no address') });
  });

  it('is the address that was checked, whatever the name has a moment later', async () => {
    const server = await open(says(200));
    const network = createNetwork(server.port);
    const answers = [['8.8.8.8'], ['169.254.169.254'], ['8.8.4.4']];
    const resolve = async () => answers.shift() ?? [];
    const poster = createCompletionPoster({ callbacks: privately, connect: network.connect, resolve });
    const attempt = () => poster('http://temporal.example.com/', completion);
    expect(await attempt()).toEqual({ kind: 'delivered' });
    expect(await attempt()).toMatchObject({ kind: 'retry', alarm: expect.any(String) });
    expect(await attempt()).toEqual({ kind: 'delivered' });
    expect(network.dialed).toEqual(['8.8.8.8', '8.8.4.4']);
  });

  it('is not where a connection arrives elsewhere, and then nothing is sent', async () => {
    const { result, dialed, server } = await postTo('http://temporal.example.com/', ['8.8.8.8'], '10.0.0.5');
    expect(result).toMatchObject({
      kind: 'retry',
      alarm: expect.any(String),
      message: expect.stringContaining('at 10.0.0.5'),
    });
    expect([dialed, server.received]).toEqual([['8.8.8.8'], []]);
    await expect.poll(server.open).toBe(0);
  });

  it('is an IPv6 address in whatever spelling', async () => {
    const { result } = await postTo('http://temporal.internal/', ['fd12:0::0005'], 'fd12::5');
    expect(result).toEqual({ kind: 'delivered' });
  });

  it('is the one of several addresses that answers', async () => {
    const server = await open(says(200));
    const resolve = async () => ['127.0.0.9', '127.0.0.1'];
    const poster = createCompletionPoster({ callbacks: loopback, resolve });
    expect(await poster(`http://localhost:${server.port}/`, completion)).toEqual({ kind: 'delivered' });
  });

  it('is no URL that is not allowed, or none at all', async () => {
    const server = await open(says(200));
    const poster = createCompletionPoster({ callbacks: privately });
    for (const url of [`http://127.0.0.1:${server.port}/`, 'temporal://system']) {
      expect(await poster(url, completion)).toMatchObject({ kind: 'dead-lettered' });
    }
    expect(server.connections()).toBe(0);
  });
});

describe('a completion that goes by HTTPS', () => {
  const HOST = 'temporal.example.com';
  const certificate = selfSignedCertificate(HOST);

  async function securely(ca: string | undefined, { cert = certificate, host = HOST } = {}) {
    const server = await open(says(200), cert);
    const origin = `https://${host}:${server.port}`;
    const poster = createCompletionPoster({
      callbacks: { allowed: [{ origin, ...(ca !== undefined && { ca }) }] },
      connect: createNetwork(server.port).connect,
      resolve: async () => ['8.8.8.8'],
    });
    return { result: await poster(`${origin}/nexus/callback`, completion), server };
  }

  it('is delivered where the certificate is of the authority of the rule, and for the host', async () => {
    const { result, server } = await securely(certificate.cert);
    expect(result).toEqual({ kind: 'delivered' });
    expect(server.received[0]?.headers.host).toBe(`${HOST}:${server.port}`);
    expect(server.received[0]?.servername).toBe(HOST);
  });

  it('is delivered to an address that the certificate is for', async () => {
    const cert = selfSignedCertificate('8.8.8.8');
    const { result, server } = await securely(cert.cert, { cert, host: '8.8.8.8' });
    expect(result).toEqual({ kind: 'delivered' });
    expect(server.received[0]).not.toHaveProperty('servername');
  });

  it.each<[string, string | undefined, { cert?: typeof certificate; host?: string }]>([
    ['an authority that is not public', undefined, {}],
    ['another authority', selfSignedCertificate(HOST).cert, {}],
    ['another host', certificate.cert, { host: 'other.example.com' }],
    ['another address', certificate.cert, { host: '8.8.8.8' }],
  ])('is retried, with an alarm, and not sent where the certificate is of %s', async (_, ca, options) => {
    const { result, server } = await securely(ca, options);
    expect(result).toMatchObject({ kind: 'retry', alarm: expect.any(String) });
    expect(server.received).toEqual([]);
  });

  it('is retried, with an alarm, and not sent where the certificate is no longer valid', async () => {
    const cert = selfSignedCertificate(HOST, { until: '20210101000000Z' });
    const { result, server } = await securely(cert.cert, { cert });
    expect(result).toMatchObject({
      kind: 'retry',
      alarm: expect.any(String),
      message: expect.stringContaining('expired'),
    });
    expect(server.received).toEqual([]);
  });

  it('is not sent past a wrong certificate, even where the environment tells Node to do so', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    ends.push(async () => vi.unstubAllEnvs());
    const { result, server } = await securely(undefined);
    expect(result).toMatchObject({ kind: 'retry', alarm: expect.any(String) });
    expect(server.received).toEqual([]);
  });

  it('is retried where the endpoint speaks no TLS', async () => {
    const server = await open(says(200));
    const poster = createCompletionPoster({ callbacks: loopback });
    expect(await poster(`https://localhost:${server.port}/`, completion)).toMatchObject({ kind: 'retry' });
    expect(server.received).toEqual([]);
  });
});

describe('the authorization of completions', () => {
  const secretArn = 'arn:aws:secretsmanager:eu-west-1:111111111111:secret:temporal';

  async function sent(
    authorization: string | { secretArn: string } | undefined,
    { readSecret, given = {} }: { readSecret?: (arn: string) => Promise<string>; given?: Record<string, string> } = {},
  ) {
    const server = await open(says(200));
    const rule = { origin: PRIVATE, allowPrivateAddresses: true, allowInsecure: true };
    const poster = createCompletionPoster({
      callbacks: { allowed: [{ ...rule, ...(authorization !== undefined && { authorization }) }] },
      connect: createNetwork(server.port).connect,
      ...(readSecret && { readSecret }),
    });
    const headers = { ...completion.headers, ...given };
    const result = await poster(PRIVATE, { ...completion, headers });
    return { result, authorization: server.received[0]?.headers.authorization, connections: server.connections() };
  }

  it('is what the rule says, over what the caller gave', async () => {
    const given = { authorization: "Bearer of the caller's" };
    expect(await sent('Bearer ours', { given })).toMatchObject({ authorization: 'Bearer ours' });
    const readSecret = async (arn: string) => `Bearer of ${arn}`;
    expect(await sent({ secretArn }, { given, readSecret })).toMatchObject({ authorization: `Bearer of ${secretArn}` });
    expect(await sent(undefined, { given })).toMatchObject({ authorization: "Bearer of the caller's" });
  });

  it.each<[string, () => Promise<string>, string]>([
    ['cannot be read', () => Promise.reject(new Error('throttled')), 'is not there: throttled'],
    ['is empty', async () => '', 'the secret is empty'],
    ['ends in a line break', async () => 'Bearer x\n', 'such as a line break at its end'],
  ])('raises an alarm, and nothing is sent, where its secret %s', async (_, readSecret, words) => {
    const { result, connections } = await sent({ secretArn }, { readSecret });
    expect(result).toMatchObject({ kind: 'retry', alarm: expect.any(String), message: expect.stringContaining(words) });
    expect(result).not.toMatchObject({ message: expect.stringContaining('Bearer') });
    expect(connections).toBe(0);
  });

  /** Posts where the callback lets nobody in but the bearer of `good`, with a secret that says one value after the other. */
  async function rotated(good: string, values: (string | Error)[]) {
    const server = await open((request, response) => {
      response.writeHead(request.headers.authorization === good ? 200 : 401).end();
    });
    const asked: (string | undefined)[] = [];
    const poster = createCompletionPoster({
      callbacks: {
        allowed: [{ origin: PRIVATE, allowPrivateAddresses: true, allowInsecure: true, authorization: { secretArn } }],
      },
      connect: createNetwork(server.port).connect,
      async readSecret(_arn, refused) {
        asked.push(refused);
        const value = values.shift() ?? 'Bearer last';
        if (value instanceof Error) throw value;
        return value;
      },
    });
    const result = await poster(PRIVATE, completion);
    return { result, asked, sent: server.received.map(({ headers }) => headers.authorization) };
  }

  it('is read once more, and sent, where the callback refuses it: it may have been rotated', async () => {
    const { result, asked, sent } = await rotated('Bearer new', ['Bearer old', 'Bearer new']);
    expect(result).toEqual({ kind: 'delivered' });
    expect(asked).toEqual([undefined, 'Bearer old']);
    expect(sent).toEqual(['Bearer old', 'Bearer new']);
  });

  it('is not sent a third time', async () => {
    const { result, sent } = await rotated('Bearer third', ['Bearer old', 'Bearer new', 'Bearer third']);
    expect(result).toMatchObject({ kind: 'retry', alarm: expect.any(String) });
    expect(sent).toEqual(['Bearer old', 'Bearer new']);
  });

  it.each<[string, string | Error]>([
    ['is what it was', 'Bearer old'],
    ['cannot be read', new Error('throttled')],
    ['holds what is no header', 'Bearer new\n'],
  ])('is not sent again where it %s', async (_, again) => {
    const { result, sent } = await rotated('Bearer new', ['Bearer old', again]);
    expect(result).toMatchObject({ kind: 'retry', message: expect.stringContaining('401') });
    expect(sent).toEqual(['Bearer old']);
  });

  it('cannot be in a secret that nobody reads', async () => {
    await expect(sent({ secretArn })).rejects.toThrow(`the authorization for ${PRIVATE} is in a secret`);
  });
});

describe('createCompletionPoster', () => {
  it('fails for rules that cannot be', () => {
    const callbacks = { allowed: [{ origin: 'http://temporal.example.com' }] };
    expect(() => createCompletionPoster({ callbacks })).toThrow('add allowInsecure: true');
  });
});
