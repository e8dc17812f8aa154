import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import type { EnvironmentSetup } from '../../src/local/environment-messages.ts';
import { type EnvironmentEvents, ModuleLoadError } from '../../src/local/execution-environment.ts';
import { createLocalInvoker } from '../../src/local/local-invoker.ts';
import type { ServiceContract } from '../../src/nexus/message.ts';

const TARGET = { namespace: 'default', taskQueue: 'shop' };
const ENDPOINT = { name: 'shop', target: TARGET, services: [], version: 1, createdAt: 0, lastModifiedAt: 0 };
const REQUEST = { method: 'POST', path: '/a/b', query: '', headers: {}, body: '' };
const INVOCATION: NexusInvocation = {
  nexusInvocation: 1,
  endpoint: 'shop',
  principal: 'local',
  timeoutMs: 60_000,
  request: REQUEST,
};

/** An environment that does what the test says, and answers with its version as the body. */
class FakeEnvironment {
  readonly loading = Promise.withResolvers<readonly ServiceContract[]>();
  readonly loaded = this.loading.promise;
  readonly version: string;
  readonly events: EnvironmentEvents;
  readonly pong = Promise.withResolvers<void>();
  retired = false;
  hangs = false;

  constructor(setup: EnvironmentSetup, events: EnvironmentEvents) {
    this.version = setup.bundleUrl;
    this.events = events;
    this.loaded.catch(() => {});
  }

  async invoke(_invocation: NexusInvocation, late: Promise<never>) {
    if (this.hangs) return late;
    return { statusCode: 200, headers: {}, body: this.version, isBase64Encoded: false };
  }

  ping() {
    return this.pong.promise;
  }

  async retire() {
    this.retired = true;
  }
}

function setUp() {
  const environments: FakeEnvironment[] = [];
  const reports: string[] = [];
  const launches = new EventEmitter();
  const patience = Promise.withResolvers<void>();
  const invoker = createLocalInvoker({
    target: TARGET,
    report: (problem) => reports.push(problem),
    patience: () => patience.promise,
    start(setup, events) {
      const environment = new FakeEnvironment(setup, events);
      environments.push(environment);
      launches.emit(String(environments.length));
      return environment;
    },
  });
  const load = (version: string) =>
    invoker.load({
      bundleUrl: version,
      moduleUrl: 'file:///shop.ts',
      endpoint: 'shop',
      temporal: { taskQueue: 'shop' },
    });
  const answer = async (timeoutMs = 60_000) =>
    (await invoker.invoke(ENDPOINT, { ...INVOCATION, timeoutMs }, timeoutMs)).body;
  const launched = (count: number) => once(launches, String(count));
  return { invoker, environments, reports, load, answer, launched, losePatience: patience.resolve };
}

it('lets requests wait for the first version', async () => {
  const { load, answer, environments } = setUp();
  const waiting = answer();
  const loading = load('v1');
  environments[0]!.loading.resolve([]);
  expect(await loading).toEqual([]);
  expect(await waiting).toBe('v1');
});

it('serves the newest version, in whichever order they load, and ends the others', async () => {
  const { load, answer, environments } = setUp();
  const first = load('v1');
  const second = load('v2');
  environments[1]!.loading.resolve([]);
  expect(await second).toEqual([]);
  environments[0]!.loading.resolve([]);
  expect(await first).toBeUndefined();
  expect(await answer()).toBe('v2');
  expect(environments.map(({ retired }) => retired)).toEqual([true, false]);
});

it('goes on with the version before where a new one does not load', async () => {
  const { load, answer, environments } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  const second = load('v2');
  environments[1]!.loading.reject(new ModuleLoadError('no database'));
  await expect(second).rejects.toThrow('no database');
  expect(await answer()).toBe('v1');
});

it('serves a version that loads after a newer one did not', async () => {
  const { invoker, load, answer, environments } = setUp();
  const first = load('v1');
  const waiting = answer();
  const second = load('v2');
  environments[1]!.loading.reject(new ModuleLoadError('no database'));
  await expect(second).rejects.toThrow('no database');
  expect(invoker.state).toBe('loads');
  environments[0]!.loading.resolve([]);
  expect(await first).toEqual([]);
  expect(await waiting).toBe('v1');
  expect(invoker.state).toBe('serves');
});

it('serves a version that loads after the sources were broken', async () => {
  const { invoker, load, answer, environments } = setUp();
  const first = load('v1');
  const waiting = answer();
  invoker.refuse('shop.ts:1:7: no such file');
  expect(invoker.state).toBe('loads');
  environments[0]!.loading.resolve([]);
  expect(await first).toEqual([]);
  expect(await waiting).toBe('v1');
});

it('keeps the reason of the newest version where an older one does not load either', async () => {
  const { invoker, load, answer, environments } = setUp();
  const first = load('v1');
  invoker.refuse('shop.ts:1:7: no such file');
  environments[0]!.loading.reject(new ModuleLoadError('no database'));
  await expect(first).rejects.toThrow('no database');
  expect(invoker.state).toBe('refuses');
  await expect(answer()).rejects.toThrow('shop.ts:1:7: no such file');
});

