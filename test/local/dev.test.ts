import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runCommandLine } from '../cli/command-line.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { createProject, ordersModule, type Project, startDev } from './project.ts';
import { temporaryFolder } from './temporary-folder.ts';

const PLACE = 'shop/services/orders/place';
const ECHO = { place: 'async (_ctx, input) => input' };

/** A server on which handlers wait: each request is held until the test releases it. */
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
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived: arrived.promise,
    open: opened.resolve,
  };
}

it('serves the operations of a module, says which, and writes a line for each request', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }));
  const base = `${dev.url}/nexus/endpoints/shop/services`;
  await dev.line(new RegExp(`POST ${base}/orders/place$`));
  await dev.line(new RegExp(`temporal operator nexus endpoint create --name shop --target-url ${base}$`));
  const answer = await dev.call(PLACE, { item: 'tea' });
  expect(answer).toMatchObject({ status: 200, value: { item: 'tea' } });
  expect([...answer.headers.keys()].filter((name) => name.startsWith('content-'))).toEqual([
    'content-length',
    'content-type',
  ]);
  expect(answer.headers.get('transfer-encoding')).toBeNull();
  expect(await dev.line(/orders\/place/)).toMatch(/^shop {2}orders\/place {2}succeeded {2}[\d.]+ ms$/);
});

it('lets a request that comes before the module is loaded wait for it', async () => {
  const gate = await startGate();
  const [port = 0] = await freePorts(1);
  const project = createProject({ 'shop.ts': ordersModule(ECHO, `await fetch('${gate.url}');`) });
  const command = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', String(port), '--ephemeral']);
  await gate.arrived;
  const early = fetch(`http://127.0.0.1:${port}/nexus/endpoints/${PLACE}`, { method: 'POST' });
  gate.open();
  expect((await early).status).toBe(200);
  await command.line(/^listening on /);
});

it('refuses a web page that is not on this machine', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), ['--ephemeral']);
  const from = async (origin: string) =>
    (await fetch(`${dev.url}/nexus/endpoints/${PLACE}`, { method: 'POST', headers: { origin } })).status;
  expect(await from('https://evil.example')).toBe(403);
  expect(await from('null')).toBe(403);
  await dev.line(
    /^shop {2}orders\/place {2}UNAUTHORIZED {2}[\d.]+ ms {2}a web page at https:\/\/evil\.example may not call/,
  );
  await dev.line(/^shop {2}orders\/place {2}UNAUTHORIZED/);
  expect(await from('http://localhost:3000')).toBe(200);
});

it('passes an empty body and an empty answer as such', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule({ place: 'async () => undefined' }) }), [
    '--ephemeral',
  ]);
  const { status, headers, value } = await dev.call(PLACE);
  expect({ status, value, type: headers.get('content-type') }).toEqual({ status: 200, value: undefined, type: null });
});

it('shows what handlers log', async () => {
  const module = ordersModule({ place: "async (_ctx, input) => { console.log('placing', input); }" });
  const dev = await startDev(createProject({ 'shop.ts': module }), ['--ephemeral']);
  await dev.call(PLACE, 'tea');
  await dev.line(/^placing tea$/);
});

it('answers 404 for an unknown endpoint, service and operation, each with the names that are', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), ['--ephemeral']);
  for (const [path, names] of [
    ['shopp/services/orders/place', '"shop"'],
    ['shop/services/order/place', 'orders'],
    ['shop/services/orders/plaice', 'place'],
  ] as const) {
    const { status, value } = await dev.call(path, 1);
    expect(status).toBe(404);
    expect((value as { message: string }).message).toContain(names);
  }
  const root = await fetch(dev.url);
  expect(root.status).toBe(404);
  expect(await root.json()).toMatchObject({ message: expect.stringContaining('/nexus/endpoints/{endpoint}/services') });
});

it('takes the names of endpoint and task queue from its options', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), [
    '--ephemeral',
    '--endpoint',
    'store',
    '--task-queue',
    'q1',
  ]);
  await dev.line(/endpoint store \(task queue q1, namespace default\)/);
  expect(await dev.call('store/services/orders/place', 1)).toMatchObject({ status: 200 });
});

