import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { runCommandLine } from './command-line.ts';

async function run(args: readonly string[], env?: Record<string, string>) {
  const command = runCommandLine(temporaryFolder(), ['operation', ...args], env);
  const { code } = await command.exited;
  return { code, output: command.output() };
}

/** What is at an address instead of a dev server. It remembers what it was asked. */
async function startApi(answer: (path: string) => { status?: number; body: unknown }) {
  const asked: { method: string | undefined; path: string; authorization: string | undefined }[] = [];
  const server = createServer(({ method, url = '', headers }, response) => {
    asked.push({ method, path: url, authorization: headers.authorization });
    const { status = 200, body } = answer(url);
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const SUMMARY = {
  token: 'a.b',
  endpoint: 'shop',
  service: 'orders',
  operation: 'place',
  state: 'queued',
  acceptedAt: '2026-01-01T00:00:00.000Z',
  attempt: 1,
};

it('shows its commands and examples', async () => {
  const { code, output } = await run(['--help']);
  for (const command of ['list', 'count', 'describe', 'result', 'cancel', 'retry', 'redrive']) {
    expect(output).toMatch(new RegExp(`^  ${command} .*\\S`, 'm'));
  }
  expect(output).toContain('$ npx nexus-lambda operation redrive --endpoint shop');
  expect(code).toBe(0);
});

it.each([
  [
    'list',
    ['--endpoint', '--state', '--completion', '--older-than', '--newer-than', '--limit', '--url', '--sign', '-o,'],
  ],
  ['retry', ['--endpoint', '--url', '--sign', '-o,']],
  ['redrive', ['--endpoint', '--refused', '--url', '--sign', '-o,']],
])('shows every option of %s, and examples', async (command, options) => {
  const { code, output } = await run([command, '--help']);
  const described = output.split(/^ {2}(?=--|-[a-z],)/m).map((text) => text.split(' ', 1)[0]);
  expect(described.slice(1, -1)).toEqual(options);
  expect(output).toContain(`$ npx nexus-lambda operation ${command} `);
  expect(code).toBe(0);
});

it.each([
  [['lst'], '(Did you mean list?)'],
  [['list', '--endpoint', 'my_shop'], 'Give two to 200 letters'],
  [['list', '--state', 'failed'], 'Allowed choices are queued, claimed, handed-over, dead-lettered, ended'],
  [['list', '--completion', 'lost'], 'Allowed choices are pending, delivered, refused, dead-lettered'],
  [['list', '--older-than', '10'], 'Give a time such as 90s, 10m, 2h, 3d or 1h30m.'],
  [['list', '--limit', '0'], 'Give a number from 1'],
  [['list', '-o', 'xml'], 'Allowed choices are text, json'],
  [['list', '--url', 'shop'], '--url takes the URL of an API, or of the dev server: http://127.0.0.1:9233'],
  [['list', '--url', 'https://shop:s3cret@host'], 'leave user and password out of --url'],
  [['list', '--url', 'https://host', '--sign'], 'set AWS_REGION'],
  [['describe'], "missing required argument 'token'"],
  [['describe', 'a.b', 'c.d'], 'Expected 1 argument but got 2'],
  [['retry'], 'name what to retry: tokens, or --endpoint NAME for all that is queued'],
  [['retry', 'a.b', '--endpoint', 'shop'], 'give tokens, or --endpoint NAME without them'],
  [['redrive'], 'name what to redrive: tokens, or --endpoint NAME for all that is dead-lettered'],
  [['redrive', 'a.b', '--endpoint', 'shop'], 'give tokens, or --endpoint NAME without them'],
  [['redrive', 'a.b', '--refused'], 'give tokens, or --endpoint NAME without them'],
])('fails when called with %j, saying what is allowed', async (args, message) => {
  const { code, output } = await run(args);
  expect(output).toContain(message);
  expect(output).not.toMatch(/ {4}at |s3cret/);
  expect(code).toBe(1);
});

const MISTAKEN = ['-0', '-o', '-h', '--'].map((start) => `${start}${'A'.repeat(41)}.${'B'.repeat(22)}`);

it.each(['retry', 'cancel', 'redrive'])(
  'takes tokens that begin as an option does, among others: %s',
  async (action) => {
    const { url, asked } = await startApi(() => ({ body: SUMMARY }));
    const args = [action, ...MISTAKEN.slice(0, 2), 'a.b', '-o', 'json', ...MISTAKEN.slice(2), '--url', url];
    const { code, output } = await run(args);
    expect({ code, operations: JSON.parse(output).operations }).toEqual({
      code: 0,
      operations: Array(5).fill(SUMMARY),
    });
    const paths = ['a.b', ...MISTAKEN].map((token) => `/nexus/manage/operations/${token}/${action}`);
    expect(asked.map(({ path }) => path)).toEqual(paths);
  },
);

it.each(MISTAKEN)('describes an operation whose token begins as an option does: %s', async (token) => {
  const { url, asked } = await startApi(() => ({ status: 404, body: { message: 'there is no operation' } }));
  for (const args of [[token], ['--', token]]) {
    expect(await run(['describe', '--url', url, ...args])).toEqual({ code: 1, output: 'error: there is no operation' });
  }
  expect(asked.map(({ path }) => path)).toEqual(Array(2).fill(`/nexus/manage/operations/${token}`));
});

it('says what to start where nothing listens', async () => {
  const [port] = await freePorts(1);
  const { code, output } = await run(['list', '--url', `http://127.0.0.1:${port}`]);
  expect(output).toBe(
    `error: http://127.0.0.1:${port} was not reached: nothing listens there; start "nexus-lambda dev", or give the URL of ` +
      'a deployment with --url',
  );
  expect(code).toBe(1);
});

it.each([
  ['a web page', { body: '<html>' }, /answered 200, and is no management API of nexus-lambda; --url takes/],
  ['a redirect', { status: 302, body: '' }, /answered 302, and is no management API/],
  [
    'a front door',
    { status: 403, body: { message: 'Forbidden' } },
    /refused with 403: Forbidden; --sign signs the request/,
  ],
  ['another version', { status: 404, body: { message: 'nothing is at "/nexus/manage"' } }, /^error: nothing is at/],
])('says what it is that answers, where that is %s', async (_what, answer, message) => {
  const { url } = await startApi(() => answer);
  const { code, output } = await run(['count', '--url', url]);
  expect(output).toMatch(message);
  expect(code).toBe(1);
});

it('asks the API behind a prefix, and behind the base URL of an endpoint', async () => {
  const { url, asked } = await startApi(() => ({ body: { counts: { queued: 1 }, total: 1 } }));
  for (const more of ['', '/', '/prod/', '/prod/nexus/endpoints/shop/services', '/nexus']) {
    expect(await run(['count', '--url', url + more])).toMatchObject({ code: 0 });
  }
  const count = '/nexus/manage/operations/count';
  expect(asked.map(({ path }) => path)).toEqual([count, count, `/prod${count}`, `/prod${count}`, count]);
});

it('sends a signature where it is told to, and no token that is for endpoints', async () => {
  const { url, asked } = await startApi(() => ({ body: { counts: {}, total: 0 } }));
  const env = {
    NEXUS_BEARER_TOKEN: 's3cret',
    AWS_REGION: 'eu-west-1',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'key',
  };
  await run(['count', '--url', url], env);
  await run(['count', '--url', url, '--sign'], env);
  expect(asked[0]?.authorization).toBeUndefined();
  expect(asked[1]?.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request, /,
  );
});

it('lists page by page as many as are asked for, and says that there are more', async () => {
  const { url, asked } = await startApi((path) => {
    const limit = Number(new URLSearchParams(path.split('?')[1]).get('limit'));
    const operations = Array.from({ length: Math.min(limit, 60) }, (_, index) => ({ ...SUMMARY, token: `${index}` }));
    return { body: { operations, next: 'n' } };
  });
  const { output } = await run(['list', '--url', url, '--limit', '140', '-o', 'json', '--state', 'queued']);
  expect(output).toContain('there are more; --limit 280 shows them');
  expect(output.match(/"token"/g)).toHaveLength(140);
  expect(asked.map(({ path }) => path.split('?')[1])).toEqual([
    'state=queued&limit=100',
    'state=queued&from=n&limit=80',
    'state=queued&from=n&limit=20',
  ]);
});

it('shows the state that was asked for alone, for scripts', async () => {
  const { url } = await startApi(() => ({ body: { counts: { queued: 12, ended: 3 }, total: 15 } }));
  expect(await run(['count', '--url', url, '--state', 'queued'])).toEqual({ code: 0, output: '12' });
  const json = await run(['count', '--url', url, '--state', 'queued', '-o', 'json']);
  expect(JSON.parse(json.output)).toEqual({ counts: { queued: 12 }, total: 12 });
});

it('counts part by part where the operations are too many for one answer, and says how far it is', async () => {
  const { url, asked } = await startApi((path) => ({
    body: { counts: { queued: 2, ended: 1 }, total: 3, ...(!path.includes('from=') && { next: 'n' }) },
  }));
  const { code, output } = await run([
    'count',
    '--url',
    url,
    '--newer-than',
    '1h',
    '--older-than',
    '10m',
    '-o',
    'json',
  ]);
  expect(output).toContain('3 operations counted …');
  expect(JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1))).toEqual({
    counts: { queued: 4, ended: 2 },
    total: 6,
  });
  expect(code).toBe(0);
  const [first, second] = asked.map(({ path }) => new URLSearchParams(path.split('?')[1]));
  expect(Number(first?.get('acceptedBefore')) - Number(first?.get('acceptedFrom'))).toBe(50 * 60_000);
  expect(Math.abs(Date.now() - Number(first?.get('acceptedFrom')) - 3_600_000)).toBeLessThan(60_000);
  second?.delete('from');
  expect(second?.toString()).toBe(first?.toString());
});

it('does for the others what it cannot do for one, and exits with 1', async () => {
  const { url, asked } = await startApi((path) =>
    path.includes('/x/') ? { status: 409, body: { message: 'operation x has ended' } } : { body: SUMMARY },
  );
  const { code, output } = await run(['retry', 'x', 'a.b', '--url', url]);
  expect(output).toContain('error: operation x has ended');
  expect(output).toMatch(/^a\.b +shop +orders\/place +queued/m);
  expect(code).toBe(1);
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /nexus/manage/operations/x/retry',
    'POST /nexus/manage/operations/a.b/retry',
  ]);
});