it('says nothing of a version that does not load while a newer one still may', async () => {
  const { load, environments } = setUp();
  const first = load('v1');
  const second = load('v2');
  environments[0]!.loading.reject(new ModuleLoadError('no database'));
  expect(await first).toBeUndefined();
  environments[1]!.loading.resolve([]);
  expect(await second).toEqual([]);
});

it('ends a version that still loads when a newer one serves', async () => {
  const { load, environments } = setUp();
  const first = load('v1');
  const second = load('v2');
  environments[1]!.loading.resolve([]);
  await second;
  expect(environments[0]!.retired).toBe(true);
  environments[0]!.loading.reject(new ModuleLoadError('it ended with exit code 1'));
  expect(await first).toBeUndefined();
});

it('refuses requests while no version has loaded, with the first line of the reason', async () => {
  const { invoker, load, answer, environments } = setUp();
  invoker.refuse('\nshop.ts:1:7: no\nsuch file');
  await expect(answer()).rejects.toMatchObject({
    reason: 'module',
    message: expect.stringMatching(/: shop\.ts:1:7: no$/),
  });
  const first = load('v1');
  environments[0]!.loading.reject(new ModuleLoadError('no database'));
  await expect(first).rejects.toThrow(ModuleLoadError);
  await expect(answer()).rejects.toMatchObject({ reason: 'module', message: expect.stringContaining('no database') });
});

it('starts the version again after a crash, with the next request', async () => {
  const { load, answer, environments, reports, launched } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  environments[0]!.events.crashed('Error: boom');
  expect(environments).toHaveLength(1);
  expect(reports[0]).toContain('Error: boom');
  const next = answer();
  await launched(2);
  environments[1]!.loading.resolve([]);
  expect(await next).toBe('v1');
});

it('replaces an environment that is spent at once, and ends it', async () => {
  const { load, answer, environments } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  environments[0]!.events.spent();
  environments[0]!.events.spent();
  expect(environments.map(({ retired }) => retired)).toEqual([true, false]);
  environments[1]!.loading.resolve([]);
  expect(await answer()).toBe('v1');
});

it('answers by the newer version where a save overtakes a replacement that still loads', async () => {
  const { load, answer, environments } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  environments[0]!.events.spent();
  const waiting = answer();
  const second = load('v2');
  environments[2]!.loading.resolve([]);
  await second;
  expect(environments[1]!.retired).toBe(true);
  environments[1]!.loading.reject(new ModuleLoadError('it ended with exit code 1'));
  expect(await waiting).toBe('v2');
});

it('keeps the environment of a handler that takes longer than its caller waits', async () => {
  const { load, answer, environments, reports, losePatience } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  environments[0]!.hangs = true;
  await expect(answer(0)).rejects.toMatchObject({ reason: 'timeout' });
  environments[0]!.hangs = false;
  environments[0]!.pong.resolve();
  expect(await answer()).toBe('v1');
  losePatience();
  expect(await answer()).toBe('v1');
  expect(environments).toHaveLength(1);
  expect(reports).toEqual([]);
});

it('replaces an environment that answers neither a request nor a ping, and says so', async () => {
  const { load, answer, environments, reports, losePatience, launched } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  environments[0]!.hangs = true;
  await expect(Promise.all([answer(0), answer(0)])).rejects.toMatchObject({ reason: 'timeout' });
  const next = answer();
  losePatience();
  await launched(2);
  environments[1]!.loading.resolve([]);
  expect(await next).toBe('v1');
  expect(environments.map(({ retired }) => retired)).toEqual([true, false]);
  expect(reports).toEqual([expect.stringContaining('a handler blocks the event loop')]);
});

it('fails for a task queue that it does not serve, naming both', async () => {
  const { invoker } = setUp();
  const call = invoker.invoke({ ...ENDPOINT, target: { ...TARGET, taskQueue: 'bank' } }, INVOCATION, 1_000);
  await expect(call).rejects.toMatchObject({
    reason: 'no-handler',
    message: expect.stringContaining('this server serves "shop"'),
  });
});

it('fails with a timeout where the first version does not load within the time', async () => {
  const { invoker } = setUp();
  const call = invoker.invoke(ENDPOINT, { ...INVOCATION, timeoutMs: 0 }, 0);
  await expect(call).rejects.toMatchObject({
    reason: 'timeout',
    message: expect.stringContaining('does its module still load?'),
  });
});

it('ends its environments and takes no more versions when it is closed', async () => {
  const { invoker, load, environments } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  const second = load('v2');
  await invoker.close();
  expect(environments.map(({ retired }) => retired)).toEqual([true, true]);
  environments[1]!.loading.resolve([]);
  expect(await second).toBeUndefined();
});
