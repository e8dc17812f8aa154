import { describe, expect, it } from 'vitest';
import { UnreadableEndpointError } from '../../src/aws/endpoint-errors.ts';
import type { EventSourceMappings } from '../../src/aws/event-source-mappings.ts';
import { createTaskQueueReconciler } from '../../src/aws/task-queue-reconciler.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/111111111111/shop';
const MAPPING = '6f9bba54-9a4d-4b4c-b0ad-54ac1f7bbf4e';
const LONG_AGO = Date.UTC(2025, 0, 1);

function endpoint(name: string, { pausedAt = 0, queue = QUEUE } = {}): Endpoint {
  const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'the database moves', at: pausedAt };
  return {
    ...{ name, target: { namespace: 'default', taskQueue: 'shop' }, services: [] },
    ...{ version: 1, createdAt: 0, lastModifiedAt: 0 },
    queues: { task: queue, deadLetter: `${QUEUE}-dead`, completion: `${QUEUE}-completion` },
    ...(pausedAt > 0 && { override: { settings: {}, paused: mark, version: 1 } }),
  };
}

const paused = (name: string, queue = QUEUE) => endpoint(name, { pausedAt: LONG_AGO, queue });

type State = Awaited<ReturnType<EventSourceMappings['state']>>;

/** A task queue with these endpoints, whose rule names some of them, by default all. */
function setUp(
  stored: readonly Endpoint[],
  { state = 'enabled', names = stored.map(({ name }) => name) }: { state?: State | 'none'; names?: string[] } = {},
) {
  const { lines, logger } = recordingLogger();
  const world = {
    stored,
    state: state === 'none' ? undefined : (state as State),
    /** Whether it can be set, and nobody was faster. */
    isSet: true,
    /** What fails instead of being answered. */
    failing: {} as Partial<Record<'get' | 'list' | 'state' | 'setEnabled', Error>>,
    calls: [] as string[],
  };
  const calls = (name: 'get' | 'list' | 'state' | 'setEnabled', text: string) => {
    world.calls.push(text);
    if (world.failing[name]) throw world.failing[name];
  };
  const reconcile = createTaskQueueReconciler({
    registry: {
      async get(name) {
        calls('get', `get ${name}`);
        return world.stored.find((one) => one.name === name);
      },
      async list() {
        calls('list', 'list');
        return [...world.stored];
      },
    },
    mappings: {
      async state(id) {
        calls('state', `state ${id}`);
        return world.state;
      },
      async setEnabled(id, enabled) {
        calls('setEnabled', `set ${id} ${enabled}`);
        if (!world.isSet) return false;
        world.state = enabled ? 'enabled' : 'disabled';
        return true;
      },
    },
    clock: new ManualClock(),
    logger,
  });
  return { world, lines, round: () => reconcile({ queue: QUEUE, eventSourceMapping: MAPPING, endpoints: names }) };
}

const switches = (calls: readonly string[]) => calls.filter((call) => call.startsWith('set'));