it('takes the task queue from TEMPORAL_TASK_QUEUE, and an option before it', async () => {
  const module = ordersModule({ place: 'async () => process.env.TEMPORAL_TASK_QUEUE' });
  const project = createProject({ 'shop.ts': module });
  const env = { TEMPORAL_TASK_QUEUE: 'q1' };
  const named = await startDev(project, ['--ephemeral'], env);
  await named.line(/endpoint shop \(task queue q1,/);
  expect((await named.call(PLACE)).value).toBe('q1');
  const optional = await startDev(project, ['--ephemeral', '--task-queue', 'q2'], env);
  await optional.line(/endpoint shop \(task queue q2,/);
  expect((await optional.call(PLACE)).value).toBe('q2');
});

it('reloads when the module changes, and when a file that it imports does', async () => {
  const module = (answer: string) =>
    ordersModule({ place: `async () => ${answer}` }, "import { price } from './price.ts';");
  const project = createProject({ 'shop.ts': module('price'), 'price.ts': 'export const price: number = 1;' });
  const dev = await startDev(project, ['--ephemeral']);
  expect((await dev.call(PLACE)).value).toBe(1);
  project.write('price.ts', 'export const price: number = 2;');
  await dev.line(/^reloaded in \d+ ms: orders\/place$/);
  expect((await dev.call(PLACE)).value).toBe(2);
  project.write('shop.ts', module('price + 1'));
  await dev.line(/^reloaded/);
  expect((await dev.call(PLACE)).value).toBe(3);
});

it('finishes on the version before what was under way when the module changed', async () => {
  const gate = await startGate();
  const module = (answer: number) =>
    ordersModule({ place: `async (_ctx, url) => { if (url) await fetch(url); return ${answer}; }` });
  const project = createProject({ 'shop.ts': module(1) });
  const dev = await startDev(project, ['--ephemeral']);
  const underWay = dev.call(PLACE, gate.url);
  await gate.arrived;
  project.write('shop.ts', module(2));
  await dev.line(/^reloaded/);
  expect((await dev.call(PLACE)).value).toBe(2);
  gate.open();
  expect((await underWay).value).toBe(1);
});

it('shows a build error with its place, serves the version before it, and reloads when it is mended', async () => {
  const project = createProject({ 'shop.ts': ordersModule({ place: 'async () => 1' }) });
  const dev = await startDev(project, ['--ephemeral']);
  project.write('shop.ts', ordersModule({ place: 'async () => {{' }));
  await dev.line(/shop\.ts:\d+:\d+:$/);
  await dev.line(/╵ +[~^]/);
  await dev.line(/the module does not load; the version before goes on serving/);
  expect((await dev.call(PLACE)).value).toBe(1);
  project.write('shop.ts', ordersModule({ place: 'async () => 2' }));
  await dev.line(/^reloaded/);
  expect((await dev.call(PLACE)).value).toBe(2);
});

it('starts with a module that does not build, refuses requests with the reason, and serves it once it is mended', async () => {
  const project = createProject({ 'shop.ts': "import './nowhere.ts';" });
  const dev = await startDev(project);
  expect(dev.output()).toMatch(/shop\.ts:1:7:\n.*import '\.\/nowhere\.ts'/);
  const refused = await dev.call(PLACE, 1);
  expect(refused.status).toBe(503);
  expect((refused.value as { message: string }).message).toContain('Could not resolve "./nowhere.ts"');
  project.write('shop.ts', ordersModule(ECHO));
  await dev.line(/^reloaded/);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
});

it.each([
  ['while it loads', "if (!existsSync('database')) throw new Error('no database');", 'database'],
  ['while it is built', "import 'database';", 'node_modules/database/index.js'],
])('loads a module that failed %s again when it is saved without a change', async (_when, needs, missing) => {
  const module = ordersModule(ECHO, `import { existsSync } from 'node:fs';\n${needs}`);
  const project = createProject({ 'shop.ts': module });
  const dev = await startDev(project, ['--ephemeral']);
  expect((await dev.call(PLACE, 1)).status).toBe(503);
  project.write(missing, '');
  project.write('shop.ts', module);
  await dev.line(/^reloaded/);
  expect((await dev.call(PLACE, 1)).status).toBe(200);
});

it('loads a version again that was broken and came back, after another one failed', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  const dev = await startDev(project, ['--ephemeral']);
  project.write('shop.ts', "throw new Error('no database');");
  await dev.line(/the module does not load; the version before goes on serving/);
  project.write('shop.ts', ordersModule(ECHO));
  await dev.line(/^reloaded/);
  project.write('shop.ts', ordersModule({ place: 'async () => {{' }));
  await dev.line(/the module does not load; the version before goes on serving/);
  project.write('shop.ts', ordersModule(ECHO));
  await dev.line(/^reloaded/);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
});

it.each([
  ['and goes on being', (_project: Project, _module: string) => {}],
  ['and is mended', (project: Project, module: string) => project.write('shop.ts', module)],
])('serves a module that is broken while it loads for the first time, %s', async (_what, mend) => {
  const gate = await startGate();
  const module = ordersModule(ECHO, `await fetch('${gate.url}');`);
  const project = createProject({ 'shop.ts': module });
  const command = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', '0', '--ephemeral']);
  await gate.arrived;
  project.write('shop.ts', ordersModule({ place: 'async () => {{' }));
  await command.line(/the module does not load; the version before still loads, and serves then/);
  mend(project, module);
  gate.open();
  const url = (await command.line(/^listening on /)).replace('listening on ', '');
  expect((await fetch(`${url}/nexus/endpoints/${PLACE}`, { method: 'POST' })).status).toBe(200);
});

it('says on what a module may hang that does not come to an end of its loading', async () => {
  const gate = await startGate();
  const project = createProject({ 'shop.ts': ordersModule(ECHO, `await fetch('${gate.url}');`) });
  const command = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', '0', '--ephemeral']);
  await command.line(/^the module is still loading after 5 s; does a top-level await wait/);
  gate.open();
  await command.line(/^listening on /);
});

it('answers UNAVAILABLE while an endpoint of an earlier start has a module that does not load', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  const first = await startDev(project);
  first.kill('SIGTERM');
  await first.exited;
  project.write('shop.ts', "throw new Error('no database');");
  const dev = await startDev(project);
  const { status, value } = await dev.call(PLACE, 1);
  expect(status).toBe(503);
  expect((value as { message: string }).message).toContain("the handlers' module does not load: Error: no database");
});

