import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createProject, ordersModule, startDev } from './project.ts';

const HANDLERS = {
  echo: 'async (_ctx, input) => input',
  held: "async (_ctx, url) => { await fetch(url); return 'released'; }",
  nothing: 'async () => undefined',
  fail: "async () => { throw new nexus.OperationError('failed', 'no tea left'); }",
  down: "async () => { throw new Error('down'); }",
  handedOver: "{ async start() { return nexus.HandlerStartOperationResult.async('workflow'); }, async cancel() {} }",
};

/** A dev server whose operations are all queued. */
async function startQueuedDev() {
  const project = createProject({ 'shop.ts': ordersModule(HANDLERS) });
  const queued = Object.keys(HANDLERS).flatMap((name) => ['--queue', `orders/${name}`]);
  const dev = await startDev(project, ['--ephemeral', ...queued]);
  const base = `${dev.url}/nexus/endpoints/shop/services/orders`;

  /** Starts an operation, and returns what asks for it. */
  async function start(name: keyof typeof HANDLERS, input?: unknown) {
    const started = await fetch(`${base}/${name}`, {
      method: 'POST',
      headers: { prefer: 'respond-async', 'content-type': 'application/json' },
      body: JSON.stringify(input ?? null),
    });
    expect(started.status).toBe(201);
    const { token } = (await started.json()) as { token: string };
    const ask = async (more: string, at: string = name) => {
      const response = await fetch(`${base}/${at}${more}`, { headers: { 'nexus-operation-token': token } });
      return { status: response.status, headers: response.headers, text: await response.text() };
    };
    return { token, ask };
  }

  return { dev, start };
}

/** A server on which a handler waits until the test releases it. */
async function startGate() {
  const arrived = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const server = createServer(async (_request, response) => {
    arrived.resolve();
    await opened.promise;
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, arrived: arrived.promise, open: opened.resolve };
}

it('lets a caller without a callback wait for the result, and ask for the state', async () => {
  const gate = await startGate();
  const { start } = await startQueuedDev();
  const { token, ask } = await start('held', gate.url);
  await gate.arrived;
  expect(JSON.parse((await ask('')).text)).toEqual({ token, state: 'running' });
  expect((await ask('/result')).status).toBe(412);
  const waiting = ask('/result?wait=20s');
  gate.open();
  const { status, headers, text } = await waiting;
  expect({ status, type: headers.get('content-type'), text }).toEqual({
    status: 200,
    type: 'application/json',
    text: '"released"',
  });
  expect(JSON.parse((await ask('')).text)).toEqual({ token, state: 'succeeded' });
});

it('answers with the failure of one that failed, and with nothing for nothing', async () => {
  const { start } = await startQueuedDev();
  const failed = await (await start('fail')).ask('/result?wait=20s');
  expect(failed).toMatchObject({ status: 424, text: expect.stringContaining('no tea left') });
  expect(failed.headers.get('nexus-operation-state')).toBe('failed');
  const nothing = await (await start('nothing')).ask('/result?wait=20s');
  expect(nothing).toMatchObject({ status: 200, text: '' });
  expect(nothing.headers.get('content-type')).toBeNull();
});

it('says 408 after the wait, 409 for one that was handed over, and 404 at another operation', async () => {
  const { start } = await startQueuedDev();
  const { ask } = await start('down');
  expect((await ask('/result?wait=50ms')).status).toBe(408);
  expect((await ask('', 'echo')).status).toBe(404);
  const handedOver = await (await start('handedOver')).ask('/result?wait=20s');
  expect(handedOver).toMatchObject({ status: 409, text: expect.stringContaining('a token of its own') });
});

it('writes no line for a poll', async () => {
  const { dev, start } = await startQueuedDev();
  const { ask } = await start('echo', 1);
  await ask('/result?wait=20s');
  await ask('');
  await ask('', 'nothing');
  await dev.line(/^shop {2}orders\/nothing {2}NOT_FOUND/);
  expect(dev.output().match(/^shop {2}orders\/echo {2}succeeded/gm) ?? []).toEqual([]);
});

it('answers who waits before it ends on SIGTERM', async () => {
  const { dev, start } = await startQueuedDev();
  const { ask } = await start('down');
  await dev.line(/orders\/down .*failed, again in/);
  const waiting = ask('/result?wait=30s');
  await ask(''); // on another connection, and later: the server has read the one that waits
  dev.kill('SIGTERM');
  expect((await waiting).status).toBe(408);
  expect(await dev.exited).toEqual({ code: 0, signal: null });
});
