import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EntryProperties, GateProperties } from '../../src/aws/contract.ts';
import type { ReadContract } from '../../src/aws/contract-reader.ts';
import { TableNotFoundError } from '../../src/aws/endpoint-errors.ts';
import { createRegistration } from '../../src/aws/registration.ts';
import type { RegistrationEvent } from '../../src/aws/registration-event.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { ServiceContract } from '../../src/nexus/message.ts';
import type { EndpointRegistry } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { SimulatedStack } from './simulated-stack.ts';

const FUNCTION = 'arn:aws:lambda:eu-west-1:111122223333:function:Shop';

/** Operations of the versions of a handler. */
const VERSIONS: Readonly<Record<string, readonly ServiceContract[]>> = {
  1: [{ name: 'orders', operations: ['place', 'cancel'] }],
  2: [{ name: 'orders', operations: ['place', 'cancel', 'pay'] }],
  3: [{ name: 'orders', operations: ['place'] }],
  4: [{ name: 'orders', operations: ['cancel', 'place'] }],
  5: [],
};

const gate: GateProperties = {
  kind: 'gate',
  tableName: 'T',
  endpoint: 'shop',
  versionArn: `${FUNCTION}:1`,
  allowBreakingChange: 'false',
};

const entry: EntryProperties = {
  ...gate,
  kind: 'entry',
  namespace: 'default',
  taskQueue: 'shop-queue',
  callers: ['basic:shop', 'iam:*'],
  settings: '{"concurrency":10}',
  functionArn: `${FUNCTION}:live`,
};

/** The properties with another version of the handler. */
function version<P extends GateProperties | EntryProperties>(number: number, properties: P): P {
  return { ...properties, versionArn: `${FUNCTION}:${number}` };
}

function setUp() {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(store.db, clock);
  /** What happens to the registry when it is read. */
  const reading: { happens?: () => Promise<unknown> } = {};
  const interrupted: EndpointRegistry = {
    ...registry,
    async get(name) {
      const endpoint = await registry.get(name);
      await reading.happens?.();
      return endpoint;
    },
  };
  const tables = new Map([['T', interrupted]]);
  const { lines, logger: log } = recordingLogger();
  const reader: { read: ReadContract; asked: string[] } = {
    asked: [],
    read: async (versionArn) => VERSIONS[versionArn.replace(`${FUNCTION}:`, '')] ?? [],
  };
  const handler = createRegistration({
    registry(tableName) {
      const table = tables.get(tableName);
      if (table !== undefined) return table;
      const missing = () => Promise.reject(new TableNotFoundError(tableName));
      const all = { get: missing, list: missing, create: missing, update: missing };
      return { ...all, delete: missing, override: missing };
    },
    readContract(versionArn, signal) {
      reader.asked.push(versionArn);
      return reader.read(versionArn, signal);
    },
    log,
  });
  return {
    registry,
    reading,
    tables,
    lines,
    reader,
    handler,
    stack: new SimulatedStack('Shop', handler),
    other: new SimulatedStack('Other', handler),
  };
}

/** What a handler is asked by itself, of stack Shop. */
function event(
  RequestType: RegistrationEvent['RequestType'],
  ResourceProperties: object,
  more: Partial<RegistrationEvent> = {},
): RegistrationEvent {
  return {
    RequestType,
    StackId: 'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop/0000-0',
    LogicalResourceId: 'Entry',
    ResourceProperties: ResourceProperties as RegistrationEvent['ResourceProperties'],
    ...more,
  };
}

const context = { getRemainingTimeInMillis: () => 120_000 };

