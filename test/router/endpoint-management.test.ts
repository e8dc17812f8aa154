import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { createEndpointManagement } from '../../src/router/endpoint-management.ts';
import { createEndpointWrites } from '../../src/router/endpoint-writes.ts';
import { createManagement } from '../../src/router/management.ts';
import type { EndpointRegistry, EndpointSpec } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const BASE = '/nexus/manage/endpoints';
const ROLE = 'iam:arn:aws:iam::111122223333:role/OnCall';
const STACK = 'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop';
const START = '2026-01-01T00:00:00.000Z';

const deployed: EndpointSpec = {
  name: 'shop',
  description: 'what the shop sells',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [{ name: 'orders', operations: ['place'] }],
  previousServices: [],
  callers: ['basic:shop'],
  functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:Shop:live',
  owner: `${STACK}#ShopEntry`,
  settings: { requestsPerSecond: 100, concurrency: 10 },
  queued: ['orders/place'],
  queues: { tasks: 'https://sqs/tasks', completions: 'https://sqs/completions' } as never,
};

/** The management API of a registry that holds the deployed endpoint `shop`. */
async function setUp(around: (registry: EndpointRegistry) => EndpointRegistry = (registry) => registry) {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(store.db, clock);
  await registry.create(deployed);
  const part = createEndpointManagement({
    ...{ registry: around(registry), clock },
    stateOf: async ({ name }) => ({ operations: { queued: name.length } }),
  });
  const { answer } = createManagement({ mayManage: (principal) => principal !== 'basic:shop', parts: [part] });
  async function ask(method: string, path = '', body?: unknown, principal = ROLE) {
    const [pathname = '', query = ''] = `${BASE}${path}`.split('?');
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const request = { method, path: pathname, query, headers: {}, body: new TextEncoder().encode(text) };
    const response = await answer(request, { principal });
    return { status: response?.status, value: JSON.parse(new TextDecoder().decode(response?.body)) };
  }
  /** One that no stack owns. */
  const create = (name = 'bank') =>
    ask('POST', '', { name, target: { namespace: 'default', taskQueue: 'shop' }, description: 'by hand' });
  return { clock, registry, ask, create };
}

