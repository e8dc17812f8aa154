import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProject, ordersModule, startDev } from '../local/project.ts';
import { patience, useTemporal } from './use-temporal.ts';
import { serverVersions } from './world.ts';

const IMPORTS = `import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { HandlerError, OperationError } from 'nexus-rpc';
let runs = 0;`;

const HANDLERS = {
  /** Takes longer than a server waits for an answer, about ten seconds. */
  roast: `async (_ctx, { seconds }) => {
    const run = ++runs;
    await setTimeout(seconds * 1_000);
    return { seconds, run };
  }`,
  burn: `async () => {
    await setTimeout(12_000);
    throw new OperationError('failed', 'burnt', { cause: new Error('the oven is too hot') });
  }`,
  wait: `async ({ abortSignal }) => {
    await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    writeFileSync('aborted', '');
    throw abortSignal.reason;
  }`,
};

describe.each(serverVersions)('a promotable operation called by the %s server', (version) => {
  const temporal = useTemporal(version);

  async function serve() {
    const project = createProject({ 'shop.ts': ordersModule(HANDLERS, IMPORTS) });
    const promoted = Object.keys(HANDLERS).flatMap((name) => ['--promote', `orders/${name}`]);
    const dev = await startDev(project, [...promoted, '--ephemeral', '--temporal-address', temporal.world.address]);
    const endpoint = await temporal.createEndpoint(`${dev.url}/nexus/endpoints/shop/services`);
    const target = (operation: keyof typeof HANDLERS) => ({ endpoint, service: 'orders', operation });
    return { project, dev, target };
  }

  it('that takes 25 seconds succeeds, in one run and with one completion', async () => {
    const { dev, target } = await serve();
    const caller = await temporal.call(target('roast'), { seconds: 25 });
    expect(await caller.result()).toEqual({ seconds: 25, run: 1 });
    expect(await temporal.eventsOf(caller.workflowId, 'nexusOperationStartedEventAttributes')).toHaveLength(1);
    await dev.line(/orders\/roast {2}attempt 1 succeeded/);
    await dev.line(/orders\/roast {2}completion \(succeeded\) delivered/);
    expect(dev.output().match(/orders\/roast/g)).toHaveLength(3 + 1); // the request, and where it is listed
  });

  it('that is done in time is answered itself', async () => {
    const { target } = await serve();
    const caller = await temporal.call(target('roast'), { seconds: 1 });
    expect(await caller.result()).toEqual({ seconds: 1, run: 1 });
    expect(await temporal.eventsOf(caller.workflowId, 'nexusOperationStartedEventAttributes')).toEqual([]);
  });

  it('that fails after its promotion fails with its cause', async () => {
    const { target } = await serve();
    const { cause } = await temporal.failureOf(target('burn'));
    expect(cause).toMatchObject({ message: 'burnt', cause: { message: 'the oven is too hot' } });
  });

  it('that is canceled after its promotion is told so, and ends as canceled', async () => {
    const { project, target } = await serve();
    const caller = await temporal.call(target('wait'));
    const started = () => temporal.eventsOf(caller.workflowId, 'nexusOperationStartedEventAttributes');
    await expect.poll(async () => (await started()).length, patience).toBe(1);
    await caller.cancel();
    const canceled = () => temporal.eventsOf(caller.workflowId, 'nexusOperationCanceledEventAttributes');
    await expect.poll(async () => (await canceled()).length, patience).toBe(1);
    expect(existsSync(join(project.folder, 'aborted'))).toBe(true);
  });
});
