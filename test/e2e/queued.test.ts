import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { createProject, type Project, startDev } from '../local/project.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { patience, useTemporal } from './use-temporal.ts';
import { parcelState, releaseParcel } from './workflows/parcels.ts';
import { callerQueues, serverVersions } from './world.ts';

const { PendingNexusOperationState } = proto.temporal.api.enums.v1;

const source = (file: string) => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
const BROKEN = "throw new Error('no database');";
/** The test holds its handlers up by files of the project. */
const MODULE = `
  import { existsSync, writeFileSync } from 'node:fs';
  import { setTimeout } from 'node:timers/promises';
  import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
  import * as nexus from 'nexus-rpc';
  import { holdParcel } from ${source('workflows/parcels.ts')};
  export { shippingHandler } from ${source('services/shipping.ts')};
  export { troubleHandler } from ${source('services/trouble.ts')};

  const orders = nexus.service('orders', {
    place: nexus.operation<unknown, unknown>(),
    obey: nexus.operation<{ id: string }, never>(),
    ignore: nexus.operation<{ id: string }, string>(),
    'hold/late': nexus.operation<{ id: string }, string>(),
  });
  async function held({ id }: { id: string }) {
    writeFileSync('runs-' + id, '');
    while (!existsSync('go-' + id)) await setTimeout(20);
  }
  export const ordersHandler = nexus.serviceHandler(orders, {
    place: async (_ctx, input) => input,
    obey: async ({ abortSignal }, { id }) => {
      writeFileSync('runs-' + id, '');
      await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
      throw abortSignal.reason;
    },
    ignore: async (_ctx, input) => {
      await held(input);
      return 'done all the same';
    },
    'hold/late': new WorkflowRunOperationHandler<{ id: string }, string>(async (ctx, input) => {
      await held(input);
      return startWorkflow(ctx, holdParcel, { workflowId: input.id });
    }),
  });`;
const QUEUED = [
  ...['orders/place', 'orders/obey', 'orders/ignore', 'orders/hold/late'],
  ...['shipping/ship', 'shipping/hold', 'trouble/refuse', 'trouble/breakDown', 'trouble/stumble'],
];

function projectWith(module: string): Project {
  const sdk = ['common', 'nexus', 'workflow'].map((name) => `@temporalio/${name}`);
  return createProject({ 'shop.ts': module }, ['nexus-rpc', ...sdk]);
}

/** What a caller may act on. Between these, direct calls of 1.29 have errors that say the same once more. */
function sayingsOf(failure: unknown) {
  const [first, ...causes] = chainOf(failure);
  const last = causes.at(-1) ?? first;
  return { name: first?.name, type: first?.type, message: last?.message, details: last?.details ?? [] };
}

function chainOf(error: unknown): (Error & { readonly type?: unknown; readonly details?: unknown })[] {
  return error instanceof Error ? [error, ...chainOf(error.cause)] : [];
}