describe('an entry', () => {
  it('holds what its properties say, and the operations of its handler', async () => {
    const { handler, registry } = setUp();
    expect(await handler(event('Create', entry), context)).toEqual({ PhysicalResourceId: 'entry/T/shop' });
    expect(await registry.get('shop')).toEqual({
      name: 'shop',
      target: { namespace: 'default', taskQueue: 'shop-queue' },
      services: VERSIONS[1],
      callers: ['basic:shop', 'iam:*'],
      functionArn: `${FUNCTION}:live`,
      owner: 'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop#Entry',
      settings: { concurrency: 10 },
      version: 1,
      createdAt: expect.any(Number),
      lastModifiedAt: expect.any(Number),
    });
  });

  it('asks for deduplication where its properties do, and no longer where they do not', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: { ...entry, deduplicate: 'true' } });
    expect(await registry.get('shop')).toMatchObject({ deduplicate: true });
    await stack.deploy({ Entry: { ...entry, deduplicate: 'false' } });
    expect(await registry.get('shop')).not.toHaveProperty('deduplicate');
  });

  it.each([
    ['queued', 'queuedOperations'],
    ['promotable', 'promotableOperations'],
    ['absorbFailures', 'absorbFailures'],
  ])('is not written where %s names an operation that its handler does not have', async (list, shown) => {
    const { handler, registry } = setUp();
    const given = { ...entry, [list]: ['orders/place', 'orders/plaice', 'order/cancel'] };
    await expect(handler(event('Create', given), context)).rejects.toThrow(
      `endpoint "shop": ${shown} names "orders/plaice", "order/cancel", which its handler does not have; it has ` +
        '"orders/place", "orders/cancel"',
    );
    expect(await registry.list()).toEqual([]);
    await handler(event('Create', { ...given, [list]: ['orders/place', 'orders/cancel'] }), context);
    expect(await registry.get('shop')).toMatchObject({ [list]: ['orders/place', 'orders/cancel'] });
  });

  it('keeps the operations of before the last change of them', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    await stack.deploy({ Entry: version(4, entry) });
    expect(await registry.get('shop')).not.toHaveProperty('previousServices');
    await stack.deploy({ Entry: version(2, entry) });
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[2], previousServices: VERSIONS[4] });
    await stack.deploy({ Entry: { ...version(2, entry), taskQueue: 'another' } });
    expect(await registry.get('shop')).toMatchObject({
      target: { taskQueue: 'another' },
      services: VERSIONS[2],
      previousServices: VERSIONS[4],
    });
  });

  it('may go back to the operations of before, and forth', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    await stack.deploy({ Entry: version(2, entry) });
    expect(await stack.deploy({ Entry: version(1, entry) })).toBeUndefined();
    expect(await stack.deploy({ Entry: version(2, entry) })).toBeUndefined();
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[2], previousServices: VERSIONS[1] });
  });

  it('fails where callers would lose operations, since a handler of another stack has no gate', async () => {
    const { stack, registry, lines } = setUp();
    await stack.deploy({ Entry: entry });
    expect(await stack.deploy({ Entry: version(3, entry) })).toBe(
      'endpoint "shop" cannot be served by Shop:3: it no longer has an operation that callers may use: "orders/cancel"; ' +
        'keep what callers use (to them a renamed operation is a removed one), or set allowBreakingChange of the ' +
        'endpoint for this deploy',
    );
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[1] });
    expect(lines).toContainEqual({
      level: 'warn',
      message: 'a handler may not take over its endpoint',
      meta: { endpoint: 'shop', versionArn: `${FUNCTION}:3`, removed: ['orders/cancel'] },
    });
    expect(await stack.deploy({ Entry: { ...version(3, entry), allowBreakingChange: 'true' } })).toBeUndefined();
  });

  it('keeps a description that a person gave, and takes back its own', async () => {
    const { stack, registry } = setUp();
    const describedAs = async () => (await registry.get('shop'))?.description;
    await stack.deploy({ Entry: entry });
    await registry.update({ ...(await registry.get('shop'))!, description: 'by hand' }, 1);
    await stack.deploy({ Entry: version(2, entry) });
    expect(await describedAs()).toBe('by hand');
    await stack.deploy({ Entry: { ...version(2, entry), description: 'by deploy' } });
    expect(await describedAs()).toBe('by deploy');
    await stack.deploy({ Entry: version(2, entry) });
    expect(await describedAs()).toBeUndefined();
    expect(await registry.get('shop')).not.toHaveProperty('description');
  });

  it('leaves what was set at run time, until it is removed itself', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: { ...entry, settings: '{"retryAttempts":9}' } });
    const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'incident 42', at: 1 };
    const override = { settings: { retryAttempts: { value: 2, ...mark } }, paused: mark };
    await registry.override((await registry.get('shop'))!, override);
    await stack.deploy({ Entry: { ...version(2, entry), settings: '{"retryAttempts":7}' } });
    expect(await registry.get('shop')).toMatchObject({
      ...{ services: VERSIONS[2], settings: { retryAttempts: 7 }, version: 2 },
      override: { ...override, version: 1 },
    });
    await stack.deploy({});
    await stack.deploy({ Entry: entry });
    expect(await registry.get('shop')).not.toHaveProperty('override');
  });

  it('is written once more when the request comes again', async () => {
    const { handler, registry } = setUp();
    await handler(event('Create', entry), context);
    await handler(event('Create', version(2, entry)), context);
    await handler(event('Create', version(2, entry)), context);
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[2], previousServices: VERSIONS[1] });
  });

  it('is taken up by a stack of the same name that was made anew', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    stack.forget();
    expect(await stack.deploy({ Entry: version(2, entry) })).toBeUndefined();
    expect(await registry.get('shop')).toMatchObject({ version: 2, services: VERSIONS[2] });
  });

  it('is written over what others wrote in between', async () => {
    const { stack, registry, reading } = setUp();
    await stack.deploy({ Entry: entry });
    let left = 4;
    reading.happens = async () => {
      if (--left < 0) return;
      const { version: stored, ...spec } = (await registry.get('shop'))!;
      await registry.update({ ...spec, description: `change ${left}` }, stored);
    };
    expect(await stack.deploy({ Entry: version(2, entry) })).toBeUndefined();
    expect(await registry.get('shop')).toMatchObject({ description: 'change 0', services: VERSIONS[2], version: 6 });
  });

  it('is written again where somebody removed it in between', async () => {
    const { stack, registry, reading } = setUp();
    await stack.deploy({ Entry: entry });
    reading.happens = async () => {
      reading.happens = async () => {};
      await registry.delete('shop', 1);
    };
    expect(await stack.deploy({ Entry: version(2, entry) })).toBeUndefined();
    expect(await registry.get('shop')).toMatchObject({ version: 1, services: VERSIONS[2] });
  });

  it('is given up where others write all the time', async () => {
    const { stack, registry, reading } = setUp();
    await stack.deploy({ Entry: entry });
    reading.happens = async () => {
      const { version: stored, ...spec } = (await registry.get('shop'))!;
      await registry.update(spec, stored);
    };
    await expect(stack.deploy({ Entry: version(2, entry) })).rejects.toThrow('endpoint "shop" is at version ');
  });

  it('is not written over the one of another stack that came in between', async () => {
    const { stack, other, registry, reading } = setUp();
    reading.happens = async () => {
      reading.happens = async () => {};
      await other.deploy({ Entry: entry });
    };
    expect(await stack.deploy({ Entry: entry })).toMatch(/^endpoint "shop" belongs to arn:.*:stack\/Other /);
    expect(await registry.get('shop')).toMatchObject({ version: 1 });
  });
});