it('redrives an endpoint page by page, says how far it is, and exits with 1 where some failed', async () => {
  const { url, asked } = await startApi((path) => {
    const first = !path.includes('from=');
    if (path.includes('completion=')) return { body: { done: ['c'], unchanged: [], failed: [] } };
    return first
      ? { body: { done: ['a', 'b'], unchanged: [], failed: [{ token: 't', message: 'throttled' }], next: 'n' } }
      : { body: { done: ['d'], unchanged: ['e'], failed: [] } };
  });
  const { code, output } = await run(['redrive', '--endpoint', 'shop', '--url', url]);
  expect(output.split('\n').sort()).toEqual([
    '2 operations redriven …',
    'error: t: throttled',
    'redriven: 3 operations and 1 completion',
  ]);
  expect(code).toBe(1);
  expect(asked.map(({ path }) => path.split('?')[1])).toEqual([
    'endpoint=shop&state=dead-lettered&limit=100',
    'endpoint=shop&state=dead-lettered&from=n&limit=100',
    'endpoint=shop&completion=dead-lettered&limit=100',
  ]);
});

it('retries all that is queued of an endpoint, page by page', async () => {
  const { url, asked } = await startApi((path) =>
    path.includes('from=')
      ? { body: { done: ['c'], unchanged: ['d'], failed: [{ token: 't', message: 'throttled' }] } }
      : { body: { done: ['a', 'b'], unchanged: [], failed: [], next: 'n' } },
  );
  const { code, output } = await run(['retry', '--endpoint', 'shop', '--url', url]);
  expect(output.split('\n').sort()).toEqual(['2 operations retried …', 'error: t: throttled', 'retried: 3 operations']);
  expect(code).toBe(1);
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /nexus/manage/operations/retry?endpoint=shop&limit=100',
    'POST /nexus/manage/operations/retry?endpoint=shop&from=n&limit=100',
  ]);
});

it.each([
  ['succeeded', { result: { encoding: 'json/plain', value: 1 }, at: SUMMARY.acceptedAt }, 0],
  ['failed', { failure: { message: 'no tea' }, at: SUMMARY.acceptedAt }, 2],
  ['canceled', { failure: { message: 'stopped' }, at: SUMMARY.acceptedAt }, 2],
  ['queued', {}, 3],
  ['handed-over', {}, 3],
])('exits for the result of an operation that is %s so that scripts can tell', async (state, more, code) => {
  const { url } = await startApi(() => ({ body: { token: 'a.b', state, ...more } }));
  expect(await run(['result', 'a.b', '--url', url])).toMatchObject({ code });
});
