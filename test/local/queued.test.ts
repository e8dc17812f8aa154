import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openCallback, type ReceivedCompletion } from '../operations/callback-server.ts';
import { createProject, ordersModule, type RunningDev, startDev } from './project.ts';

const patience = { timeout: 20_000, interval: 20 } as const;
const PLACE = 'shop/services/orders/place';
const QUEUE = ['--queue', 'orders/place'];
const ECHO = { place: 'async (_ctx, input) => input' };
/** Runs until a file is there; says that it runs by another. */
const WAITING = {
  place: `async (_ctx, input) => {
    writeFileSync('running', '');
    while (!existsSync('go')) await setTimeout(10);
    return input;
  }`,
};
const IMPORTS = `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';`;

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
      return contentOf(callback.received[0]!);
    },
  };
}

function contentOf({ headers, body }: ReceivedCompletion) {
  return { state: headers['nexus-operation-state'], value: JSON.parse(body.toString()) as unknown };
}

async function post(dev: RunningDev, path: string, headers: Record<string, string>, body?: string) {
  const response = await fetch(`${dev.url}/nexus/endpoints/${path}`, { method: 'POST', headers, body: body ?? null });
  const text = await response.text();
  return { status: response.status, value: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) };
}

/** Starts an operation that is queued; its token. */
async function start(dev: RunningDev, query: string, path = PLACE, input: unknown = 'tea'): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const { status, value } = await post(dev, `${path}?${query}`, headers, JSON.stringify(input));
  expect({ status, value }).toMatchObject({ status: 201, value: { state: 'running' } });
  return String(value?.token);
}

const cancel = (dev: RunningDev, token: string) => post(dev, `${PLACE}/cancel`, { 'nexus-operation-token': token });

it('answers with a token, runs the handler, sends what came of it, and says all of that', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), [...QUEUE, '--ephemeral']);
  const { query, completion, received } = await startCallback();
  const token = await start(dev, query, PLACE, { item: 'tea' });
  expect(await completion()).toEqual({ state: 'succeeded', value: { item: 'tea' } });
  expect(received[0]?.headers['nexus-operation-token']).toBe(token);
  await dev.line(/^shop {2}orders\/place {2}started {2}[\d.]+ ms$/);
  await dev.line(/^shop {2}orders\/place {2}attempt 1 succeeded {2}[\d.]+ ms$/);
  await dev.line(/^shop {2}orders\/place {2}completion \(succeeded\) delivered {2}[\d.]+ ms$/);
});

it('refuses a caller that nobody could tell the result, and names both ways to it', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), [...QUEUE, '--ephemeral']);
  const refused = await dev.call(PLACE, 'tea');
  expect(refused.status).toBe(400);
  expect(refused.value).toMatchObject({ message: expect.stringMatching(/\?callback=URL.*Prefer: respond-async/) });
  const elsewhere = await post(dev, `${PLACE}?callback=https%3A%2F%2Fexample.com%2F`, {});
  expect(elsewhere).toMatchObject({ status: 400, value: { message: expect.stringContaining('https://example.com') } });
  const asked = await post(dev, PLACE, { prefer: 'respond-async' });
  expect(asked).toMatchObject({ status: 201, value: { token: expect.any(String) } });
});

it('tries an attempt again that failed, and says when', async () => {
  const module = ordersModule(
    { place: "async () => { if (++runs < 3) throw new Error('no stock'); return runs; }" },
    'let runs = 0;',
  );
  const dev = await startDev(createProject({ 'shop.ts': module }), [...QUEUE, '--ephemeral']);
  const { query, completion } = await startCallback();
  await start(dev, query);
  await dev.line(/^shop {2}orders\/place {2}attempt 1 failed, again in (?:0\.[89]|1\.0) s {2}[\d.]+ ms {2}no stock$/);
  await dev.line(/^shop {2}orders\/place {2}attempt 2 failed, again in (?:1\.[6-9]|2\.0) s {2}[\d.]+ ms {2}no stock$/);
  await dev.line(/^shop {2}orders\/place {2}attempt 3 succeeded/);
  expect(await completion()).toEqual({ state: 'succeeded', value: 3 });
});

it('keeps operations while the module does not load, and makes their first attempt when it is mended', async () => {
  const project = createProject({ 'shop.ts': "throw new Error('no database');" });
  const dev = await startDev(project, QUEUE);
  const { query, completion, received } = await startCallback();
  await start(dev, query);
  const other = await startCallback();
  const canceled = await start(dev, other.query);
  expect(await cancel(dev, canceled)).toMatchObject({ status: 202 });
  expect((await other.completion()).state).toBe('canceled');
  project.write('shop.ts', ordersModule(ECHO));
  await dev.line(/^1 queued operation goes on$/);
  await dev.line(/^shop {2}orders\/place {2}attempt 1 succeeded/);
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
  expect(received).toHaveLength(1);
});

it('runs what was accepted before SIGKILL, with the token that its caller has', async () => {
  const project = createProject({ 'shop.ts': "throw new Error('no database');" });
  const killed = await startDev(project, QUEUE);
  const { query, completion, received } = await startCallback();
  const token = await start(killed, query);
  killed.kill('SIGKILL');
  // With all that it started: whatever stayed would hold its output open.
  await killed.exited;
  project.write('shop.ts', ordersModule(ECHO));
  await startDev(project, QUEUE);
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
  expect(received[0]?.headers['nexus-operation-token']).toBe(token);
});