describe('an entry that is another’s', () => {
  it('of another stack is neither changed nor removed, and the message has both ways out', async () => {
    const { stack, other, registry } = setUp();
    await other.deploy({ Theirs: entry });
    const theirs = await registry.get('shop');
    expect(await stack.deploy({ Entry: entry })).toBe(
      'endpoint "shop" belongs to arn:aws:cloudformation:eu-west-1:111122223333:stack/Other (resource Theirs), and this is ' +
        'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop; choose another name, or remove the endpoint from that ' +
        'stack (if that stack is gone, remove the entry "endpoint#shop" of table T) and deploy again',
    );
    expect(await registry.get('shop')).toEqual(theirs);
  });

  it('of a person is neither changed nor removed', async () => {
    const { stack, registry } = setUp();
    const byHand = await registry.create({ name: 'shop', target: { namespace: 'n', taskQueue: 'q' }, services: [] });
    expect(await stack.deploy({ Entry: entry })).toBe(
      'endpoint "shop" exists already and belongs to no stack: somebody wrote the entry "endpoint#shop" of table T by hand, ' +
        'and a deploy leaves it as it is; choose another name, or remove that entry and deploy again',
    );
    expect(await registry.get('shop')).toEqual(byHand);
  });

  it('of another resource of the stack is neither changed nor removed, such as where a construct is renamed', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ OldId: entry });
    const before = await registry.get('shop');
    expect(await stack.deploy({ NewId: entry })).toBe(
      'endpoint "shop" belongs to resource OldId of this stack, and NewId claims it too; give one of the two another name. ' +
        "If the construct was only moved or renamed, keep its ID with overrideLogicalId('OldId'), or take the endpoint out " +
        'in one deploy and put it back in the next',
    );
    expect(await registry.get('shop')).toEqual(before);
  });

  it('whose owner is no stack is named as it is', async () => {
    const { stack, registry } = setUp();
    const target = { namespace: 'n', taskQueue: 'q' };
    await registry.create({ name: 'shop', target, services: [], owner: 'terraform' });
    expect(await stack.deploy({ Entry: entry })).toMatch(/^endpoint "shop" belongs to terraform, and this is arn:/);
  });

  it('is not removed with a resource that once had its name', async () => {
    const { stack, other, registry, lines } = setUp();
    await stack.deploy({ Entry: entry });
    await registry.delete('shop', 1);
    await other.deploy({ Entry: entry });
    await stack.delete();
    expect(await registry.get('shop')).toMatchObject({ owner: expect.stringContaining('/Other#Entry') });
    expect(lines.at(-1)).toMatchObject({
      message: 'no entry is removed',
      meta: { why: expect.stringMatching(/^it belongs to arn:.*\/Other#Entry$/), endpoint: 'shop' },
    });
  });
});