it('shows an error while the module loads with its place in the source', async () => {
  const dev = await startDev(
    createProject({ 'shop.ts': "interface Lost { a: 1 }\n\nthrow new TypeError('no database');" }),
  );
  expect(dev.output()).toContain('TypeError: no database');
  expect(dev.output()).toMatch(/shop\.ts:3:7/);
});

it('says at which line a package is imported that is not installed, and how to install it', async () => {
  const dev = await startDev(createProject({ 'shop.ts': "import { x } from '@acme/stock/list';\nconsole.log(x);" }));
  expect(dev.output()).toContain('Could not find package "@acme/stock"; install it: npm i @acme/stock');
  expect(dev.output()).toContain('shop.ts:1:18:');
});

it('says what a module exports where no service handler is among it', async () => {
  const dev = await startDev(createProject({ 'shop.ts': 'export const price = 1; export default function shop() {}' }));
  expect(dev.output()).toContain(
    'the module exports no service handler; it exports default (function), price (number)',
  );
});

it.each([
  [
    'an uncaught exception',
    "setTimeout(() => { throw new Error('boom') }); await new Promise(() => {});",
    /Error: boom/,
  ],
  ['process.exit', 'process.exit(3);', /exit code 3/],
])('answers a handler that crashes by %s as UNAVAILABLE, shows it, and serves on', async (_how, crash, shown) => {
  const module = ordersModule({ ...ECHO, crash: `async () => { ${crash} }` });
  const dev = await startDev(createProject({ 'shop.ts': module }), ['--ephemeral']);
  const { status, value } = await dev.call('shop/services/orders/crash');
  expect(status).toBe(503);
  expect((value as { message: string }).message).toContain("the handler's environment ended while this operation ran");
  await dev.line(/the handlers' environment ended; the next request starts a new one/);
  await dev.line(shown);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
});

it('answers a handler that blocks with a timeout, and serves on in a new environment', async () => {
  const module = ordersModule({ ...ECHO, block: 'async () => { for (;;); }' });
  const dev = await startDev(createProject({ 'shop.ts': module }), ['--ephemeral']);
  const blocked = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/block`, {
    method: 'POST',
    headers: { 'request-timeout': '300ms' },
  });
  expect(blocked.status).toBe(520);
  expect(await blocked.json()).toMatchObject({
    message: expect.stringContaining('the handler gave no answer within'),
  });
  await dev.line(/a handler blocks the event loop.*its environment is replaced/);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
});

it('replaces the environment of a handler that does not end at its deadline', async () => {
  const module = ordersModule(
    { count: 'async () => ++calls', hang: 'async () => new Promise(() => {})' },
    'let calls = 0;',
  );
  const dev = await startDev(createProject({ 'shop.ts': module }), ['--ephemeral']);
  expect((await dev.call('shop/services/orders/count')).value).toBe(1);
  const late = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/hang`, {
    method: 'POST',
    headers: { 'request-timeout': '300ms' },
  });
  expect(late.status).toBe(520);
  await dev.line(/a handler did not end at its deadline; its environment is replaced/);
  expect((await dev.call('shop/services/orders/count')).value).toBe(1);
});

