import { expect, it } from 'vitest';
import { runCommandLine } from '../cli/command-line.ts';
import { createProject, ordersModule, type Project, startDev } from './project.ts';

const OPERATIONS = { place: "async () => { throw new Error('down'); }" };

/** A dev server whose `orders/place` is queued and fails, and the command line that asks it. */
async function start(project: Project = createProject({ 'shop.ts': ordersModule(OPERATIONS) })) {
  const dev = await startDev(project, ['--queue', 'orders/place']);
  async function run(...args: readonly string[]) {
    const command = runCommandLine(project.folder, [...args, '--url', dev.url], { TZ: 'UTC' });
    const { code } = await command.exited;
    return { code, output: command.output() };
  }
  async function endpoint(...args: readonly string[]) {
    const { code, output } = await run('endpoint', ...args, '-o', 'json');
    if (code !== 0) throw new Error(output);
    return JSON.parse(output);
  }
  /** The retry policy of an operation that is accepted now. */
  async function acceptedPolicy() {
    const response = await fetch(`${dev.url}/nexus/endpoints/shop/services/orders/place`, {
      method: 'POST',
      headers: { prefer: 'respond-async' },
    });
    const { token } = (await response.json()) as { readonly token: string };
    const described = await fetch(`${dev.url}/nexus/manage/operations/${encodeURIComponent(token)}`);
    return ((await described.json()) as { readonly policy: object }).policy;
  }
  return { project, dev, run, endpoint, acceptedPolicy };
}

it('takes a setting from the next request on, keeps it over deploys and restarts, and shows it as drift', async () => {
  const { project, dev, endpoint, acceptedPolicy } = await start();
  expect(await acceptedPolicy()).not.toHaveProperty('attempts');
  const changed = await endpoint('update', '--name', 'shop', '--retry-attempts', '2', '--reason', 'incident 42');
  expect(await acceptedPolicy()).toMatchObject({ attempts: 2 });

  // What a deploy is to the dev server.
  project.write('shop.ts', ordersModule({ ...OPERATIONS, cancel: 'async () => {}' }));
  await dev.line(/^reloaded /);
  expect(await acceptedPolicy()).toMatchObject({ attempts: 2 });
  const drift = { setting: 'retryAttempts', effective: 2, author: 'local', reason: 'incident 42' };
  const deployed = await endpoint('get', '--name', 'shop');
  expect(deployed).toMatchObject({ drift: [drift], version: changed.version + 1 });
  expect(Object.values<number>(deployed.operations).reduce((sum, count) => sum + count)).toBe(3);
  dev.kill('SIGTERM');
  await dev.exited;

  const again = await start(project);
  await again.dev.line(/^ {2}retryAttempts is 2, by local since .*: incident 42$/);
  expect(await again.acceptedPolicy()).toMatchObject({ attempts: 2 });
  const { output } = await again.run('endpoint', 'get', '--name', 'shop');
  expect(output).toMatch(/^drift +retryAttempts is 2, declared without a limit, by local since .*: incident 42$/m);
  expect(output).toMatch(/^retryAttempts +2 +no limit +2 +attempts$/m);
  expect((await again.run('endpoint', 'list')).output).toMatch(/^shop +default .* active +retryAttempts none -> 2$/m);

  await again.endpoint('update', '--name', 'shop', '--unset', 'retry-attempts');
  expect(await again.acceptedPolicy()).not.toHaveProperty('attempts');
});

it('refuses a change for a version that is not there any more, with both numbers', async () => {
  const { run, endpoint } = await start();
  const { version } = await endpoint('get', '--name', 'shop');
  await endpoint('pause', '--name', 'shop', '--reason', 'the database moves', '--version', `${version}`);
  expect(await run('endpoint', 'resume', '--name', 'shop', '--version', `${version}`)).toEqual({
    code: 1,
    output: `error: endpoint "shop" is at version ${version + 1}, not ${version}; read it again and apply the change to that`,
  });
  expect((await endpoint('get', '--name', 'shop')).paused).toMatchObject({
    author: 'local',
    reason: 'the database moves',
  });
  expect(await endpoint('resume', '--name', 'shop')).not.toHaveProperty('paused');
});

it('gives a task queue another name, and takes it away again', async () => {
  const { dev, run, endpoint } = await start();
  const create = ['--name', 'bank', '--target-namespace', 'default', '--target-task-queue', 'nexus'];
  const { target } = await endpoint('get', '--name', 'shop');
  expect(await endpoint('create', ...create.with(-1, target.taskQueue))).toMatchObject({
    name: 'bank',
    queued: ['orders/place'],
    notes: ['requests go where those of endpoint "shop" go'],
  });
  expect(await dev.call('bank/services/orders/place')).toMatchObject({ status: 400 }); // it is queued, as at the other
  expect(await run('endpoint', 'delete', '--name', 'bank', '--yes')).toEqual({ code: 0, output: 'deleted: bank' });
  expect(await dev.call('bank/services/orders/place')).toMatchObject({ status: 404 });
  expect(await run('endpoint', 'get', '--name', 'bank')).toEqual({
    code: 1,
    output: 'error: no endpoint is named "bank"; there is "shop"',
  });
});