describe('a change of the name', () => {
  const renamed = { ...entry, endpoint: 'store' };

  it('makes the new entry, and removes the old one once the deploy has succeeded', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    await stack.deploy({ Entry: renamed });
    expect((await registry.list()).map(({ name }) => name)).toEqual(['store']);
    expect(stack.resources.get('Entry')?.id).toBe('entry/T/store');
  });

  it('is taken back with the deploy', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    const before = await registry.get('shop');
    expect(await stack.deploy({ Entry: renamed }, { fails: true })).toBe('another resource failed');
    expect(await registry.list()).toEqual([{ ...before, version: 2 }]);
  });

  it('leaves no entry behind where its answer was lost', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    await stack.deploy({ Entry: renamed }, { losesAnswers: ['Entry'] });
    expect((await registry.list()).map(({ name }) => name)).toEqual(['shop']);
  });

  it('is none where only the form of the ID is another than the one that is known', async () => {
    const { handler, registry } = setUp();
    await handler(event('Create', entry), context);
    const update = { PhysicalResourceId: 'former/shop', OldResourceProperties: { ...entry } };
    await handler(event('Update', version(2, entry), update), context);
    expect(await registry.get('shop')).toMatchObject({ version: 2 });
  });

  it('is taken back where the other table cannot be read', async () => {
    const { stack, registry, tables } = setUp();
    await stack.deploy({ Entry: entry });
    const denied = { ...registry, get: () => Promise.reject(new Error('not authorized to perform: dynamodb:Query')) };
    tables.set('U', denied);
    const moved = { ...renamed, tableName: 'U' };
    expect(await stack.deploy({ Entry: moved })).toBe('not authorized to perform: dynamodb:Query');
    expect(await registry.get('shop')).toMatchObject({ version: 2 });
  });
});

describe('the deletion of an entry', () => {
  it('removes it', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Entry: entry });
    await stack.delete();
    expect(await registry.list()).toEqual([]);
  });

  it('asks no handler, and takes properties that no deploy would', async () => {
    const { stack, handler, registry, reader } = setUp();
    await stack.deploy({ Entry: entry });
    reader.asked.length = 0;
    const { kind, tableName, endpoint } = entry;
    const PhysicalResourceId = 'entry/T/shop';
    await handler(event('Delete', { kind, tableName, endpoint }, { PhysicalResourceId }), context);
    expect(await registry.list()).toEqual([]);
    expect(reader.asked).toEqual([]);
  });

  it('succeeds where the entry or its table is gone', async () => {
    const { stack, registry, tables, lines } = setUp();
    await stack.deploy({ Entry: entry, Second: { ...entry, endpoint: 'second' } });
    await registry.delete('shop', 1);
    await stack.deploy({ Second: { ...entry, endpoint: 'second' } });
    tables.delete('T');
    await stack.delete();
    expect(lines.map(({ meta }) => meta)).toMatchObject([{ why: 'it is gone already' }, { why: 'its table is gone' }]);
  });

  it('removes an entry that others change at the same time', async () => {
    const { stack, registry, reading } = setUp();
    await stack.deploy({ Entry: entry });
    reading.happens = async () => {
      reading.happens = async () => {};
      await registry.update((await registry.get('shop'))!, 1);
    };
    await stack.delete();
    expect(await registry.list()).toEqual([]);
  });

  it.each([
    ['an ID of another entry', 'entry/T/other', entry],
    ['the ID of a failed creation', 'AWSCDK::CustomResourceProviderFramework::MISSING_PHYSICAL_ID', entry],
    ['an unknown kind', 'entry/T/shop', { ...entry, kind: 'other' }],
    ['no properties', 'entry/T/shop', {}],
  ])('removes nothing for %s', async (_, PhysicalResourceId, properties) => {
    const { stack, handler, registry, lines } = setUp();
    await stack.deploy({ Entry: entry });
    const answer = await handler(event('Delete', properties, { PhysicalResourceId }), context);
    expect(answer).toEqual({ PhysicalResourceId });
    expect(await registry.get('shop')).toMatchObject({ version: 1 });
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
  });
});

