import { expect, it } from 'vitest';
import { parseRequest, type StartRequest } from '../../src/nexus/request.ts';
import { acceptStart, attemptInvocation, cancelInvocation } from '../../src/operations/accept-start.ts';
import { DEFAULT_RETRY_POLICY } from '../../src/operations/retry-policy.ts';
import { NOW } from '../contract/operation-records.ts';

const DAY_MS = 86_400_000;
const HEADERS = {
  'content-type': 'application/json',
  'content-length': '7',
  'nexus-request-id': 'r1',
  'nexus-link': '<temporal:///namespaces/n>; type="t"',
  'nexus-callback-token': 'secret',
  'operation-timeout': '1m30s',
  'request-timeout': '9.5s',
  'user-agent': 'temporalio/server',
  tenant: 'acme',
};

interface Given {
  readonly headers?: Readonly<Record<string, string>>;
  readonly principal?: string;
  readonly endpoint?: string;
  readonly path?: string;
}

/** The record of a start that came over HTTP. */
function accepted({ headers = HEADERS, principal = 'local', endpoint = 'shop', path = '/orders/place' }: Given = {}) {
  const request = {
    method: 'POST',
    path,
    query: 'callback=http%3A%2F%2F127.0.0.1%2Fcb',
    headers,
    body: new TextEncoder().encode('"a tea"'),
  };
  const start = parseRequest(request) as StartRequest;
  const target = { namespace: 'default', taskQueue: 'shop' };
  return acceptStart({ principal, endpoint, ...target, request, start, policy: DEFAULT_RETRY_POLICY }, NOW).record;
}

const TIME = { now: NOW + 30_000, timeoutMs: 5_000 };

it('has one key for all repetitions of a start, and a token that nobody can guess', () => {
  const [one, other] = [accepted(), accepted()];
  expect(one.key).toBe(other.key);
  expect(one.token).not.toBe(other.token);
  expect(one.token.slice(0, 43)).toBe(other.token.slice(0, 43));
});

it.each<[string, Given]>([
  ['principal', { principal: 'basic:other' }],
  ['endpoint', { endpoint: 'bank' }],
  ['service', { path: '/orders%2Fplace/place' }],
  ['operation', { path: '/orders/cancel' }],
  ['request id', { headers: { ...HEADERS, 'nexus-request-id': 'r2' } }],
])('has another key for another %s', (_, given) => {
  expect(accepted(given).key).not.toBe(accepted().key);
});

it('takes starts without a request id for different ones', () => {
  const { 'nexus-request-id': _, ...headers } = HEADERS;
  expect(accepted({ headers }).key).not.toBe(accepted({ headers }).key);
});

it('expires with the timeout of the operation, after 60 days without one, and is kept a day longer', () => {
  expect(accepted()).toMatchObject({ expiresAt: NOW + 90_000, retainUntil: NOW + 90_000 + DAY_MS });
  const { 'operation-timeout': _, ...headers } = HEADERS;
  expect(accepted({ headers })).toMatchObject({ expiresAt: NOW + 60 * DAY_MS, retainUntil: NOW + 61 * DAY_MS });
  const fraction = accepted({ headers: { ...HEADERS, 'operation-timeout': '59.998123s' } });
  expect(fraction.expiresAt).toBe(NOW + 59_999);
});

it("runs the handler with the start as it came, the operation's time that is left, and the attempt's own", () => {
  const record = accepted();
  const { request, ...invocation } = attemptInvocation(record, TIME);
  expect(invocation).toEqual({ nexusInvocation: 1, endpoint: 'shop', principal: 'local', timeoutMs: 5_000 });
  const parsed = parseRequest({ ...request, body: Buffer.from(request.body, 'base64') });
  expect(parsed).toMatchObject({
    kind: 'start',
    service: 'orders',
    operation: 'place',
    requestId: 'r1',
    callbackUrl: 'http://127.0.0.1/cb',
    callbackHeaders: { token: 'secret' },
    operationTimeoutMs: 60_000,
    links: [{ type: 't' }],
    headers: { tenant: 'acme' },
    failureSupport: true,
  });
  expect(parsed.requestTimeoutMs).toBeUndefined();
  expect(new TextDecoder().decode((parsed as StartRequest).payload.data)).toBe('"a tea"');
});

it('gives a start without a request id the same one on each attempt, and no timeout that its caller did not set', () => {
  const { 'nexus-request-id': _, 'operation-timeout': __, ...headers } = HEADERS;
  const record = accepted({ headers });
  const attempts = [attemptInvocation(record, TIME), attemptInvocation(record, TIME)].map(({ request }) => request);
  expect(attempts[0]?.headers['nexus-request-id']).toBe(record.requestId);
  expect(attempts[1]).toEqual(attempts[0]);
  expect(attempts[0]?.headers).not.toHaveProperty('operation-timeout');
});

it('says 0 ms where the operation has no time left', () => {
  const { request } = attemptInvocation(accepted(), { ...TIME, now: NOW + 90_001 });
  expect(request.headers['operation-timeout']).toBe('0ms');
});

it.each([
  ['/my%20shop%2Fv1/place%2Forder', 'my shop/v1', 'place/order'],
  ['/%C3%BC/%3F%23', 'ü', '?#'],
])('finds the operation of %s again', (path, service, operation) => {
  const record = accepted({ path });
  expect(record.start).toMatchObject({ service, operation });
  expect(attemptInvocation(record, TIME).request.path).toBe(path);
  const cancel = cancelInvocation(record, 'inner', 1_000);
  expect(parseRequest({ ...cancel.request, body: new Uint8Array() })).toMatchObject({ service, operation });
});

it("cancels with the handler's token, and with the caller's own headers, as for a direct start", () => {
  const { request, timeoutMs } = cancelInvocation(accepted(), 'inner', 1_000);
  expect(timeoutMs).toBe(1_000);
  expect(request).toMatchObject({ method: 'POST', query: '', body: '' });
  const parsed = parseRequest({ ...request, body: new Uint8Array() });
  expect(parsed).toMatchObject({ kind: 'cancel', token: 'inner' });
  expect(parsed.headers).toEqual({ tenant: 'acme', 'user-agent': 'temporalio/server' });
});
