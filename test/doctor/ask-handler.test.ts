import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { askHandler } from '../../src/doctor/ask-handler.ts';
import type { Auth } from '../../src/doctor/auth.ts';
import { parseTarget } from '../../src/doctor/target.ts';

async function serve(answer: RequestListener) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { requests, target: parseTarget(`http://127.0.0.1:${port}?a=b`, 'shop') };
}

const limits = (timeoutMs = 10_000) => ({ timeoutMs, signal: new AbortController().signal });
const NONE: Auth = { kind: 'none' };

it('asks as a Nexus caller does, and keeps the query of the URL', async () => {
  const { target, requests } = await serve((_request, response) => response.setHeader('X-One', 'two').end('hello'));
  expect(await askHandler(target, NONE, limits())).toMatchObject({
    kind: 'answer',
    status: 200,
    headers: { 'x-one': 'two' },
    body: 'hello',
  });
  expect(requests[0]?.method).toBe('POST');
  expect(requests[0]?.url).toBe('/nexus/endpoints/shop/services/nexus-lambda.doctor/check?a=b');
  expect(requests[0]?.headers).toMatchObject({
    'request-timeout': '10000ms',
    'temporal-nexus-failure-support': 'true',
    'nexus-request-id': expect.stringMatching(/^[\da-f-]{36}$/),
  });
});

it('sends user and password in UTF-8, and a token as it is', async () => {
  const { target, requests } = await serve((_request, response) => response.end());
  await askHandler(target, { kind: 'basic', user: 'shop', password: 'pässword' }, limits());
  await askHandler(target, { kind: 'bearer', token: 'token' }, limits());
  const sent = requests.map(({ headers }) => headers.authorization);
  expect(sent).toEqual([`Basic ${Buffer.from('shop:pässword').toString('base64')}`, 'Bearer token']);
});

it('signs by the credentials of the environment', async () => {
  const { target, requests } = await serve((_request, response) => response.end());
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_SESSION_TOKEN', 'session');
  onTestFinished(() => void vi.unstubAllEnvs());
  await askHandler(target, { kind: 'sigv4', service: 'execute-api', region: 'eu-west-1' }, limits());
  expect(requests[0]?.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request, SignedHeaders=.*host.*, Signature=[\da-f]{64}$/,
  );
  expect(requests[0]?.headers['x-amz-security-token']).toBe('session');
});

it('says that there is nothing to sign with', async () => {
  const { target, requests } = await serve((_request, response) => response.end());
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
  onTestFinished(() => void vi.unstubAllEnvs());
  const seen = await askHandler(target, { kind: 'sigv4', service: 'lambda', region: 'eu-west-1' }, limits());
  expect(seen).toEqual({ kind: 'no-aws-credentials', message: expect.stringContaining('Could not load credentials') });
  expect(requests).toEqual([]);
});

it('does not follow a redirect', async () => {
  const { target, requests } = await serve((_request, response) => response.writeHead(302, { location: '/' }).end());
  expect(await askHandler(target, NONE, limits())).toMatchObject({ status: 302, headers: { location: '/' } });
  expect(requests).toHaveLength(1);
});

it('gives a silence up when its time is over', async () => {
  const { target } = await serve(() => {});
  expect(await askHandler(target, NONE, limits(50))).toMatchObject({ kind: 'no-answer', code: 'ETIMEDOUT' });
});

it('tells a connection that breaks, and one that speaks something else', async () => {
  const { target } = await serve((request) => request.socket.destroy());
  expect(await askHandler(target, NONE, limits())).toMatchObject({
    kind: 'no-answer',
    code: expect.stringMatching(/UND_ERR_SOCKET|ECONNRESET/),
  });
  const odd = await serve((request) => request.socket.end('SSH-2.0-OpenSSH\r\n'));
  expect(await askHandler(odd.target, NONE, limits())).toMatchObject({
    kind: 'no-answer',
    code: expect.stringMatching(/^HPE_|HTTPParserError/),
  });
});