it.each(['SIGTERM', 'SIGINT'] as const)(
  'finishes what runs on %s, refuses new connections, and exits with 0',
  async (signal) => {
    const gate = await startGate();
    const project = createProject({
      'shop.ts': ordersModule({ place: "async (_ctx, url) => { await fetch(url); return 'placed'; }" }),
    });
    const dev = await startDev(project);
    const underWay = dev.call(PLACE, gate.url);
    await gate.arrived;
    dev.killGroup(signal);
    await dev.line(/finishing what runs/);
    await expect(fetch(dev.url)).rejects.toThrow('fetch failed');
    gate.open();
    expect(await underWay).toMatchObject({ status: 200, value: 'placed' });
    expect(await dev.exited).toEqual({ code: 0, signal: null });
    expect(readdirSync(join(project.folder, 'node_modules/.cache/nexus-lambda'))).toEqual([]);
  },
);

it('exits with 0 on SIGTERM while a connection is open that never sent anything', async () => {
  const dev = await startDev(createProject({ 'shop.ts': ordersModule(ECHO) }), ['--ephemeral']);
  const silent = connect(Number(new URL(dev.url).port), '127.0.0.1');
  await once(silent, 'connect');
  await dev.call(PLACE, 1); // accepted later, so the silent one is accepted, too
  const closed = once(silent.resume(), 'close');
  dev.kill('SIGTERM');
  expect(await dev.exited).toEqual({ code: 0, signal: null });
  await closed;
});

it('keeps the endpoints of a folder across SIGKILL, and says of one that nothing serves it', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  const first = await startDev(project);
  first.kill('SIGKILL');
  await first.exited;
  const second = await startDev(project, ['--endpoint', 'bank']);
  const other = await second.call(PLACE, 1);
  expect(other.status).toBe(503);
  expect((other.value as { message: string }).message).toContain(
    'nothing serves task queue "shop" in namespace "default"',
  );
  expect(await second.call('bank/services/orders/place', 1)).toMatchObject({ status: 200 });
});

it('leaves nothing behind with --ephemeral', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  await startDev(project, ['--ephemeral']);
  expect(existsSync(join(project.folder, '.nexus-lambda'))).toBe(false);
});

it('refuses to start on a data folder that another one has, naming folder and process', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  const folder = temporaryFolder();
  await startDev(project, ['--data', folder]);
  const second = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', '0', '--data', folder]);
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.output()).toMatch(new RegExp(`^error: the data folder ${folder} is in use by process \\d+;`));
});

it('refuses to start on a port that is taken', async () => {
  const gate = await startGate();
  const { port } = new URL(gate.url);
  const project = createProject({ 'shop.ts': ordersModule(ECHO) });
  const dev = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', port, '--ephemeral']);
  expect(await dev.exited).toMatchObject({ code: 1 });
  expect(dev.output()).toMatch(new RegExp(`^error: port ${port} of 127.0.0.1 is in use;`));
});

it('serves modules of CommonJS, and a module in a package without node_modules', async () => {
  const project = createProject({
    'package.json': '{}',
    'shop.ts': "export * from './lib/handlers.cjs';",
    'lib/package.json': '{}',
    'lib/handlers.cjs': `const nexus = require('nexus-rpc');
      const orders = nexus.service('orders', { place: nexus.operation() });
      exports.ordersHandler = nexus.serviceHandler(orders, { place: async (_ctx, input) => input });`,
  });
  const dev = await startDev(project, ['--ephemeral']);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
});

