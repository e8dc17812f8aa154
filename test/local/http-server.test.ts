import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { startHttpServer } from '../../src/local/http-server.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../../src/nexus/message.ts';

const EMPTY: NexusHttpResponse = { status: 200, headers: {}, body: new Uint8Array() };

async function setUp(
  answer: (request: NexusHttpRequest) => NexusHttpResponse | Promise<NexusHttpResponse> = () => EMPTY,
) {
  const requests: NexusHttpRequest[] = [];
  const server = await startHttpServer(0, async (request) => {
    requests.push(request);
    return answer(request);
  });
  onTestFinished(() => server.close());
  return {
    server,
    requests,
    raw: (...chunks: (string | Uint8Array)[]) => sendRaw(Number(new URL(server.url).port), chunks),
  };
}

/** Sends bytes as they are, and reads the answer until the server closes. */
async function sendRaw(port: number, chunks: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  for (const chunk of chunks) socket.write(chunk);
  let text = '';
  for await (const chunk of socket.setEncoding('latin1')) text += chunk;
  return text;
}

function failureIn(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
}

it('passes path and query on as they were escaped', async () => {
  const { raw, requests } = await setUp();
  await raw('POST /a%2Fb/../c%20d?x=%20&y=1?2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  expect(requests).toEqual([
    expect.objectContaining({ method: 'POST', path: '/a%2Fb/../c%20d', query: 'x=%20&y=1?2' }),
  ]);
});

it('takes the path of a whole URL as a proxy sends it', async () => {
  const { raw, requests } = await setUp();
  await raw('POST http://localhost:1/a/b?c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  expect(requests[0]).toMatchObject({ path: '/a/b', query: 'c' });
});

it('joins the lines of a repeated header, and keeps odd names harmless', async () => {
  const { raw, requests } = await setUp();
  await raw(
    'POST / HTTP/1.1\r\nNexus-Link: a\r\nconnection: close\r\nnexus-link: b\r\ncontent-type: c\r\ncontent-type: d\r\n__proto__: e\r\n\r\n',
  );
  const headers = requests[0]!.headers;
  expect(headers['nexus-link']).toBe('a, b');
  expect(headers['content-type']).toBe('c, d');
  expect(Object.entries(headers)).toContainEqual(['__proto__', 'e']);
});

it.each([
  ['sized', 'content-length: 5\r\n\r\nhello', 'hello'],
  ['chunked', 'transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n', 'hello'],
  ['empty', 'content-length: 0\r\n\r\n', ''],
  ['missing', '\r\n', ''],
  ['announced', 'content-length: 5\r\nexpect: 100-continue\r\n\r\nhello', 'hello'],
  ['oddly announced', 'content-length: 5\r\nexpect: the worst\r\n\r\nhello', 'hello'],
])('reads a body that is %s', async (_kind, rest, body) => {
  const { raw, requests } = await setUp();
  await raw(`POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${rest}`);
  expect(Buffer.from(requests[0]!.body).toString()).toBe(body);
});

it('writes the headers of the answer as they are, with the length and without a coding', async () => {
  const { raw } = await setUp(() => ({
    status: 424,
    headers: { 'nexus-operation-state': 'failed' },
    body: Buffer.from('{}'),
  }));
  const answer = await raw('POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const [head, body] = answer.split('\r\n\r\n');
  expect(head?.split('\r\n').filter((line) => !/^date:/i.test(line))).toEqual([
    'HTTP/1.1 424 Failed Dependency',
    'nexus-operation-state: failed',
    'content-length: 2',
    'Connection: close',
  ]);
  expect(body).toBe('{}');
});

it('keeps of a body that is too large only one byte more than is allowed', async () => {
  const { server, requests } = await setUp();
  await fetch(server.url, { method: 'POST', body: new Uint8Array(5 * 1024 * 1024) });
  expect(requests[0]!.body.length).toBe(2 * 1024 * 1024 + 1);
});

it('passes 100 KB of headers on, and more than 2,000 of them, for the router to judge', async () => {
  const { raw, requests } = await setUp();
  const many = Array.from({ length: 3_000 }, (_, n) => `x-${n}: ${'a'.repeat(25)}\r\n`).join('');
  await raw(`POST / HTTP/1.1\r\nconnection: close\r\n${many}\r\n`);
  expect(Object.keys(requests[0]!.headers)).toHaveLength(3_001);
});

it.each([
  ['what is no HTTP', 'hello\r\n\r\n'],
  ['300 KB of headers', `POST / HTTP/1.1\r\nx: ${'a'.repeat(300_000)}\r\n\r\n`],
  ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
  [
    'a length and a coding',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a NUL in a header', 'POST / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n'],
  ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n'],
])('answers %s with a Nexus failure, and serves on', async (_kind, text) => {
  const { raw, server } = await setUp();
  const answer = await raw(text);
  expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(answer).toMatch(/^content-type: application\/json\r$/m);
  expect(failureIn(answer)).toMatchObject({ message: expect.any(String) });
  expect((await fetch(server.url, { method: 'POST' })).status).toBe(200);
});

it('serves on after a caller went away in the middle of a body', async () => {
  const { server, requests } = await setUp();
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await new Promise<void>((resolve) => {
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe', () => resolve());
  });
  socket.destroy();
  expect((await fetch(server.url, { method: 'POST' })).status).toBe(200);
  expect(requests).toHaveLength(1);
});

it.each([
  ['has sent nothing', []],
  ['has sent half of its headers', ['POST / HTTP/1.1\r\nhost: x\r\n']],
  ['has sent half of a body', ['POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe']],
  ['was answered', ['POST / HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 200 OK/]],
  ['was refused', ['CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1\.1 400 Bad Request/]],
] as const)('closes while a connection is open that %s', async (_what, [sent = '', answered]) => {
  const { server } = await setUp();
  const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {}); // the server may reset what it has not read
  await once(socket, 'connect');
  socket.write(sent);
  const [answer] = answered === undefined ? [''] : await once(socket.setEncoding('latin1'), 'data');
  expect(answer).toMatch(answered ?? '');
  // The server has this connection, and what came over it, once it has answered on a later one.
  await fetch(server.url, { method: 'POST' });
  const ended = once(socket.resume(), 'close');
  await server.close();
  socket.end();
  await ended;
});

it('answers what is under way before it closes', async () => {
  const arrived = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<NexusHttpResponse>();
  const { server } = await setUp(() => {
    arrived.resolve();
    return finished.promise;
  });
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\n\r\n');
  await arrived.promise;
  const closed = server.close();
  finished.resolve({ ...EMPTY, body: Buffer.alloc(1_000_000, 'a') });
  expect(await text(socket)).toMatch(/\r\n\r\na{1000000}$/);
  await closed;
});
