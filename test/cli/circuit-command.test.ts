import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { type CircuitCommandOptions, runCircuitCommand } from '../../src/cli/run-circuit-command.ts';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { runCommandLine } from './command-line.ts';

const CIRCUIT = {
  endpoint: 'shop',
  status: 'open',
  streak: 5,
  since: '2026-01-01T00:00:00.000Z',
  lastFailure: { at: '2026-01-01T00:00:00.000Z', message: 'the bank is down' },
  nextProbeAt: '2026-01-01T00:01:00.000Z',
  settings: { circuitFailures: 5, circuitOpenMs: 60_000 },
};

/** What is at an address instead of a dev server. It remembers what it was asked. */
async function startApi(answer: object = CIRCUIT, status = 200) {
  const asked: string[] = [];
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(status).end(JSON.stringify(answer));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The command line as a process of its own. */
async function runLine(...args: readonly string[]) {
  const command = runCommandLine(temporaryFolder(), ['circuit', ...args], { TZ: 'UTC' });
  const { code } = await command.exited;
  return { code, output: command.output() };
}

/** The command in this process, before somebody who types this. */
async function runAsked(options: CircuitCommandOptions, typed: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output: string[] = [];
  for (const stream of [stdout, stderr]) stream.on('data', (chunk) => output.push(String(chunk)));
  stdin.write(typed);
  const code = await runCircuitCommand(options, { stdin, stdout, stderr, env: {}, cwd: () => temporaryFolder() });
  return { code, output: output.join('') };
}

it('shows its commands and examples', async () => {
  const { code, output } = await runLine('--help');
  for (const command of ['list', 'describe', 'trip', 'reset'])
    expect(output).toMatch(new RegExp(`^  ${command} .*\\S`, 'm'));
  expect(output).toContain("$ npx nexus-lambda circuit trip shop --reason 'the database moves'");
  expect(code).toBe(0);
});

it.each([
  ['circuit', 'reset'],
  ['endpoint', 'resume'],
])('says in the help of %s %s when what waited comes, and how to have it come now', async (group, command) => {
  const line = runCommandLine(temporaryFolder(), [group, command, '--help']);
  await line.exited;
  expect(line.output()).toContain(
    '"operation list" shows as its next; "operation retry --endpoint shop" has all of them come now.',
  );
});

it.each([
  ['list', ['--url', '--sign', '-o,']],
  ['describe', ['--url', '--sign', '-o,']],
  ['trip', ['--reason', '-y,', '--url', '--sign', '-o,']],
  ['reset', ['--url', '--sign', '-o,']],
])('shows every option of %s, and examples', async (command, options) => {
  const { code, output } = await runLine(command, '--help');
  const described = output.split(/^ {2}(?=--|-[a-z],)/m).map((text) => text.split(' ', 1)[0]);
  expect(described.slice(1, -1)).toEqual(options);
  expect(output).toContain(`$ npx nexus-lambda circuit ${command}`);
  expect(code).toBe(0);
});

it.each([
  [['lst'], '(Did you mean list?)'],
  [['describe'], "missing required argument 'endpoint'"],
  [['describe', 'my_shop'], 'Give two to 200 letters'],
  [['trip', 'shop'], "required option '--reason <text>' not specified"],
  [['trip', 'shop', '--reason', ' '], 'It must not be empty.'],
  [['trip', 'shop', '--reason', 'a'], 'Nobody is here to say so; give --yes for it'],
  [['reset', 'shop', '--reason', 'a'], "unknown option '--reason'"],
])('fails when called with %j, saying what is allowed', async (args, message) => {
  const { code, output } = await runLine(...args);
  expect(output).toContain(message);
  expect(output).not.toContain('    at ');
  expect(code).toBe(1);
});

it('asks for what each command says, and shows what is answered', async () => {
  const { url, asked } = await startApi();
  const described = await runLine('describe', 'shop', '--url', url);
  expect(described.code).toBe(0);
  expect(described.output).toMatch(/^next probe {4}2026-01-01T00:01:00\+00:00 \(/m);
  expect(described.output).toContain('npx nexus-lambda circuit reset shop');
  const trip = await runLine('trip', 'shop', '--reason', 'the bank moves', '--yes', '-o', 'json', '--url', url);
  expect(JSON.parse(trip.output)).toEqual(CIRCUIT);
  expect((await runLine('reset', 'shop', '--url', url)).code).toBe(0);
  expect(asked).toEqual([
    'GET /nexus/manage/circuits/shop',
    'POST /nexus/manage/circuits/shop/trip?reason=the+bank+moves',
    'POST /nexus/manage/circuits/shop/reset',
  ]);
});

it('lists a line for each circuit', async () => {
  const { url } = await startApi({
    circuits: [{ ...CIRCUIT, endpoint: 'bank', status: 'closed', streak: 0 }, CIRCUIT],
  });
  const { output } = await runLine('list', '--url', url);
  expect(output.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual(['ENDPOINT', 'bank', 'shop']);
  expect((await runLine('list', '--url', url, '-o', 'json')).output).toContain('"endpoint": "bank"');
  const none = await startApi({ circuits: [] });
  expect((await runLine('list', '--url', none.url)).output).toBe('no endpoints');
});

it('asks before it opens a circuit, and does nothing where the answer is no', async () => {
  const { url, asked } = await startApi();
  const trip = { command: 'trip', endpoint: 'shop', reason: 'a', url, output: 'text' } as const;
  const no = await runAsked(trip, 'n\n');
  expect(no.output).toContain('Open the circuit of endpoint "shop"? Its requests are refused until it is reset. (y/N)');
  expect(no.code).toBe(1);
  expect(asked).toEqual([]);
  expect((await runAsked(trip, 'y\n')).code).toBe(0);
  expect(asked).toEqual(['POST /nexus/manage/circuits/shop/trip?reason=a']);
});

it('says why it is refused', async () => {
  const { url } = await startApi({ message: 'no endpoint is named "shop"; there are none yet' }, 404);
  expect(await runLine('reset', 'shop', '--url', url)).toEqual({
    code: 1,
    output: 'error: no endpoint is named "shop"; there are none yet',
  });
});