describe('GET', () => {
  it('lists endpoints by name, with what is paused and what drifted', async () => {
    const { ask, create } = await setUp();
    await create();
    await ask('PATCH', '/shop', { settings: { requestsPerSecond: 5 }, reason: 'incident 42', expiresInMs: 60_000 });
    await ask('POST', '/bank/pause', { reason: 'audit' });
    expect(await ask('GET')).toEqual({
      status: 200,
      value: {
        endpoints: [
          {
            name: 'bank',
            description: 'by hand',
            target: deployed.target,
            version: 2,
            paused: { author: ROLE, reason: 'audit', since: START },
            drift: [],
          },
          {
            name: 'shop',
            description: 'what the shop sells',
            target: deployed.target,
            owner: deployed.owner,
            version: 2,
            drift: [
              {
                setting: 'requestsPerSecond',
                declared: 100,
                effective: 5,
                author: ROLE,
                reason: 'incident 42',
                since: START,
                until: '2026-01-01T00:01:00.000Z',
              },
            ],
          },
        ],
      },
    });
  });

  it('shows one with what is declared, what is overridden and what holds, and what is known besides', async () => {
    const { ask, clock } = await setUp();
    await ask('PATCH', '/shop', { settings: { requestsPerSecond: 5 }, reason: 'incident 42', expiresInMs: 60_000 });
    await ask('PATCH', '/shop', { settings: { retryAttempts: 3 }, reason: 'poison' }, 'local');
    const override = { author: ROLE, reason: 'incident 42', since: START, until: '2026-01-01T00:01:00.000Z' };
    const poison = { author: 'local', reason: 'poison', since: START };
    const defaults = {
      circuitFailures: 5,
      circuitOpenMs: 60_000,
      retryInitialMs: 1_000,
      retryMaxMs: 3_600_000,
      poisonAttempts: 5,
    };
    const shown = await ask('GET', '/shop');
    expect(shown.value).toMatchObject({
      version: 3,
      settings: {
        declared: { requestsPerSecond: 100, concurrency: 10 },
        override: { requestsPerSecond: { value: 5, ...override }, retryAttempts: { value: 3, ...poison } },
      },
      drift: [{ setting: 'requestsPerSecond' }, { setting: 'retryAttempts', effective: 3 }],
      callers: ['basic:shop'],
      functionArn: deployed.functionArn,
      services: deployed.services,
      queued: ['orders/place'],
      createdAt: START,
      lastModifiedAt: START,
      operations: { queued: 4 },
    });
    expect(shown.value.settings.effective).toEqual({
      ...{ ...defaults, requestsPerSecond: 5, burst: 5, concurrency: 10, retryAttempts: 3 },
    });
    clock.nowMs += 60_000;
    const expired = await ask('GET', '/shop');
    expect(expired.value.settings.override).toEqual({ retryAttempts: { value: 3, ...poison } });
    expect(expired.value.settings.effective).toMatchObject({ requestsPerSecond: 100, burst: 100, retryAttempts: 3 });
  });

  it('answers 404 for a name that is not there, and says which there are', async () => {
    const { ask } = await setUp();
    for (const [method, path] of [
      ['GET', '/shpo'],
      ['PATCH', '/shpo'],
      ['DELETE', '/shpo'],
      ['POST', '/shpo/pause'],
      ['POST', '/shpo/resume'],
    ] as const) {
      const body = path.endsWith('pause') ? { reason: 'r' } : method === 'PATCH' ? { description: 'd' } : undefined;
      expect(await ask(method, path, body)).toMatchObject({
        status: 404,
        value: { message: 'no endpoint is named "shpo"; there is "shop"' },
      });
    }
  });
});