describe.each(serverVersions)('a queued operation called by the %s server', (version) => {
  const temporal = useTemporal(version);

  /** `nexus-lambda dev`, its endpoint in Temporal, and what starts it once more on the same port and data. */
  async function serve(project: Project) {
    const [port = 0] = await freePorts(1);
    const args = [
      ...QUEUED.flatMap((operation) => ['--queue', operation]),
      ...['--port', String(port), '--task-queue', 'shop', '--temporal-address', temporal.world.address],
    ];
    const dev = await startDev(project, args);
    const endpoint = await temporal.createEndpoint(`${dev.url}/nexus/endpoints/shop/services`);
    return { dev, again: () => startDev(project, args), endpoint };
  }

  /** States of the operations that a workflow waits for. */
  async function pendingIn({ workflowId }: { readonly workflowId: string }): Promise<string[]> {
    const { raw } = await temporal.client.workflow.getHandle(workflowId).describe();
    const operations = raw.pendingNexusOperations ?? [];
    return operations.map(({ state }) =>
      PendingNexusOperationState[state ?? 0]!.replace('PENDING_NEXUS_OPERATION_STATE_', ''),
    );
  }

  /** A caller that places orders, all at the same time. */
  const place = (endpoint: string, orders: readonly string[]) =>
    temporal.client.workflow.start('callOperations', {
      taskQueue: callerQueues.plain,
      workflowId: `place-${randomUUID()}`,
      args: [{ endpoint, service: 'orders', operation: 'place' }, orders],
    });

  /** A caller whose operation can be canceled by canceling it: it waits for the operation's end. */
  async function callAt(endpoint: string, operation: string, input: unknown) {
    const [service = '', ...name] = operation.split('/');
    const caller = await temporal.call({ endpoint, service, operation: name.join('/') }, input);
    return {
      caller,
      canceledEvents: () => temporal.eventsOf(caller.workflowId, 'nexusOperationCanceledEventAttributes'),
    };
  }

  it('waits with 199 others while the module does not load, and then each completes, once', async () => {
    const project = projectWith(BROKEN);
    const { dev, endpoint } = await serve(project);
    const orders = Array.from({ length: 10 }, (_, caller) => Array.from({ length: 20 }, (_, n) => `${caller}-${n}`));
    const callers = await Promise.all(orders.map((batch) => place(endpoint, batch)));
    const seen = new Set<string>();
    const statesOfAll = async () => {
      const states = (await Promise.all(callers.map(pendingIn))).flat();
      for (const state of states) seen.add(state);
      return states;
    };
    const startedOnes = async () => (await statesOfAll()).filter((state) => state === 'STARTED').length;
    await expect.poll(startedOnes, patience).toBe(200);
    project.write('shop.ts', MODULE);
    await expect.poll(statesOfAll, patience).toEqual([]);
    expect(await Promise.all(callers.map((caller) => caller.result()))).toEqual(orders);

    expect([...seen]).not.toContain('BLOCKED');
    for (const { workflowId } of callers) {
      const scheduled = await temporal.eventsOf(workflowId, 'nexusOperationScheduledEventAttributes');
      const completed = await temporal.eventsOf(workflowId, 'nexusOperationCompletedEventAttributes');
      const ids = completed.map(({ attributes }) => Number(attributes.scheduledEventId));
      expect(ids.toSorted((a, b) => a - b)).toEqual(scheduled.map(({ eventId }) => eventId));
      expect(ids).toHaveLength(20);
    }
    expect(dev.output().match(/orders\/place {2}attempt 1 succeeded/g)).toHaveLength(200);
    expect(dev.output()).not.toMatch(/attempt \d+ (?:failed|crashed)|dead-lettered/);
  });

  it('completes after its server was killed, as does one that is called while there is none', async () => {
    const project = projectWith(BROKEN);
    const { dev, again, endpoint } = await serve(project);
    const before = await place(endpoint, ['a', 'b', 'c']);
    await expect.poll(() => pendingIn(before), patience).toEqual(['STARTED', 'STARTED', 'STARTED']);
    dev.killGroup('SIGKILL');
    await dev.exited;
    const meanwhile = await place(endpoint, ['d']);
    await expect.poll(() => pendingIn(meanwhile), patience).toEqual(['BACKING_OFF']);
    project.write('shop.ts', MODULE);
    await again();
    expect(await before.result()).toEqual(['a', 'b', 'c']);
    expect(await meanwhile.result()).toEqual(['d']);
    for (const [{ workflowId }, orders] of [
      [before, 3],
      [meanwhile, 1],
    ] as const) {
      expect(await temporal.eventsOf(workflowId, 'nexusOperationCompletedEventAttributes')).toHaveLength(orders);
    }
  });

  it.each([
    ['fails', 'refuse', { state: 'failed' }],
    ['ends as canceled', 'refuse', { state: 'canceled' }],
    ['breaks down', 'breakDown', undefined],
    ['is called in a wrong way', 'stumble', { key: 'wrong', type: 'BAD_REQUEST' }],
  ])('that %s gives its caller the failure that a direct one gives', async (_, operation, input) => {
    const { endpoint } = await serve(projectWith(MODULE));
    const directly = await temporal.createEndpoint(temporal.world.shopUrl);
    const failureAt = async (where: string) =>
      sayingsOf((await temporal.failureOf({ endpoint: where, service: 'trouble', operation }, input)).cause);
    expect(await failureAt(endpoint)).toEqual(await failureAt(directly));
  });

  it('that a workflow carries out ends by the completion of that, which Temporal sends', async () => {
    const { endpoint, dev } = await serve(projectWith(MODULE));
    const input = { id: `ship-${randomUUID()}`, item: 'a book' };
    const caller = await temporal.call({ endpoint, service: 'shipping', operation: 'ship' }, input);
    expect(await caller.result()).toBe('a book is on its way');
    expect(await temporal.eventsOf(caller.workflowId, 'nexusOperationCompletedEventAttributes')).toHaveLength(1);
    await dev.line(/^shop {2}shipping\/ship {2}attempt 1 handed over/);
    expect(dev.output()).not.toContain('completion (');
  });

  describe('that is canceled', () => {
    const CANCELED = 'Workflow execution cancelled';

    it('before it runs never runs, and its caller is told', async () => {
      const project = projectWith(BROKEN);
      const { dev, endpoint } = await serve(project);
      const { caller, canceledEvents } = await callAt(endpoint, 'orders/place', 'tea');
      await expect.poll(() => pendingIn(caller), patience).toEqual(['STARTED']);
      await caller.cancel();
      await expect(caller.result()).rejects.toThrow(CANCELED);
      expect(await canceledEvents()).toHaveLength(1);
      project.write('shop.ts', MODULE);
      await dev.line(/^reloaded in/);
      expect(dev.output()).not.toContain('attempt 1');
    });

    /** One whose handler runs and is held up. */
    async function running(operation: string) {
      const project = projectWith(MODULE);
      const { dev, endpoint } = await serve(project);
      const id = `held-${randomUUID()}`;
      const called = await callAt(endpoint, operation, { id });
      await expect.poll(() => existsSync(join(project.folder, `runs-${id}`)), patience).toBe(true);
      return {
        ...called,
        id,
        async cancel() {
          await called.caller.cancel();
          await dev.line(/^shop {2}orders\/.* {2}cancel accepted/);
        },
        goOn: () => writeFileSync(join(project.folder, `go-${id}`), ''),
      };
    }

    it('while it runs has its handler told, and then its caller', async () => {
      const { caller, canceledEvents, cancel } = await running('orders/obey');
      await cancel();
      await expect(caller.result()).rejects.toThrow(CANCELED);
      expect(await canceledEvents()).toHaveLength(1);
    });

    it('while it runs succeeds all the same where its handler goes on', async () => {
      const { caller, canceledEvents, cancel, goOn } = await running('orders/ignore');
      await cancel();
      goOn();
      expect(await caller.result()).toBe('done all the same');
      expect(await canceledEvents()).toEqual([]);
    });

    it('before it was handed over to a workflow has that workflow told once it is', async () => {
      const { caller, canceledEvents, cancel, goOn, id } = await running('orders/hold/late');
      await cancel();
      goOn();
      await letGo(id);
      await expect(caller.result()).rejects.toThrow(CANCELED);
      expect(await canceledEvents()).toHaveLength(1);
    });

    it('after it was handed over to a workflow has that workflow told', async () => {
      const { endpoint, dev } = await serve(projectWith(MODULE));
      const id = `hold-${randomUUID()}`;
      const { caller, canceledEvents } = await callAt(endpoint, 'shipping/hold', { id });
      await dev.line(/^shop {2}shipping\/hold {2}attempt 1 handed over/);
      await caller.cancel();
      await letGo(id);
      await expect(caller.result()).rejects.toThrow(CANCELED);
      expect(await canceledEvents()).toHaveLength(1);
    });

    /** Waits until a parcel knows that it was canceled, and then releases it. */
    async function letGo(id: string) {
      const parcel = temporal.client.workflow.getHandle(id);
      await expect.poll(() => parcel.query(parcelState).catch(() => undefined), patience).toBe('letting go');
      await parcel.signal(releaseParcel, 'nobody');
    }
  });
});
