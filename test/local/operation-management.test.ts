import { request } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openStore } from '../../src/local/store.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { leaseExpired, received } from '../../src/operations/transitions.ts';
import { runCommandLine } from '../cli/command-line.ts';
import { endedRecord, newRecord } from '../contract/operation-records.ts';
import { createProject, ordersModule, type Project, startDev } from './project.ts';

const MODULE = ordersModule({
  place: 'async (_ctx, input) => input',
  down: "async () => { throw new Error('down'); }",
});
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What fails waits for as long as the test runs. */
const policy = { initialMs: HOUR_MS, maxMs: HOUR_MS, poisonAttempts: 5 };

/** As it was accepted a while ago by a dev server. */
function accepted(operation: string, agoMs = 60_000, more: Partial<OperationRecord> = {}): OperationRecord {
  const acceptedAt = Date.now() - agoMs;
  const start = { service: 'orders', operation, headers: {}, query: '', body: '' };
  return newRecord({ start, policy, acceptedAt, retainUntil: acceptedAt + DAY_MS, ...more });
}

function deadLettered(operation: string, agoMs?: number): OperationRecord {
  const record = accepted(operation, agoMs);
  const moment = { now: record.acceptedAt, random: 0 };
  const claim = { leaseUntil: record.acceptedAt + 1, invocation: 'i-1' };
  const arrived = received(record, { ...moment, attempt: 1, claim });
  if (arrived.kind !== 'run') throw new Error(arrived.kind);
  return leaseExpired({ ...arrived.transition.record, crashes: 100 }, moment).record;
}

/** A dev server with these in its data folder, and the command line that asks it. */
async function startWith(records: readonly OperationRecord[], project: Project = createProject({ 'shop.ts': MODULE })) {
  const { db, close } = openStore(join(project.folder, '.nexus-lambda'));
  const store = createSqliteOperationStore(db);
  await Promise.all(records.map((record) => store.create(record, Date.now())));
  close();
  const dev = await startDev(project, ['--queue', 'orders/place', '--queue', 'orders/down']);
  async function operation(...args: readonly string[]) {
    const command = runCommandLine(project.folder, ['operation', ...args, '--url', dev.url], { TZ: 'UTC' });
    const { code } = await command.exited;
    return { code, output: command.output() };
  }
  return { dev, operation };
}

it('shows what waits, what crashed too often and what it was', async () => {
  const [old, young, waiting] = [deadLettered('place', 2 * HOUR_MS), deadLettered('place'), accepted('down')];
  const { operation, dev } = await startWith([old, young, waiting]);
  await dev.line(/orders\/down .*failed, again in/);

  const list = await operation('list', '--state', 'dead-lettered', '--older-than', '1h');
  expect(list.output.split('\n').slice(1)).toEqual([
    expect.stringMatching(`^${old.token} +shop +orders/place +dead-lettered +1 +2h +attempt 1 never ended`),
  ]);
  expect((await operation('count', '--endpoint', 'shop')).output.split('\n')).toEqual([
    'queued         1',
    'claimed        0',
    'handed-over    0',
    'dead-lettered  2',
    'ended          0',
    'total          3',
  ]);
  const described = await operation('describe', waiting.token);
  expect(described.output).toMatch(/^next attempt {2}attempt 2, [\d-]+T[\d:]+\+00:00 \(in (?:1h|\d+m\d*s?)\)$/m);
  expect(described.output).toMatch(/^last failure {2}attempt 1, .*: down$/m);
  expect(described.output).toContain(`npx nexus-lambda operation retry ${waiting.token}`);
});

it('takes up what was dead-lettered, waits or is not wanted, and shows what it came to', async () => {
  const [place, down] = [deadLettered('place'), accepted('down')];
  const { operation, dev } = await startWith([place, down]);
  await dev.line(/orders\/down .*failed, again in/);

  expect(await operation('result', place.token)).toEqual({ code: 3, output: 'no result yet: it is dead-lettered' });
  expect((await operation('redrive', place.token)).output).toMatch(/orders\/place +(queued|claimed|succeeded)/);
  await dev.line(/orders\/place .*succeeded/);
  expect(await operation('result', place.token)).toEqual({ code: 0, output: 'nothing' });

  expect((await operation('retry', down.token)).code).toBe(0);
  await dev.line(/orders\/down .*attempt 2 failed, again in/);
  expect((await operation('cancel', down.token)).output).toContain('canceled');
  expect(await operation('result', down.token)).toMatchObject({
    code: 2,
    output: expect.stringContaining('the operation was canceled'),
  });
  expect(await operation('retry', down.token)).toEqual({
    code: 1,
    output: `error: operation ${down.token} has ended`,
  });
});

it('redrives all that is dead-lettered of an endpoint, and leaves what callers refused', async () => {
  const callback = { callback: { url: 'http://127.0.0.1:1/callback', headers: {} } };
  const undelivered = endedRecord(accepted('place', 60_000, callback), { kind: 'dead-lettered', message: '400' });
  const refused = endedRecord(accepted('place', 60_000, callback), { kind: 'refused', message: '404' });
  const many = Array.from({ length: 150 }, () => deadLettered('place'));
  const { operation } = await startWith([undelivered, refused, ...many]);

  const { code, output } = await operation('redrive', '--endpoint', 'shop');
  expect({ code, lines: output.split('\n').sort() }).toEqual({
    code: 0,
    lines: ['100 operations redriven …', 'redriven: 150 operations and 1 completion'],
  });
  expect((await operation('count', '--state', 'dead-lettered')).output).toBe('0');
  const left = await operation('list', '--completion', 'refused', '-o', 'json');
  expect(JSON.parse(left.output).operations).toMatchObject([{ token: refused.token }]);
  expect((await operation('redrive', '--endpoint', 'shop', '--refused')).output).toBe(
    'redriven: 0 operations and 1 completion',
  );
});

it('refuses a web page, also one whose own name leads here', async () => {
  const { dev } = await startWith([]);
  const { hostname, port } = new URL(dev.url);
  const statusOf = (method: string, headers: Record<string, string>) =>
    new Promise((resolve, reject) => {
      const asked = request({ hostname, port, path: '/nexus/manage/operations', method, headers }, (response) => {
        resolve(response.resume().statusCode);
      });
      asked.on('error', reject).end();
    });
  expect(await statusOf('GET', {})).toBe(200);
  expect(await statusOf('GET', { host: `localhost:${port}` })).toBe(200);
  expect(await statusOf('GET', { host: `evil.example:${port}` })).toBe(403);
  expect(await statusOf('POST', { origin: 'https://evil.example' })).toBe(403);
});