describe('a gate', () => {
  it('lets the first handler pass, and writes nothing', async () => {
    const { handler, registry } = setUp();
    expect(await handler(event('Create', gate), context)).toEqual({ PhysicalResourceId: 'gate/T/shop' });
    expect(await registry.list()).toEqual([]);
  });

  it.each([
    [2, 'false', undefined],
    [3, 'true', undefined],
    [3, 'false', /^endpoint "shop" cannot be served by Shop:3: it no longer has an operation /],
    [5, 'true', /^endpoint "shop" cannot be served by Shop:5: it serves no service; /],
  ] as const)('answers to version %s with allowBreakingChange %s: %s', async (number, allowBreakingChange, reason) => {
    const { stack } = setUp();
    await stack.deploy({ Gate: gate, Entry: entry });
    const answer = await stack.deploy({ Gate: { ...version(number, gate), allowBreakingChange }, Entry: entry });
    if (reason === undefined) expect(answer).toBeUndefined();
    else expect(answer).toMatch(reason);
  });

  it('fails where the name is another stack’s, before its own entry would', async () => {
    const { stack, other } = setUp();
    await other.deploy({ Gate: gate, Entry: entry });
    expect(await stack.deploy({ Gate: gate })).toMatch(/^endpoint "shop" belongs to arn:.*:stack\/Other /);
  });

  it('passes for whichever resource of its stack has the entry', async () => {
    const { stack } = setUp();
    await stack.deploy({ Gate: gate, Entry: entry });
    expect(await stack.deploy({ OtherGate: version(2, gate), Entry: entry })).toBeUndefined();
  });

  it('passes on the way back from a deploy that failed before the entry was written, and after', async () => {
    const { stack, registry } = setUp();
    await stack.deploy({ Gate: gate, Entry: entry });
    const breaking = { allowBreakingChange: 'true' } as const;
    const next = { Gate: { ...version(3, gate), ...breaking }, Entry: { ...version(3, entry), ...breaking } };
    expect(await stack.deploy({ ...next, Entry: entry }, { fails: true })).toBe('another resource failed');
    expect(await stack.deploy(next, { fails: true })).toBe('another resource failed');
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[1] });
    // Nobody ever used what failed: the same change needs the same leave again.
    expect(await stack.deploy({ Gate: version(3, gate), Entry: entry })).toContain('"orders/cancel"');
  });

  it('passes on the way back to a version that does not answer any more, and so does its entry', async () => {
    const { stack, registry, reader, lines } = setUp();
    await stack.deploy({ Gate: gate, Entry: entry });
    const read = reader.read;
    reader.read = async (arn, signal) => {
      if (arn.endsWith(':1')) throw new Error('its secret is gone');
      return read(arn, signal);
    };
    const next = { Gate: version(2, gate), Entry: version(2, entry) };
    expect(await stack.deploy(next, { fails: true })).toBe('another resource failed');
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[1] });
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn' }));
    // Forward, a version that does not answer may not serve; on the way back from it nothing is asked of anybody.
    reader.read = () => Promise.reject(new Error('its secret is gone'));
    expect(await stack.deploy({ Gate: version(2, gate), Entry: entry })).toContain('its secret is gone');
    expect(await stack.deploy({ Gate: gate, Entry: { ...entry, taskQueue: 'other' } })).toBeUndefined();
    expect(await registry.get('shop')).toMatchObject({ services: VERSIONS[1], target: { taskQueue: 'other' } });
  });

  it('is deleted, and taken back, without a look at any entry', async () => {
    const { stack, registry, lines } = setUp();
    await stack.deploy({ Gate: gate, Entry: entry });
    await stack.deploy({ Gate: { ...gate, endpoint: 'store' } }, { losesAnswers: ['Gate'] });
    await stack.deploy({ Entry: entry });
    expect(await registry.get('shop')).toMatchObject({ version: 1 });
    expect(lines).toEqual([]);
  });
});