describe('PATCH', () => {
  it('sets settings over those of the deploy, whoever owns the endpoint, and keeps who and why', async () => {
    const { ask, registry, clock } = await setUp();
    const { status, value } = await ask('PATCH', '/shop', {
      settings: { requestsPerSecond: 5, burst: 2 },
      reason: 'incident 42',
    });
    expect({ status, version: value.version, notes: value.notes }).toEqual({ status: 200, version: 2, notes: [] });
    expect(value.settings.effective).toMatchObject({ requestsPerSecond: 5, burst: 2, concurrency: 10 });
    const mark = { author: ROLE, reason: 'incident 42', at: clock.nowMs };
    expect(await registry.get('shop')).toMatchObject({
      ...deployed,
      version: 1,
      override: { settings: { requestsPerSecond: { value: 5, ...mark }, burst: { value: 2, ...mark } }, version: 1 },
    });
  });

  it('leaves other settings and a pause as they are, with their own authors and ends', async () => {
    const { ask, registry, clock } = await setUp();
    await ask('PATCH', '/shop', { settings: { requestsPerSecond: 5 }, reason: 'first', expiresInMs: 3_600_000 });
    await ask('POST', '/shop/pause', { reason: 'second', expiresInMs: 600_000 }, 'local');
    clock.nowMs += 1_000;
    await ask('PATCH', '/shop', { settings: { concurrency: 3 }, reason: 'third' });
    const override = (await registry.get('shop'))?.override;
    const at = clock.nowMs - 1_000;
    expect(override).toEqual({
      settings: {
        requestsPerSecond: { value: 5, author: ROLE, reason: 'first', at, expiresAt: at + 3_600_000 },
        concurrency: { value: 3, author: ROLE, reason: 'third', at: clock.nowMs },
      },
      paused: { author: 'local', reason: 'second', at, expiresAt: at + 600_000 },
      version: 3,
    });
  });

  it('takes settings back, one or all of them, without a reason, and leaves a pause', async () => {
    const { ask, registry } = await setUp();
    const settings = { requestsPerSecond: 5, concurrency: 3, retryAttempts: 2 };
    await ask('PATCH', '/shop', { settings, reason: 'r' });
    await ask('POST', '/shop/pause', { reason: 'r' });
    const one = await ask('PATCH', '/shop', { settings: { requestsPerSecond: null } });
    expect(one.value.settings.effective).toMatchObject({ requestsPerSecond: 100, concurrency: 3 });
    const all = await ask('PATCH', '/shop', { settings: null });
    expect(all.value).toMatchObject({ drift: [], settings: { override: {} }, paused: { reason: 'r' } });
    expect((await registry.get('shop'))?.override).toMatchObject({ settings: {}, version: 4 });
  });

  it('does not bring back what had expired', async () => {
    const { ask, clock, registry } = await setUp();
    await ask('PATCH', '/shop', { settings: { requestsPerSecond: 5 }, reason: 'r', expiresInMs: 1_000 });
    await ask('POST', '/shop/pause', { reason: 'r', expiresInMs: 1_000 });
    clock.nowMs += 1_000;
    await ask('PATCH', '/shop', { settings: { concurrency: 3 }, reason: 'r' });
    expect((await registry.get('shop'))?.override).toEqual({
      settings: { concurrency: { value: 3, author: ROLE, reason: 'r', at: clock.nowMs } },
      version: 3,
    });
  });

  it('says what only a deploy changes, and from when on retries follow', async () => {
    const { ask, create } = await setUp();
    const concurrency = await ask('PATCH', '/shop', { settings: { concurrency: 3 }, reason: 'r' });
    expect(concurrency.value.notes).toEqual([
      'concurrency holds for direct calls; queued operations go on 10 at a time, as the event source mapping of their queue ' +
        'was deployed: to change that, declare it and deploy',
    ]);
    const back = await ask('PATCH', '/shop', { settings: null });
    expect(back.value.notes).toEqual(concurrency.value.notes);
    const retries = await ask('PATCH', '/shop', { settings: { retryMaxMs: 5_000, poisonAttempts: 2 }, reason: 'r' });
    expect(retries.value.notes).toEqual(['what concerns retries holds for operations that are accepted from now on']);
    await create();
    const rate = await ask('PATCH', '/bank', { settings: { requestsPerSecond: 3 }, reason: 'r' });
    expect(rate.value.notes).toEqual([]);
  });

  it('changes an endpoint that no stack owns: its description, its callers and where it goes', async () => {
    const { ask, create, registry } = await setUp();
    await create();
    const callers = ['basic:bank'];
    expect(await ask('PATCH', '/bank', { description: 'changed', callers })).toMatchObject({
      status: 200,
      value: { description: 'changed', callers, version: 2, notes: [] },
    });
    expect((await ask('PATCH', '/bank', { description: null })).value).not.toHaveProperty('description');
    const moved = await ask('PATCH', '/bank', { target: { taskQueue: 'bank' } });
    expect(moved.value).toMatchObject({
      target: { namespace: 'default', taskQueue: 'bank' },
      callers,
      queued: [],
      services: [],
      notes: [
        expect.stringMatching(/^nothing is deployed for task queue "bank" of namespace "default": requests are ref/),
      ],
    });
    expect(moved.value).not.toHaveProperty('functionArn');
    const back = await ask('PATCH', '/bank', { target: { taskQueue: 'shop' } });
    expect(back.value).toMatchObject({ functionArn: deployed.functionArn, queued: ['orders/place'], version: 5 });
    expect(await registry.get('bank')).not.toHaveProperty('owner');
  });

  it('changes entry and settings with one request', async () => {
    const { ask, create } = await setUp();
    await create();
    const both = { description: 'changed', settings: { requestsPerSecond: 3 }, reason: 'r', version: 1 };
    expect((await ask('PATCH', '/bank', both)).value).toMatchObject({
      description: 'changed',
      version: 3,
      drift: [{ setting: 'requestsPerSecond', effective: 3 }],
    });
  });

  it('leaves override and circuit with an entry that it changes', async () => {
    const { db, close } = openEphemeralStore();
    onTestFinished(close);
    const clock = new ManualClock();
    const stored = createSqliteEndpointRegistry(db, clock);
    const circuit = { status: 'closed', version: 1, streak: 2, since: clock.nowMs } as const;
    await stored.create({ name: 'bank', target: deployed.target, services: [] });
    await createSqliteCircuitStore(db).write('bank', circuit);
    const registry: EndpointRegistry = {
      ...stored,
      async update(...change) {
        const { override: _, ...written } = await stored.update(...change); // the entry alone, as DynamoDB answers
        return written;
      },
    };
    const { update } = createEndpointWrites({ registry, clock });
    await update('bank', { settings: { requestsPerSecond: 3 }, reason: 'r' }, ROLE);
    const { endpoint } = await update('bank', { description: 'changed' }, ROLE);
    expect(endpoint).toEqual(await stored.get('bank'));
    expect(endpoint).toMatchObject({ circuit, override: { settings: { requestsPerSecond: { value: 3 } } } });
    await update('bank', { description: 'again', settings: { concurrency: 2 }, reason: 'r' }, ROLE);
    const { override } = (await stored.get('bank'))!;
    expect(override).toMatchObject({ settings: { requestsPerSecond: { value: 3 }, concurrency: { value: 2 } } });
  });

  it.each([{ description: 'mine' }, { target: { taskQueue: 'x' } }, { callers: ['iam:*'] }])(
    'refuses %j where a stack owns the endpoint, and says whose it is and what to do',
    async (declared) => {
      const { ask, registry } = await setUp();
      const both = { ...declared, settings: { requestsPerSecond: 3 }, reason: 'r' };
      expect(await ask('PATCH', '/shop', both)).toMatchObject({
        status: 409,
        value: {
          message: `endpoint "shop" belongs to ${STACK} (resource ShopEntry): change that there, and deploy; at run time its settings can be changed, and it can be paused`,
        },
      });
      expect(await registry.get('shop')).toMatchObject({ ...deployed, version: 1 });
      expect(await registry.get('shop')).not.toHaveProperty('override');
    },
  );

  it.each<[unknown, string]>([
    [
      '{',
      'the body is no JSON object; allowed here: settings, reason, expiresInMs, description, target, callers, version',
    ],
    [[], 'the body is no JSON object'],
    [{}, 'nothing is to be changed; give settings, description, target or callers'],
    [{ version: 1, reason: 'r', settings: {} }, 'nothing is to be changed'],
    [{ setting: {} }, 'there is no "setting" here; allowed here: settings, '],
    [{ settings: { burst: '5' } }, 'settings is "{\\"burst\\":\\"5\\"}"; it takes an object with a number for each'],
    [{ settings: { burst: 5 } }, 'say why the settings are changed, for whoever looks next: {"reason": …}'],
    [
      { settings: { requestPerSecond: 5 }, reason: 'r' },
      'there is no setting "requestPerSecond"; there is requestsPer',
    ],
    [{ settings: { requestPerSecond: null } }, 'there is no setting "requestPerSecond"; there is requestsPer'],
    ['{"settings":{"__proto__":null}}', 'there is no setting "__proto__"'],
    [{ settings: { toString: null } }, 'there is no setting "toString"'],
    [
      { settings: { requestsPerSecond: 0 }, reason: 'r' },
      'requestsPerSecond is 0; it takes a number from 0.01 to 100000',
    ],
    [
      { settings: { retryMaxMs: 1_000, retryInitialMs: 2_000 }, reason: 'r' },
      'retryInitialMs is 2000, more than retryMaxMs',
    ],
    [{ settings: { burst: 5 }, reason: ' ' }, 'reason is "\\" \\""; it takes a text of at most 500 characters'],
    [
      { settings: { burst: 5 }, reason: 'r', expiresInMs: 10 },
      'expiresInMs is "10"; it takes whole milliseconds from 1000',
    ],
    [{ settings: null, expiresInMs: 1_000 }, 'expiresInMs is for settings; give it with a value for one'],
    [{ description: 5 }, 'description is "5"; it takes a text, or null for none'],
    [
      { target: { queue: 'x' } },
      'target is "{\\"queue\\":\\"x\\"}"; it takes {"namespace": a text, "taskQueue": a text}',
    ],
    [{ callers: 'iam:*' }, 'callers is "\\"iam:*\\""; it takes a list of principals'],
    [{ version: 0 }, 'version is "0"; it takes the version as it was read'],
  ])('answers 400 to %j, saying what is allowed', async (body, message) => {
    const { ask, registry } = await setUp();
    const { status, value } = await ask('PATCH', '/shop', body);
    expect({ status, message: value.message }).toEqual({ status: 400, message: expect.stringContaining(message) });
    expect(await registry.get('shop')).not.toHaveProperty('override');
  });

  it('answers 400 where callers are none, and leaves the endpoint', async () => {
    const { ask, create } = await setUp();
    await create();
    expect(await ask('PATCH', '/bank', { callers: ['basic:*'] })).toMatchObject({
      status: 400,
      value: { message: expect.stringContaining('"basic:*" is no caller; it takes "iam:<ARN') },
    });
    expect((await ask('GET', '/bank')).value.version).toBe(1);
  });
});

