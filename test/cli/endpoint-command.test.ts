import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type EndpointCommandOptions, runEndpointCommand } from '../../src/cli/run-endpoint-command.ts';
import { SETTINGS } from '../../src/router/settings.ts';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { runCommandLine } from './command-line.ts';

const SHOP = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  version: 3,
  drift: [],
  settings: { declared: {}, override: {}, effective: {} },
  callers: ['local'],
  services: [],
  queued: [],
  createdAt: '2026-01-01T00:00:00.000Z',
  lastModifiedAt: '2026-01-01T00:00:00.000Z',
};

interface Asked {
  readonly what: string;
  readonly type: string | undefined;
  readonly body: unknown;
}

/** What is at an address instead of a dev server. It remembers what it was asked. */
async function startApi(answer: object = { ...SHOP, notes: [] }, status = 200) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const body = await text(request);
    asked.push({
      what: `${method} ${url}`,
      type: headers['content-type'],
      body: body === '' ? undefined : JSON.parse(body),
    });
    response.writeHead(status).end(JSON.stringify(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The command line as a process of its own. */
async function runLine(args: readonly string[], env?: Record<string, string>) {
  const command = runCommandLine(temporaryFolder(), ['endpoint', ...args], env);
  const { code } = await command.exited;
  return { code, output: command.output() };
}

type Given = EndpointCommandOptions extends infer One
  ? One extends unknown
    ? Omit<One, 'url' | 'output'>
    : never
  : never;

/** What the command line asks for, in this process. Whoever is at the terminal types `typed`; nobody is without it. */
async function run(
  given: Given,
  { url, output = 'text', typed }: { url: string; output?: 'text' | 'json'; typed?: string },
) {
  const written = { stdout: '', stderr: '' };
  const stdin = Object.assign(new PassThrough(), { isTTY: typed !== undefined });
  if (typed !== undefined) stdin.end(typed);
  const stderr = new PassThrough();
  stderr.on('data', (chunk) => {
    written.stderr += chunk;
  });
  const code = await runEndpointCommand({ ...given, url, output } as EndpointCommandOptions, {
    stdin,
    stderr,
    stdout: { write: (chunk: string) => (written.stdout += chunk) },
    env: {},
    cwd: temporaryFolder,
  });
  return { code, ...written };
}

it('shows its commands and examples', async () => {
  const { code, output } = await runLine(['--help']);
  for (const command of ['list', 'get', 'create', 'update', 'delete', 'pause', 'resume']) {
    expect(output).toMatch(new RegExp(`^  ${command} .*\\S`, 'm'));
  }
  expect(output).toContain('$ npx nexus-lambda endpoint pause --name shop');
  expect(code).toBe(0);
});

it('has an option for every setting', async () => {
  const { output } = await runLine(['update', '--help']);
  const described = output.split(/^ {2}(?=--|-[a-z],)/m).map((option) => option.split(' ', 1)[0] ?? '');
  const settings = Object.keys(SETTINGS).map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  expect(described.slice(1, -1)).toEqual([
    '--name',
    ...settings.map((name) => `--${name}`),
    ...['--unset', '--reason', '--expires-in', '--description', '--unset-description', '--target-namespace'],
    ...['--target-task-queue', '--caller', '--version', '--url', '--sign', '-o,'],
  ]);
});

it.each([
  [['get'], "required option '--name <name>' not specified"],
  [['get', '--name', 'my_shop'], 'Give two to 200 letters'],
  [['create', '--name', 'shop', '--target-namespace', 'default'], "required option '--target-task-queue <queue>'"],
  [['update', '--name', 'shop', '--burst', 'ten'], 'Give a whole number: starts, from 1 to 100000.'],
  [['update', '--name', 'shop', '--unset', 'bursts'], 'Allowed choices are all, requests-per-second, burst,'],
  [['update', '--name', 'shop', '--unset', 'burst', '--burst', '5'], 'burst is set and unset; give one of the two'],
  [['update', '--name', 'shop', '--unset', 'all', '--burst', '5'], 'burst is set and unset; give one of the two'],
  [
    ['update', '--name', 'shop', '--description', 'd', '--unset-description'],
    'give --description or --unset-description',
  ],
  [
    ['update', '--name', 'shop', '--burst', '5'],
    "say why the settings are changed, for whoever looks next: --reason '",
  ],
  [['update', '--name', 'shop', '--unset', 'all', '--expires-in', '2h'], '--expires-in is for settings; give it with'],
  [['pause', '--name', 'shop', '--reason', 'r', '--expires-in', '0s'], 'Give a time from 1s to 366d.'],
  [['pause', '--name', 'shop', '--reason', 'r', '--expires-in', '400d'], 'Give a time from 1s to 366d.'],
  [['update', '--name', 'shop', '--expires-in', '2'], 'Give a time such as 90s, 10m, 2h, 3d or 1h30m.'],
  [['update', '--name', 'shop', '--version', '0'], 'Give the version that "endpoint get" shows.'],
  [['pause', '--name', 'shop'], "required option '--reason <text>' not specified"],
  [['delete', '--name', 'shop'], 'Nobody is here to say so; give --yes for it'],
])('fails when called with %j, saying what is allowed', async (args, message) => {
  const { code, output } = await runLine(args);
  expect(output).toContain(message);
  expect(output).not.toMatch(/ {4}at /);
  expect(code).toBe(1);
});

it('sends what the command line says, with a signature over it where it is told to', async () => {
  const { url, asked } = await startApi();
  const settings = [
    '--requests-per-second',
    '0.5',
    '--retry-max-ms',
    '5000',
    '--unset',
    'burst',
    '--unset',
    'concurrency',
  ];
  const why = ['--reason', 'incident 42', '--expires-in', '1h30m'];
  const entry = ['--description', 'd', '--target-task-queue', 'bank', '--caller', 'iam:*', '--caller', 'basic:shop'];
  const args = ['--name', 'shop', ...settings, ...why, ...entry, '--version', '3', '--url', `${url}/prod`, '--sign'];
  const env = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'key' };
  expect(await runLine(['update', ...args], env)).toMatchObject({ code: 0 });
  expect(asked).toEqual([
    {
      what: 'PATCH /prod/nexus/manage/endpoints/shop',
      type: 'application/json',
      body: {
        settings: { requestsPerSecond: 0.5, retryMaxMs: 5_000, burst: null, concurrency: null },
        reason: 'incident 42',
        expiresInMs: 5_400_000,
        description: 'd',
        target: { taskQueue: 'bank' },
        callers: ['iam:*', 'basic:shop'],
        version: 3,
      },
    },
  ]);
});

describe('a command', () => {
  it.each<[Given, string, unknown]>([
    [{ command: 'list' }, 'GET /nexus/manage/endpoints', undefined],
    [{ command: 'get', name: 'shop' }, 'GET /nexus/manage/endpoints/shop', undefined],
    [
      { command: 'create', name: 'bank', targetNamespace: 'default', targetTaskQueue: 'shop' },
      'POST /nexus/manage/endpoints',
      { name: 'bank', target: { namespace: 'default', taskQueue: 'shop' } },
    ],
    [{ command: 'update', name: 'shop', unset: ['all'] }, 'PATCH /nexus/manage/endpoints/shop', { settings: null }],
    [
      { command: 'update', name: 'shop', unsetDescription: true },
      'PATCH /nexus/manage/endpoints/shop',
      { description: null },
    ],
    [
      { command: 'pause', name: 'shop', reason: 'r', expiresIn: 60_000, version: 2 },
      'POST /nexus/manage/endpoints/shop/pause',
      { reason: 'r', expiresInMs: 60_000, version: 2 },
    ],
    [{ command: 'resume', name: 'shop' }, 'POST /nexus/manage/endpoints/shop/resume', {}],
    [{ command: 'delete', name: 'shop', yes: true }, 'DELETE /nexus/manage/endpoints/shop', undefined],
    [
      { command: 'delete', name: 'shop', yes: true, version: 3 },
      'DELETE /nexus/manage/endpoints/shop?version=3',
      undefined,
    ],
  ])('asks for %j by %s', async (given, what, body) => {
    const { url, asked } = await startApi({ ...SHOP, notes: [], endpoints: [] });
    expect(await run(given, { url })).toMatchObject({ code: 0, stderr: '' });
    expect(asked).toMatchObject([{ what, body }]);
  });

  it('shows the endpoint as a change left it, and on stderr what else there is to know', async () => {
    const note = 'what concerns retries holds for operations that are accepted from now on';
    const { url } = await startApi({ ...SHOP, notes: [note] });
    const given = { command: 'update', name: 'shop', retryAttempts: 3, reason: 'r' } as const;
    const shown = await run(given, { url });
    expect(shown).toMatchObject({ code: 0, stderr: `note: ${note}\n` });
    expect(shown.stdout).toMatch(/^version +3$/m);
    const json = await run(given, { url, output: 'json' });
    expect(json.stderr).toBe('');
    expect(JSON.parse(json.stdout)).toEqual({ ...SHOP, notes: [note] });
  });

  it('lets no note steer the terminal: a pause that it speaks of has the reason of somebody else', async () => {
    const { url } = await startApi({
      ...SHOP,
      notes: ['this takes the place of the pause by local: no\u001b[31m\nstock'],
    });
    const { stderr } = await run({ command: 'pause', name: 'shop', reason: 'r' }, { url });
    expect(stderr).toBe('note: this takes the place of the pause by local: no [31m stock\n');
  });

  it('says why the API refused it, and exits with 1', async () => {
    const message = 'endpoint "shop" is at version 8, not 7; read it again and apply the change to that';
    const { url } = await startApi({ message }, 409);
    expect(await run({ command: 'resume', name: 'shop', version: 7 }, { url })).toEqual({
      ...{ code: 1, stdout: '', stderr: `error: ${message}\n` },
    });
  });

  it.each(['y', 'yes', 'Y'])('deletes once somebody at the terminal says %s', async (answer) => {
    const { url, asked } = await startApi({ deleted: 'shop' });
    const { code, stdout, stderr } = await run({ command: 'delete', name: 'shop' }, { url, typed: `${answer}\n` });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'deleted: shop\n' });
    expect(stderr).toContain('Delete endpoint "shop"? Whoever calls it is told that there is none, for good. (y/N) ');
    expect(asked).toHaveLength(1);
  });

  it.each(['n\n', '\n', 'delete\n', ''])('deletes nothing where somebody at the terminal answers %j', async (typed) => {
    const { url, asked } = await startApi({ deleted: 'shop' });
    const { code, stderr } = await run({ command: 'delete', name: 'shop' }, { url, typed });
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: nothing was done\n$/);
    expect(asked).toEqual([]);
  });
});
