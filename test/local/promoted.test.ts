import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openCallback } from '../operations/callback-server.ts';
import { createProject, ordersModule, type RunningDev, startDev } from './project.ts';

const patience = { timeout: 20_000, interval: 20 } as const;
const PLACE = 'shop/services/orders/place';
const PROMOTE = ['--promote', 'orders/place'];
/** Runs until a file is there; says that it runs, and by what time it is to be done, by another. */
const WAITING = `async ({ requestDeadline }, input) => {
  runs++;
  writeFileSync('running', String(requestDeadline.getTime() - Date.now()));
  while (!existsSync('go')) await setTimeout(10);
  return { input, runs };
}`;
const IMPORTS = `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
let runs = 0;`;

/** Takes the completions of one test. */
async function startCallback() {
  const callback = await openCallback((_, response) => response.end());
  onTestFinished(() => callback.close());
  const url = `http://127.0.0.1:${callback.port}/`;
  return {
    query: `callback=${encodeURIComponent(url)}`,
    received: callback.received,
    /** State and body of the one that came. */
    async completion() {
      await expect.poll(() => callback.received.length, patience).toBe(1);
      const { headers, body } = callback.received[0]!;
      return { state: headers['nexus-operation-state'], value: JSON.parse(body.toString()) as unknown };
    },
  };
}

async function post(dev: RunningDev, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${dev.url}/nexus/endpoints/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'request-timeout': '1s', ...headers },
    body: '"tea"',
  });
  const text = await response.text();
  return { status: response.status, value: text === '' ? undefined : JSON.parse(text) };
}

function projectWith(place: string) {
  const project = createProject({ 'shop.ts': ordersModule({ place, other: "async () => 'other'" }, IMPORTS) });
  return {
    ...project,
    has: (file: string) => existsSync(join(project.folder, file)),
    path: (file: string) => join(project.folder, file),
  };
}

it('answers with a token shortly before the deadline, and sends what comes of the same run', async () => {
  const project = projectWith(WAITING);
  const dev = await startDev(project, [...PROMOTE, '--ephemeral']);
  const { query, completion, received } = await startCallback();
  const startedAt = performance.now();
  const { status, value } = await post(dev, `${PLACE}?${query}`);
  expect({ status, value }).toMatchObject({ status: 201, value: { state: 'running' } });
  expect(performance.now() - startedAt).toBeGreaterThan(800);
  // A function's own limit, and not the second that its caller waits.
  expect(Number(readFileSync(project.path('running'), 'utf8'))).toBeGreaterThan(600_000);
  expect((await post(dev, 'shop/services/orders/other')).value).toBe('other');
  writeFileSync(project.path('go'), '');
  expect(await completion()).toEqual({ state: 'succeeded', value: { input: 'tea', runs: 1 } });
  expect(received[0]?.headers['nexus-operation-token']).toBe(value.token);
  await dev.line(/^shop {2}orders\/place {2}attempt 1 succeeded/);
});

it('answers what is done in time itself, and keeps nothing', async () => {
  const dev = await startDev(projectWith('async (_ctx, input) => input'), [...PROMOTE, '--ephemeral']);
  const { query, received } = await startCallback();
  expect(await post(dev, `${PLACE}?${query}`)).toEqual({ status: 200, value: 'tea' });
  const counts = await fetch(`${dev.url}/nexus/manage/operations/count`).then(
    (response) => response.json() as Promise<{ total: number }>,
  );
  expect(counts.total).toBe(0);
  expect(received).toEqual([]);
});

it('gives a repeat of the start the same token', async () => {
  const project = projectWith(WAITING);
  const dev = await startDev(project, [...PROMOTE, '--ephemeral']);
  const { query, completion } = await startCallback();
  const repeat = { 'nexus-request-id': 'r1' };
  const first = await post(dev, `${PLACE}?${query}`, repeat);
  expect(await post(dev, `${PLACE}?${query}`, repeat)).toEqual(first);
  writeFileSync(project.path('go'), '');
  expect((await completion()).state).toBe('succeeded');
});