describe('a version', () => {
  it('is one more with each change, by a deploy or at run time, and one that is stale is refused with both', async () => {
    const { ask, registry } = await setUp();
    const set = (version: number) => ask('PATCH', '/shop', { settings: { burst: 5 }, reason: 'r', version });
    expect((await set(1)).value).toMatchObject({ version: 2 });
    expect(await set(1)).toMatchObject({
      status: 409,
      value: { message: 'endpoint "shop" is at version 2, not 1; read it again and apply the change to that' },
    });
    await registry.update(deployed, 1);
    expect(await ask('POST', '/shop/pause', { reason: 'r', version: 2 })).toMatchObject({ status: 409 });
    expect((await ask('POST', '/shop/pause', { reason: 'r', version: 3 })).value).toMatchObject({ version: 4 });
    expect(await ask('POST', '/shop/resume', { version: 3 })).toMatchObject({ status: 409 });
    expect((await ask('POST', '/shop/resume', { version: 4 })).value).toMatchObject({ version: 5 });
  });

  it('lets one of several changes win that were made for the same one, and without it all of them', async () => {
    const { ask } = await setUp();
    const change = (retryAttempts: number, version?: number) =>
      ask('PATCH', '/shop', { settings: { retryAttempts }, reason: 'r', ...(version && { version }) });
    const sure = await Promise.all([1, 2, 3, 4].map((value) => change(value, 1)));
    expect(sure.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    const any = await Promise.all([1, 2, 3, 4].map((value) => change(value)));
    expect(any.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await ask('GET', '/shop')).value.version).toBe(6);
  });

  it('is read again where somebody else wrote between the read and the write', async () => {
    let interrupt: (() => Promise<unknown>) | undefined;
    const { ask, registry } = await setUp((inner) => ({
      ...inner,
      async get(name) {
        const endpoint = await inner.get(name);
        const now = interrupt;
        interrupt = undefined;
        await now?.();
        return endpoint;
      },
    }));
    interrupt = () => registry.update({ ...deployed, settings: { requestsPerSecond: 7 } }, 1);
    const { value } = await ask('PATCH', '/shop', { settings: { burst: 5 }, reason: 'r' });
    expect(value.settings.declared).toEqual({ requestsPerSecond: 7 });
    expect(value.version).toBe(3);
    interrupt = () => registry.update(deployed, 2);
    expect(await ask('PATCH', '/shop', { settings: { burst: 6 }, reason: 'r', version: 3 })).toMatchObject({
      status: 409,
      value: { message: expect.stringContaining('is at version 4, not 3') },
    });
  });
});

