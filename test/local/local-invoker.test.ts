import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import type { NexusInvocation } from '../../src/handler/invocation.ts';
import type { EnvironmentSetup } from '../../src/local/environment-messages.ts';
import { type EnvironmentEvents, ModuleLoadError } from '../../src/local/execution-environment.ts';
import { createLocalInvoker } from '../../src/local/local-invoker.ts';
import type { ServiceContract } from '../../src/nexus/message.ts';

const TARGET = { namespace: 'default', taskQueue: 'shop' };
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
  retired = false;

  constructor(setup: EnvironmentSetup, events: EnvironmentEvents) {
    this.version = setup.bundleUrl;
    this.events = events;
    this.loaded.catch(() => {});
  }

  async invoke() {
    return { statusCode: 200, headers: {}, body: this.version, isBase64Encoded: false };
  }

  async retire() {
    this.retired = true;
  }
}

function setUp() {
  const environments: FakeEnvironment[] = [];
  const reports: string[] = [];
  const launches = new EventEmitter();
  const invoker = createLocalInvoker({
    target: TARGET,
    report: (problem) => reports.push(problem),
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
  const answer = async () => (await invoker.invoke(TARGET, INVOCATION)).body;
  const launched = (count: number) => once(launches, String(count));
  return { invoker, environments, reports, load, answer, launched };
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

it('fails for a task queue that it does not serve, naming both', async () => {
  const { invoker } = setUp();
  const call = invoker.invoke({ ...TARGET, taskQueue: 'bank' }, INVOCATION);
  await expect(call).rejects.toMatchObject({
    reason: 'no-handler',
    message: expect.stringContaining('this server serves "shop"'),
  });
});

it('fails with a timeout where the first version does not load within the time', async () => {
  const { invoker } = setUp();
  const call = invoker.invoke(TARGET, { ...INVOCATION, timeoutMs: 0 });
  await expect(call).rejects.toMatchObject({ reason: 'timeout' });
});

it('ends the environment and takes no more versions when it is closed', async () => {
  const { invoker, load, environments } = setUp();
  const first = load('v1');
  environments[0]!.loading.resolve([]);
  await first;
  await invoker.close();
  expect(environments[0]!.retired).toBe(true);
});