it('runs the payload codec of --data-converter', async () => {
  const project = createProject(
    {
      'shop.ts': ordersModule(ECHO),
      'converter.ts': `export default { payloadCodecs: [{
        encode: async (payloads) => payloads.map((payload) => ({ ...payload, data: payload.data.map((byte) => byte ^ 1) })),
        decode: async (payloads) => payloads.map((payload) => ({ ...payload, data: payload.data.map((byte) => byte ^ 1) })),
      }] };`,
    },
    ['nexus-rpc', '@temporalio/common'],
  );
  const dev = await startDev(project, ['--ephemeral', '--data-converter', 'converter.ts']);
  const scrambled = Buffer.from('"tea"').map((byte) => byte ^ 1);
  const response = await fetch(`${dev.url}/nexus/endpoints/${PLACE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: scrambled,
  });
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(scrambled));
});

it('shows that the data converter is no default export', async () => {
  const project = createProject({ 'shop.ts': ordersModule(ECHO), 'converter.ts': 'export const payloadCodecs = [];' });
  const dev = await startDev(project, ['--ephemeral', '--data-converter', 'converter.ts']);
  expect(dev.output()).toContain(
    'the module of --data-converter must have a data converter as its default export, got undefined',
  );
});

it('gives a handler that uses @temporalio/nexus its context, from a Lambda entry point too', async () => {
  const project = createProject(
    {
      'handlers.ts': ordersModule(
        { place: 'async () => { log.info("in context"); return operationInfo(); }' },
        "import { log, operationInfo } from '@temporalio/nexus';",
      ),
      'shop.ts': `import { createServiceHandler } from 'nexus-lambda';
        import { temporal } from 'nexus-lambda/temporal';
        import { ordersHandler } from './handlers.ts';
        export { ordersHandler };
        export const handler = createServiceHandler({ services: [ordersHandler], temporal: temporal() });`,
    },
    ['nexus-rpc', '@temporalio/nexus', 'nexus-lambda'],
  );
  const dev = await startDev(project, ['--ephemeral', '--task-queue', 'q1', '--temporal-namespace', 'n1']);
  expect(await dev.call(PLACE)).toMatchObject({
    status: 200,
    value: { endpoint: 'shop', namespace: 'n1', taskQueue: 'q1' },
  });
  project.write(
    'shop.ts',
    `import { createServiceHandler } from 'nexus-lambda';
      import { temporal } from 'nexus-lambda/temporal';
      import { ordersHandler } from './handlers.ts';
      export { ordersHandler };
      export const handler = createServiceHandler({
        services: [ordersHandler],
        temporal: temporal({ namespace: 'its own', taskQueue: 'its own, too' }),
      }).after(({ response }) => { response.headers['x-after'] = 'ran'; });`,
  );
  await dev.line(/^reloaded/);
  const { headers, value } = await dev.call(PLACE);
  expect(value).toMatchObject({ endpoint: 'shop', namespace: 'its own', taskQueue: 'its own, too' });
  expect(headers.get('x-after')).toBe('ran');
});

it('serves a Lambda entry point and plain handlers side by side, and names the services of both', async () => {
  const project = createProject(
    {
      'shop.ts': `import * as nexus from 'nexus-rpc';
        import { createServiceHandler } from 'nexus-lambda';
        let calls = 0;
        const stock = nexus.serviceHandler(nexus.service('stock', { count: nexus.operation(), hang: nexus.operation() }), {
          count: async () => ++calls,
          hang: async () => new Promise(() => {}),
        });
        export const handler = createServiceHandler({ services: [stock] }).before(() => { calls += 10; });
        ${ordersModule({ place: 'async () => ++calls' }).replace(/^import.*$/m, '')}`,
    },
    ['nexus-rpc', 'nexus-lambda'],
  );
  const dev = await startDev(project, ['--ephemeral']);
  expect((await dev.call(PLACE)).value).toBe(1);
  expect((await dev.call('shop/services/stock/count')).value).toBe(12);
  const unknown = await dev.call('shop/services/bank/count');
  expect(unknown.status).toBe(404);
  expect((unknown.value as { message: string }).message).toMatch(/'stock'.*'orders'|'orders'.*'stock'/);
  const late = await fetch(`${dev.url}/nexus/endpoints/shop/services/stock/hang`, {
    method: 'POST',
    headers: { 'request-timeout': '300ms' },
  });
  expect(late.status).toBe(520);
  await dev.line(/a handler did not end at its deadline; its environment is replaced/);
  expect((await dev.call(PLACE)).value).toBe(1);
});

it('says that --data-converter is not for a Lambda entry point, which has its own', async () => {
  const project = createProject(
    {
      'handlers.ts': ordersModule(ECHO),
      'shop.ts': `import { createServiceHandler } from 'nexus-lambda';
        import { ordersHandler } from './handlers.ts';
        export const handler = createServiceHandler({ services: [ordersHandler] });`,
      'converter.ts': 'export default {};',
    },
    ['nexus-rpc', 'nexus-lambda'],
  );
  const dev = await startDev(project, ['--ephemeral', '--data-converter', 'converter.ts']);
  expect(await dev.call(PLACE, 1)).toMatchObject({ status: 200, value: 1 });
  expect(dev.output()).toContain('--data-converter is not for orders: a Lambda handler has its own');
});