it('takes names with slashes', async () => {
  const module = `import * as nexus from 'nexus-rpc';
    const shop = nexus.service('my/shop', { 'place/now': nexus.operation() });
    export const handler = nexus.serviceHandler(shop, { 'place/now': async (_ctx, input) => input });`;
  const dev = await startDev(createProject({ 'shop.ts': module }), ['--queue', 'my/shop/place/now', '--ephemeral']);
  const { query, completion } = await startCallback();
  await start(dev, query, 'shop/services/my%2Fshop/place%2Fnow');
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
  await dev.line(/^shop {2}my\/shop\/place\/now {2}attempt 1 succeeded/);
  expect(dev.output()).not.toContain('no such operation');
});

it('says of an operation that the module lacks, and fails it as a direct call would', async () => {
  const args = ['--queue', 'orders/plaice', '--queue', 'orders/plaice', '--ephemeral'];
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), args);
  expect(dev.output().match(/^--queue .*$/gm)).toEqual([
    '--queue orders/plaice: the module has no such operation; it has orders/place',
  ]);
  const { query, completion } = await startCallback();
  await start(dev, query, 'shop/services/orders/plaice');
  expect((await completion()).state).toBe('failed');
  await dev.line(/^shop {2}orders\/plaice {2}attempt 1 failed {2}[\d.]+ ms {2}.*plaice/);
});

it('tells a handler that runs of a cancel, and its caller that the operation was canceled', async () => {
  const place = `async ({ abortSignal }) => {
    writeFileSync('running', '');
    await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    writeFileSync('aborted', String(abortSignal.reason));
    throw abortSignal.reason;
  }`;
  const project = createProject({ 'shop.ts': ordersModule({ place }, IMPORTS) });
  const dev = await startDev(project, [...QUEUE, '--ephemeral']);
  const { query, completion, received } = await startCallback();
  const token = await start(dev, query);
  await expect.poll(() => existsSync(join(project.folder, 'running')), patience).toBe(true);
  expect(await cancel(dev, token)).toMatchObject({ status: 202 });
  expect((await completion()).state).toBe('canceled');
  expect(readFileSync(join(project.folder, 'aborted'), 'utf8')).toBe('AbortError: the operation was canceled');
  expect(await cancel(dev, token)).toMatchObject({ status: 202 });
  expect(received).toHaveLength(1);
});

it('takes the result of a handler that does not care for a cancel', async () => {
  const project = createProject({ 'shop.ts': ordersModule(WAITING, IMPORTS) });
  const dev = await startDev(project, [...QUEUE, '--ephemeral']);
  const { query, completion } = await startCallback();
  const token = await start(dev, query);
  await expect.poll(() => existsSync(join(project.folder, 'running')), patience).toBe(true);
  expect(await cancel(dev, token)).toMatchObject({ status: 202 });
  writeFileSync(join(project.folder, 'go'), '');
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
});

it('finishes on SIGTERM what runs, says what that is, and sends the completion', async () => {
  const project = createProject({ 'shop.ts': ordersModule(WAITING, IMPORTS) });
  const dev = await startDev(project, QUEUE);
  const { query, completion } = await startCallback();
  await start(dev, query);
  await expect.poll(() => existsSync(join(project.folder, 'running')), patience).toBe(true);
  dev.kill('SIGTERM');
  await dev.line(/^finishing what runs/);
  await dev.line(/^waiting up to 30 s for 1 attempt: orders\/place$/);
  writeFileSync(join(project.folder, 'go'), '');
  expect(await dev.exited).toEqual({ code: 0, signal: null });
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
});

it('ends at once on a second Ctrl-C, and makes the attempt again after the next start', async () => {
  const project = createProject({ 'shop.ts': ordersModule(WAITING, IMPORTS) });
  const dev = await startDev(project, QUEUE);
  const { query, completion } = await startCallback();
  await start(dev, query);
  await expect.poll(() => existsSync(join(project.folder, 'running')), patience).toBe(true);
  dev.kill('SIGINT');
  // What comes sooner is taken for the same Ctrl-C, passed on.
  await dev.line(/^waiting up to 30 s/);
  await setTimeout(300);
  dev.kill('SIGINT');
  expect(await dev.exited).toEqual({ code: 130, signal: null });
  writeFileSync(join(project.folder, 'go'), '');
  const next = await startDev(project, QUEUE);
  expect(await completion()).toEqual({ state: 'succeeded', value: 'tea' });
  await next.line(/^shop {2}orders\/place {2}attempt 1 succeeded/);
});

it.each([
  ['kept, and run by the next start', []],
  ['lost: --ephemeral keeps nothing', ['--ephemeral']],
])('says when it ends that what waits is %s', async (fate, args) => {
  const module = ordersModule({ place: "async () => { throw new Error('no stock'); }" });
  const dev = await startDev(createProject({ 'shop.ts': module }), [...QUEUE, ...args]);
  const { query } = await startCallback();
  await start(dev, query);
  await dev.line(/attempt 1 failed, again in/);
  dev.kill('SIGTERM');
  await dev.line(new RegExp(`^1 operation is ${fate}$`));
  expect(await dev.exited).toEqual({ code: 0, signal: null });
});