describe('a task queue all of whose endpoints are closed for long', () => {
  it('is switched off once, and its log says which, why, and how to undo it', async () => {
    const { world, lines, round } = setUp([paused('shop'), paused('bank')]);
    expect(await round()).toEqual({ mapping: 'disabled' });
    expect(await round()).toEqual({ mapping: 'kept' });
    expect(switches(world.calls)).toEqual([`set ${MAPPING} false`]);
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'a task queue is not read, since all of its endpoints are closed',
        meta: {
          queue: QUEUE,
          eventSourceMapping: MAPPING,
          why: '"shop" is paused: the database moves; "bank" is paused: the database moves',
          undo: expect.stringContaining('endpoint resume --name NAME'),
        },
      },
    ]);
  });

  it('is switched on as soon as one of them is served, or gone: what waits of that one is run', async () => {
    for (const stored of [[endpoint('shop'), paused('bank')], [paused('shop'), endpoint('bank')], [paused('bank')]]) {
      const { world, lines, round } = setUp(stored, { state: 'disabled', names: ['shop', 'bank'] });
      expect(await round()).toEqual({ mapping: 'enabled' });
      expect(await round()).toEqual({ mapping: 'kept' });
      expect(switches(world.calls)).toEqual([`set ${MAPPING} true`]);
      expect(lines).toMatchObject([{ level: 'info', message: 'a task queue is read again' }]);
    }
  });

  it('stays on for one that somebody made at run time, which the rule does not name, and that is served', async () => {
    const deployed = paused('shop');
    const made = endpoint('made');
    const { world, round } = setUp([deployed, made], { names: ['shop'] });
    expect(await round()).toEqual({ mapping: 'kept' });
    world.stored = [deployed, paused('made')];
    expect(await round()).toEqual({ mapping: 'disabled' });
    world.stored = [deployed, made];
    expect(await round()).toEqual({ mapping: 'enabled' });
  });

  it('is not kept on by an endpoint of another queue', async () => {
    const other = endpoint('other', { queue: `${QUEUE}-other` });
    expect(await setUp([paused('shop'), other], { names: ['shop'] }).round()).toEqual({ mapping: 'disabled' });
  });

  it('counts one that queues nothing any more, whose entry names no queue', async () => {
    const { queues: _, ...drained } = endpoint('drained');
    expect(await setUp([paused('shop'), drained]).round()).toEqual({ mapping: 'kept' });
  });
});

describe('a task queue with an endpoint that is served', () => {
  it('takes one read of the mapping and one of that endpoint, and no look at all of them', async () => {
    const { world, lines, round } = setUp([endpoint('shop'), paused('bank')]);
    expect(await round()).toEqual({ mapping: 'kept' });
    expect(world.calls).toEqual([`state ${MAPPING}`, 'get shop']);
    expect(lines).toEqual([]);
  });

  it('is switched on again where somebody disabled its mapping by hand, and they read what to do instead', async () => {
    const { lines, round } = setUp([endpoint('shop')], { state: 'disabled' });
    expect(await round()).toEqual({ mapping: 'enabled' });
    expect(lines).toMatchObject([
      { meta: { why: '"shop" is served', hint: expect.stringContaining('endpoint pause --name NAME has it wait') } },
    ]);
  });
});

describe('a mapping', () => {
  it('that changes is left to the next round, whether that is seen before it is set or then', async () => {
    const { world, round } = setUp([paused('shop')], { state: 'changing' });
    expect(await round()).toEqual({ mapping: 'changing' });
    expect(world.calls).toEqual([`state ${MAPPING}`]);

    const raced = setUp([paused('shop')]);
    raced.world.isSet = false;
    expect(await raced.round()).toEqual({ mapping: 'changing' });
    expect(raced.lines).toEqual([]);
  });

  it('that is gone is said, and is no failure', async () => {
    const { lines, round } = setUp([paused('shop')], { state: 'none' });
    expect(await round()).toEqual({ mapping: 'gone' });
    expect(lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('is gone') }]);
  });

  it.each(['state', 'setEnabled'] as const)(
    'fails the round where %s does: somebody has to mend that',
    async (call) => {
      const { world, round } = setUp([paused('shop')]);
      world.failing = { [call]: new Error('not authorized') };
      await expect(round()).rejects.toThrow('not authorized');
    },
  );
});

describe('where the registry cannot be read', () => {
  it.each(['get', 'list'] as const)('by %s, a queue is left as it is, on or off, and that is said', async (call) => {
    for (const state of ['enabled', 'disabled'] as const) {
      const { world, lines, round } = setUp([paused('shop')], { state });
      const error = new Error('no route to DynamoDB');
      world.failing = { [call]: error };
      expect(await round()).toEqual({ mapping: 'unknown' });
      expect(switches(world.calls)).toEqual([]);
      expect(lines).toMatchObject([{ level: 'warn', meta: { queue: QUEUE, state, error } }]);
    }
  });

  it.each(['get', 'list'] as const)(
    'for an item that %s cannot read, the queue is read, until it is mended',
    async (call) => {
      const { world, round } = setUp([paused('shop')], { state: 'disabled' });
      world.failing = { [call]: new UnreadableEndpointError('the item is no endpoint') };
      expect(await round()).toEqual({ mapping: 'enabled' });
      expect(await round()).toEqual({ mapping: 'kept' });
    },
  );
});
