import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it, onTestFailed, onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openStore } from '../../src/local/store.ts';
import { runCommandLine } from '../cli/command-line.ts';
import { openCallback } from '../operations/callback-server.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { createProject, ordersModule } from './project.ts';
import { temporaryFolder } from './temporary-folder.ts';

const KILLS = 30;
const OPERATIONS = 500;

/** What runs of handlers wrote, each with the process that they ran in. */
interface RunLine {
  readonly what: 'start' | 'end' | 'fail';
  readonly id: string;
  readonly pid: string;
}

// Each line is on disk before the handler goes on.
const MODULE = ordersModule(
  {
    place: `async (_ctx, { id, ms, fails }) => {
      await write('start', id);
      await setTimeout(ms);
      if (fails && (await isFirst(id))) {
        await write('fail', id);
        throw new Error('no stock yet');
      }
      await write('end', id);
      return id;
    }`,
  },
  `import { open, writeFile } from 'node:fs/promises';
  import { setTimeout } from 'node:timers/promises';
  const runs = await open('runs', 'a');
  async function write(what, id) {
    await runs.write(what + ' ' + id + ' ' + process.pid + '\\n');
    await runs.sync();
  }
  const isFirst = (id) => writeFile('failed-' + id, '', { flag: 'wx' }).then(() => true, () => false);`,
);

const kill = fc.record({
  /** Whether it comes before the server listens, or after. */
  early: fc.nat(4).map((n) => n === 0),
  afterMs: fc.nat(800),
});
const call = fc.record({
  /** The process that is running when it is called. */
  life: fc.nat(KILLS - 1),
  afterMs: fc.nat(300),
  ms: fc.nat(60),
  fails: fc.nat(9).map((n) => n === 0),
});