it('fails as ever for a caller that nobody could tell the outcome, and lets one poll that says so', async () => {
  const project = projectWith(WAITING);
  const dev = await startDev(project, [...PROMOTE, '--ephemeral']);
  expect((await post(dev, PLACE)).status).toBe(520);
  const { status, value } = await post(dev, PLACE, { prefer: 'respond-async' });
  expect(status).toBe(201);
  writeFileSync(project.path('go'), '');
  const result = await fetch(`${dev.url}/nexus/endpoints/${PLACE}/result?wait=10s`, {
    headers: { 'nexus-operation-token': value.token },
  });
  expect(await result.json()).toMatchObject({ input: 'tea' });
});

it('tells the handler of a cancel', async () => {
  const place = `async ({ abortSignal }) => {
    await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    writeFileSync('aborted', String(abortSignal.reason));
    throw abortSignal.reason;
  }`;
  const project = projectWith(place);
  const dev = await startDev(project, [...PROMOTE, '--ephemeral']);
  const { query, completion } = await startCallback();
  const { value } = await post(dev, `${PLACE}?${query}`);
  expect(await post(dev, `${PLACE}/cancel`, { 'nexus-operation-token': value.token })).toMatchObject({ status: 202 });
  expect((await completion()).state).toBe('canceled');
  expect(readFileSync(project.path('aborted'), 'utf8')).toBe('AbortError: the operation was canceled');
});

it('does not let a handler that blocks the event loop hold up other requests', async () => {
  const place = `async () => {
    writeFileSync('running', '');
    while (!existsSync('go'));
    return 'done';
  }`;
  const project = projectWith(place);
  const dev = await startDev(project, [...PROMOTE, '--ephemeral']);
  const { query, completion } = await startCallback();
  expect((await post(dev, `${PLACE}?${query}`)).status).toBe(201);
  await dev.line(/a handler blocks the event loop/);
  expect((await post(dev, 'shop/services/orders/other', { 'request-timeout': '10s' })).value).toBe('other');
  writeFileSync(project.path('go'), '');
  expect(await completion()).toEqual({ state: 'succeeded', value: 'done' });
});

it('makes another attempt, from the queue, of one whose environment ended, and of one that failed', async () => {
  const place = `async () => {
    const count = Number(existsSync('count') && readFileSync('count', 'utf8')) + 1;
    writeFileSync('count', String(count));
    if (count < 3) await setTimeout(1_200);
    if (count === 1) process.exit(1);
    if (count === 2) throw new Error('no stock');
    return count;
  }`;
  const before = `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';`;
  const dev = await startDev(createProject({ 'shop.ts': ordersModule({ place }, before) }), [
    ...PROMOTE,
    '--ephemeral',
  ]);
  const { query, completion } = await startCallback();
  expect((await post(dev, `${PLACE}?${query}`)).status).toBe(201);
  await dev.line(/attempt 1 crashed, again in/);
  await dev.line(/attempt 2 failed, again in .*no stock/);
  expect(await completion()).toEqual({ state: 'succeeded', value: 3 });
});

it('finishes on SIGTERM what was promoted, and runs it again after SIGKILL', async () => {
  const project = projectWith(WAITING);
  const killed = await startDev(project, PROMOTE);
  const { query, received } = await startCallback();
  const { value } = await post(killed, `${PLACE}?${query}`);
  killed.killGroup('SIGKILL');
  await killed.exited;
  const dev = await startDev(project, PROMOTE);
  await setTimeout(100);
  expect((await post(dev, `${PLACE}?${query}`, { 'nexus-request-id': 'another' })).status).toBe(201);
  dev.kill('SIGTERM');
  await dev.line(/^waiting up to 30 s for 2 attempts: orders\/place$/);
  writeFileSync(project.path('go'), '');
  expect(await dev.exited).toEqual({ code: 0, signal: null });
  await expect.poll(() => received.length, patience).toBe(2);
  expect(received.map(({ headers }) => headers['nexus-operation-token'])).toContain(value.token);
});

it('says of an operation that the module lacks', async () => {
  const dev = await startDev(projectWith(WAITING), ['--promote', 'orders/plaice', '--ephemeral']);
  expect(dev.output()).toContain(
    '--promote orders/plaice: the module has no such operation; it has orders/place, orders/other',
  );
});