describe('POST', () => {
  it('creates an endpoint that goes where another one of the same target goes, but for its own callers and settings', async () => {
    const { ask, registry } = await setUp();
    const target = deployed.target;
    const created = await ask('POST', '', { name: 'bank', target, callers: ['iam:*'] });
    expect(created).toMatchObject({
      status: 200,
      value: { name: 'bank', version: 1, callers: ['iam:*'], notes: ['requests go where those of endpoint "shop" go'] },
    });
    const { functionArn, services, queued, queues } = deployed;
    const { createdAt: _, lastModifiedAt: __, ...stored } = (await registry.get('bank'))!;
    expect(stored).toEqual({
      ...{ name: 'bank', target, callers: ['iam:*'], functionArn, services, queued, queues },
      version: 1,
    });
  });

  it('says so where nothing serves the target yet', async () => {
    const { ask } = await setUp();
    const { value } = await ask('POST', '', { name: 'bank', target: { namespace: 'other', taskQueue: 'shop' } });
    expect(value).toMatchObject({ callers: ['local'], services: [] });
    expect(value.notes).toEqual([
      expect.stringContaining('nothing is deployed for task queue "shop" of namespace "other"'),
    ]);
  });

  it.each<[unknown, number, string]>([
    [{ target: deployed.target }, 400, 'name the endpoint: {"name": …}'],
    [{ name: 'bank' }, 400, 'say where its requests go: {"target": {"namespace": …, "taskQueue": …}}'],
    [{ name: 'bank', target: { namespace: 'default' } }, 400, 'say where its requests go'],
    [{ name: 'my_bank', target: deployed.target }, 400, '"my_bank" cannot be the name of an endpoint; it takes two to'],
    [
      { name: 'bank', target: deployed.target, owner: 'me' },
      400,
      'there is no "owner" here; allowed here: name, target,',
    ],
    [{ name: 'shop', target: deployed.target }, 409, 'an endpoint named "shop" exists; update it'],
  ])('answers to %j with %d, saying what is allowed', async (body, status, message) => {
    const { ask } = await setUp();
    expect(await ask('POST', '', body)).toMatchObject({ status, value: { message: expect.stringContaining(message) } });
  });

  it('pauses until somebody resumes, or for a time', async () => {
    const { ask, clock } = await setUp();
    const paused = await ask('POST', '/shop/pause', { reason: 'the database moves', expiresInMs: 60_000 });
    const mark = { author: ROLE, reason: 'the database moves', since: START };
    expect(paused.value.paused).toEqual({ ...mark, until: '2026-01-01T00:01:00.000Z' });
    clock.nowMs += 60_000;
    expect((await ask('GET', '/shop')).value).not.toHaveProperty('paused');
    expect((await ask('POST', '/shop/pause', { reason: 'again' })).value.paused).toMatchObject({ reason: 'again' });
    const resumed = await ask('POST', '/shop/resume');
    expect(resumed.value).toMatchObject({ notes: [] });
    expect(resumed.value).not.toHaveProperty('paused');
    expect((await ask('POST', '/shop/resume')).value).toMatchObject({ version: 4, notes: ['it was not paused'] });
  });

  it('says of a pause whose it takes the place of, and nothing of one that has ended', async () => {
    const { ask, clock } = await setUp();
    await ask('POST', '/shop/pause', { reason: 'the database moves', expiresInMs: 60_000 });
    const again = await ask('POST', '/shop/pause', { reason: 'incident 42', expiresInMs: 30_000 }, 'local');
    expect(again.value.notes).toEqual([
      `this takes the place of the pause by ${ROLE} since ${START}, until 2026-01-01T00:01:00.000Z: the database moves; one ` +
        'resume ends it for both',
    ]);
    clock.nowMs += 30_000;
    const third = await ask('POST', '/shop/pause', { reason: 'r' });
    expect(third.value.notes).toEqual([]);
    expect((await ask('POST', '/shop/pause', { reason: 's' })).value.notes).toEqual([
      expect.stringContaining('until it is resumed: r;'),
    ]);
  });

  it('pauses for a reason only', async () => {
    const { ask } = await setUp();
    expect(await ask('POST', '/shop/pause')).toMatchObject({
      status: 400,
      value: { message: 'say why it is paused, for its callers and whoever looks next: {"reason": …}' },
    });
  });
});