it('loses nothing, and repeats only what was hit, where the server is killed again and again', async () => {
  const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31));
  onTestFailed(() => console.error(`to have the same calls and kills again: CRASH_SEED=${seed}`));
  const kills = fc.sample(kill, { seed, numRuns: KILLS });
  const calls = fc.sample(call, { seed, numRuns: OPERATIONS }).map((one, index) => ({ ...one, id: `o${index}` }));

  const project = createProject({ 'shop.ts': MODULE, runs: '' });
  const [port = 0] = await freePorts(1);
  const base = `http://127.0.0.1:${port}/nexus/endpoints/shop/services/orders/place`;
  const linesOf = (id: string) => runLines().filter((line) => line.id === id);
  const runLines = (): RunLine[] =>
    readFileSync(join(project.folder, 'runs'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [what, id = '', pid = ''] = line.split(' ');
        return { what: what as RunLine['what'], id, pid };
      });

  const problems: string[] = [];
  const completed = new Map<string, { readonly runs: number; readonly body: string }>();
  const allCompleted = Promise.withResolvers<void>();
  const callback = await openCallback((request, response) => {
    const id = (request.url ?? '').slice(1);
    const lines = linesOf(id);
    const { body } = callback.received.findLast(({ url }) => url === request.url)!;
    if (lines.at(-1)?.what !== 'end') problems.push(`a completion of ${id}, whose last run has not ended`);
    if (request.headers['nexus-operation-state'] !== 'succeeded') problems.push(`${id} did not succeed`);
    if (!completed.has(id)) completed.set(id, { runs: lines.length, body: body.toString() });
    if (completed.size === OPERATIONS) allCompleted.resolve();
    response.end();
  });
  onTestFinished(() => callback.close());

  /** Starts an operation, again and again until the answer comes, as Temporal would; all tokens that it got. */
  async function start({ id, ms, fails }: (typeof calls)[number], times: number): Promise<string[]> {
    const tokens: string[] = [];
    while (tokens.length < times) {
      const answer = await fetch(`${base}?callback=http://127.0.0.1:${callback.port}/${id}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'nexus-request-id': id },
        body: JSON.stringify({ id, ms, fails }),
      })
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => undefined);
      if (answer === undefined) await setTimeout(20);
      else if (answer.status === 201) tokens.push((JSON.parse(answer.text) as { token: string }).token);
      else problems.push(`${id} was answered ${answer.status}: ${answer.text}`);
    }
    return tokens;
  }

  // What Node compiles is kept, so that a start takes half the time.
  const env = { NODE_COMPILE_CACHE: temporaryFolder() };
  const args = ['dev', 'shop.ts', '--port', String(port), '--queue', 'orders/place'];
  const launch = () => runCommandLine(project.folder, args, env);
  const first = launch();
  await first.line(/^listening on /);
  first.kill('SIGTERM');
  await first.exited;

  const lives = kills.map(() => Promise.withResolvers<void>());
  const started = Promise.all(
    calls.map(async (one) => {
      await lives[one.life]?.promise;
      await setTimeout(one.afterMs);
      return [one.id, await start(one, 1)] as const;
    }),
  );
  /** Of each process that was killed, what it had claimed and not settled by then. */
  const hit = new Map<string, ReadonlySet<string>>();
  for (const [index, { early, afterMs }] of kills.entries()) {
    const server = launch();
    const listening = server.line(/^listening on /).catch(() => {});
    if (!early) await listening;
    lives[index]?.resolve();
    await setTimeout(afterMs);
    server.killGroup('SIGKILL');
    await server.exited;
    hit.set(String(server.pid), claimedIn(join(project.folder, '.nexus-lambda')));
  }
  const last = launch();
  const accepted = new Map(await started);
  for (const one of calls.slice(0, 20)) accepted.set(one.id, [...accepted.get(one.id)!, ...(await start(one, 1))]);
  await Promise.race([allCompleted.promise, setTimeout(60_000, undefined, { ref: false })]);
  const { length: runsAtEnd } = runLines();
  last.kill('SIGTERM');
  await last.exited;

  expect(problems).toEqual([]);
  expect(calls.filter(({ id }) => !completed.has(id))).toEqual([]);
  expect(runLines()).toHaveLength(runsAtEnd);
  for (const [, tokens] of accepted) expect(new Set(tokens).size).toBe(1);
  expect(callback.received.filter(({ url, body }) => body.toString() !== completed.get(url.slice(1))?.body)).toEqual(
    [],
  );
  expect(repeatedWithoutNeed(runLines(), hit)).toEqual([]);
  for (const [id, { runs }] of completed) expect(linesOf(id)).toHaveLength(runs);
  const counted = (wanted: RunLine['what']) => runLines().filter(({ what }) => what === wanted).length;
  // Kills hit some.
  expect(counted('start')).toBeGreaterThan(OPERATIONS + counted('fail'));

  const store = openStore(join(project.folder, '.nexus-lambda'));
  onTestFinished(() => store.close());
  const operations = createSqliteOperationStore(store.db);
  expect((await operations.count({})).counts).toEqual({
    ...{ queued: 0, claimed: 0, 'handed-over': 0, 'dead-lettered': 0 },
    ended: OPERATIONS,
  });
  const { records } = await operations.list({ completion: 'delivered' }, { limit: OPERATIONS });
  expect(new Set(records.map(({ token }) => token))).toEqual(new Set([...accepted.values()].flat()));
  expect(records.filter(({ crashes }) => crashes > 0)).toEqual([]);
}, 180_000);

/** Request ids of the attempts that a killed server left claimed; read off a copy, which SQLite may write to. */
function claimedIn(folder: string): ReadonlySet<string> {
  const copy = temporaryFolder();
  const name = 'nexus-lambda.sqlite';
  for (const file of [name, `${name}-wal`]) {
    if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(copy, file));
  }
  using db = new DatabaseSync(join(copy, name));
  const rows = db.prepare("SELECT record ->> 'requestId' AS id FROM operation WHERE state = 'claimed'").all();
  return new Set(rows.map(({ id }) => String(id)));
}

/** Runs that were begun though the one before had failed in no way, and no kill had hit that. */
function repeatedWithoutNeed(
  lines: readonly RunLine[],
  hit: ReadonlyMap<string, ReadonlySet<string>>,
): readonly RunLine[] {
  const last = new Map<string, RunLine>();
  return lines.filter((line) => {
    const before = last.get(line.id);
    last.set(line.id, line);
    return (
      line.what === 'start' && before !== undefined && before.what !== 'fail' && !hit.get(before.pid)?.has(line.id)
    );
  });
}