describe('properties that are wrong', () => {
  it.each([
    [{ kind: 'other' }, 'the property kind of the custom resource is "other"; it takes "gate" or "entry", '],
    [{ kind: undefined }, 'the property kind of the custom resource is missing; '],
    [{ tableName: '' }, 'the property tableName of the custom resource is ""; it takes text, '],
    [{ endpoint: undefined }, 'the property endpoint of the custom resource is missing; it takes text, '],
    [{ endpoint: '1st' }, '"1st" cannot be the name of an endpoint; it takes two to 200 letters, '],
    [{ versionArn: 7 }, 'the property versionArn of the custom resource is 7; it takes text, '],
    [{ functionArn: '' }, 'the property functionArn of the custom resource is ""; '],
    [{ taskQueue: '' }, 'the property taskQueue of the custom resource is ""; '],
    [{ description: {} }, 'the property description of the custom resource is {}; it takes text, '],
    [{ callers: 'iam:*' }, 'the property callers of the custom resource is "iam:*"; it takes a list of texts, '],
    [{ callers: ['basic:*'] }, 'endpoint "shop": "basic:*" is no caller; it takes '],
    [
      { allowBreakingChange: 'yes' },
      'the property allowBreakingChange of the custom resource is "yes"; it takes "true" or ',
    ],
    [{ deduplicate: true }, 'the property deduplicate of the custom resource is true; it takes "true" or "false", '],
    [
      { promotable: 'orders/place' },
      'the property promotable of the custom resource is "orders/place"; it takes a list ',
    ],
    [{ settings: '{' }, 'the property settings of the custom resource is "{"; it takes a JSON object such as '],
    [{ settings: '[]' }, 'the property settings of the custom resource is "[]"; it takes a JSON object such as '],
    [{ settings: 'null' }, 'the property settings of the custom resource is "null"; it takes a JSON object such as '],
    [{ settings: '{"concurrency":"10"}' }, 'endpoint "shop": concurrency is "10"; it takes a whole number from 1 to '],
    [{ settings: '{"speed":1,"burst":2}' }, 'endpoint "shop": there is no setting "speed"; there is '],
  ])('fail the deploy before a handler is asked: %j', async (wrong, reason) => {
    const { handler, reader, registry } = setUp();
    await expect(handler(event('Create', { ...entry, ...wrong }), context)).rejects.toThrow(reason);
    expect(reader.asked).toEqual([]);
    expect(await registry.list()).toEqual([]);
  });
});

describe('the reason of a failure', () => {
  it('is one line that fits into CloudFormation’s 4 KB with its stack trace', async () => {
    const { handler, reader } = setUp();
    reader.read = () => Promise.reject(new Error(`first\n  second\r\n${'語'.repeat(2_000)}`));
    const failure = await handler(event('Create', entry), context).catch((error: Error) => error.message);
    expect(failure).toMatch(/^first second 語+…$/);
    expect(Buffer.byteLength(failure as string)).toBeLessThan(1_510);
  });

  it('is logged whole, with what failed', async () => {
    const { handler, reader, lines } = setUp();
    const error = new Error('down');
    reader.read = () => Promise.reject(error);
    await expect(handler(event('Update', gate), context)).rejects.toThrow('down');
    const meta = { request: 'Update', logicalId: 'Entry', properties: gate, error };
    expect(lines).toEqual([{ level: 'error', message: 'the registration failed', meta }]);
  });

  it('comes five seconds before the end of the function, while there is time for it', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { handler, reader, registry } = setUp();
    reader.read = (_, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    let failure: string | undefined;
    handler(event('Create', entry), context).catch((error: Error) => {
      failure = error.message;
    });
    await vi.advanceTimersByTimeAsync(114_999);
    expect(failure).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(failure).toBe('the 115000 ms for this step of the deploy are over');
    expect(await registry.list()).toEqual([]);
  });

  it('is that the time is over, where a write would come after it', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { handler, registry, reading } = setUp();
    reading.happens = async () => void vi.advanceTimersByTime(115_000);
    await expect(handler(event('Create', entry), context)).rejects.toThrow('the 115000 ms for this step of ');
    expect(await registry.list()).toEqual([]);
  });

  it('leaves no timer behind', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { handler } = setUp();
    await handler(event('Create', entry), context);
    expect(vi.getTimerCount()).toBe(0);
  });
});