describe('DELETE', () => {
  it('removes an endpoint that no stack owns, with what was set at run time', async () => {
    const { ask, create, registry } = await setUp();
    await create();
    await ask('POST', '/bank/pause', { reason: 'r' });
    expect(await ask('DELETE', '/bank?version=1')).toMatchObject({ status: 409 });
    expect(await ask('DELETE', '/bank?version=2')).toEqual({ status: 200, value: { deleted: 'bank' } });
    expect(await registry.get('bank')).toBeUndefined();
    expect((await create()).value).not.toHaveProperty('paused');
    expect(await ask('DELETE', '/bank')).toMatchObject({ status: 200 });
  });

  it('refuses to remove what a stack owns, and says whose it is and what to do', async () => {
    const { ask, registry } = await setUp();
    expect(await ask('DELETE', '/shop')).toMatchObject({
      status: 409,
      value: {
        message: `endpoint "shop" belongs to ${STACK} (resource ShopEntry): take it out there, and deploy. If that stack is gone, delete the items of "endpoint#shop" from the table of endpoints`,
      },
    });
    expect(await registry.get('shop')).toBeDefined();
  });

  it.each([
    ['?version=x', 'version is "x"; it takes the version as it was read'],
    ['?force=1', 'there is no parameter "force"; allowed here: version'],
  ])('answers 400 to %s', async (query, message) => {
    const { ask } = await setUp();
    expect(await ask('DELETE', `/shop${query}`)).toMatchObject({
      status: 400,
      value: { message: expect.stringContaining(message) },
    });
  });
});

it.each([
  ['PUT', ''],
  ['POST', '/shop'],
  ['GET', '/shop/pause'],
  ['POST', '/shop/stop'],
  ['POST', '/shop/pause/now'],
])('answers 404 to %s …%s, saying what there is', async (method, path) => {
  const { ask } = await setUp();
  expect(await ask(method, path)).toMatchObject({
    status: 404,
    value: {
      message: expect.stringContaining('there is GET and POST /nexus/manage/endpoints, GET, PATCH and DELETE …/{name}'),
    },
  });
});

it('refuses whoever may not manage, and changes nothing', async () => {
  const { ask, registry } = await setUp();
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/shop'],
    ['POST', '/shop/pause'],
    ['DELETE', '/shop'],
  ] as const) {
    expect(await ask(method, path, { reason: 'r' }, 'basic:shop')).toMatchObject({
      status: 403,
      value: { message: expect.stringContaining('"basic:shop" may not manage operations and endpoints') },
    });
  }
  expect(await registry.get('shop')).not.toHaveProperty('override');
});

it('says which parts of the API there are', async () => {
  const { answer } = createManagement({
    mayManage: () => true,
    parts: ['endpoints', 'operations'].map((name) => ({ name, respond: async () => ({}) })),
  });
  const request = { method: 'GET', path: '/nexus/manage/endpoint', query: '', headers: {}, body: new Uint8Array() };
  const response = await answer(request, { principal: 'local' });
  expect(JSON.parse(new TextDecoder().decode(response?.body)).message).toBe(
    'there is no "/nexus/manage/endpoint"; there is /nexus/manage/endpoints and /nexus/manage/operations',
  );
});
