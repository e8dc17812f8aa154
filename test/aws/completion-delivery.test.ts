import type { RequestListener } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCompletionDelivery } from '../../src/aws/completion-delivery.ts';
import { formatCompletionMessage } from '../../src/aws/queue-messages.ts';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import { COMPLETION_ALARM, createCompletionAlarms } from '../../src/operations/completion-alarms.ts';
import { createHandWork } from '../../src/operations/hand-work.ts';
import { keepSecrets, SECRET_READ_SPACING_MS } from '../../src/operations/kept-secrets.ts';
import { createOperations } from '../../src/operations/operations.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { NOW, newRecord } from '../contract/operation-records.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { createNetwork, openCallback } from '../operations/callback-server.ts';
import { recordedQueues } from '../operations/recorded-queues.ts';

const ORIGIN = 'http://10.0.0.5:7243';
const SECRET = 'arn:aws:secretsmanager:eu-west-1:111111111111:secret:temporal';
const SHOP: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  allowedCallbacks: [
    { origin: ORIGIN, allowPrivateAddresses: true, allowInsecure: true, authorization: { secretArn: SECRET } },
  ],
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

/** What delivers completions, on an embedded store, to a callback that answers what the test says. */
async function setUp(answer: RequestListener = (_, response) => response.end()) {
  const callback = await openCallback(answer);
  onTestFinished(() => callback.close());
  const { deps, clock, sent } = recordedQueues();
  clock.nowMs = NOW;
  const { lines, logger } = recordingLogger();
  const operations = createOperations(deps);
  const world = { endpoint: async (): Promise<Endpoint | undefined> => SHOP, secret: 'Bearer one', reads: 0 };
  const take = createCompletionDelivery({
    ...{ operations, store: deps.store, logger },
    endpoints: { get: () => world.endpoint() },
    poster: {
      connect: createNetwork(callback.port).connect,
      readSecret: keepSecrets({
        async read() {
          world.reads++;
          return world.secret;
        },
        clock,
      }),
    },
    alarm: createCompletionAlarms({ logger, clock }),
  });
  return {
    ...{ world, callback, clock, sent, lines, operations },
    deliver: (body: string) => take({ body, attributes: { ApproximateReceiveCount: '1' } }),
    handWork: createHandWork(deps),
    /** An operation that has ended, as it is stored. */
    async ended(): Promise<OperationRecord> {
      const record = newRecord({ callback: { url: `${ORIGIN}/nexus/callback`, headers: {} } });
      await deps.store.create(record, NOW);
      const { record: ended } = cancelRequested(record, { now: NOW })!;
      await deps.store.update(record, ended);
      return ended;
    },
    completionOf: async ({ token }: OperationRecord) => (await deps.store.get(token))?.completion,
  };
}

const messageOf = (record: OperationRecord) => formatCompletionMessage('operations', record);

describe('a completion', () => {
  it('is delivered from the message alone, and from its token where the record did not fit', async () => {
    const { deliver, ended, completionOf, callback } = await setUp();
    const [one, two] = [await ended(), await ended()];
    await deliver(messageOf(one));
    await deliver(JSON.stringify({ nexusCompletion: 1, table: 'operations', token: two.token }));
    for (const record of [one, two]) expect(await completionOf(record)).toMatchObject({ state: 'delivered' });
    expect(callback.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer one']);
  });

  it('of no operation is said to be that, and gone', async () => {
    const { deliver, lines } = await setUp();
    await deliver(JSON.stringify({ nexusCompletion: 1, table: 'operations', token: newRecord().token }));
    expect(lines).toMatchObject([{ level: 'warn', message: 'a completion is of no operation' }]);
  });

  it('is left alone for the time that the callback asks for, an hour at most', async () => {
    const asked = ['120', '86400'];
    const { deliver, ended, completionOf, sent } = await setUp((_, response) => {
      response.writeHead(503, { 'retry-after': asked.shift() }).end();
    });
    for (const ms of [120_000, 3_600_000]) {
      const record = await ended();
      await deliver(messageOf(record));
      expect(await completionOf(record)).toMatchObject({ state: 'pending', attempts: 1, nextAttemptAt: NOW + ms });
    }
    expect(sent.map(({ delayMs }) => delayMs)).toEqual([120_000, 900_000]);
  });

  it('that is refused with 401 waits with an error in the log', async () => {
    const { deliver, ended, completionOf, lines } = await setUp((_, response) => response.writeHead(401).end());
    const record = await ended();
    await deliver(messageOf(record));
    expect(await completionOf(record)).toMatchObject({ state: 'pending', lastFailure: `${ORIGIN} answered 401` });
    expect(lines).toMatchObject([
      { level: 'error', message: COMPLETION_ALARM, meta: { endpoint: 'shop', callback: ORIGIN, token: record.token } },
    ]);
  });

  it('that is answered 400 is kept with the reason, which the log has, and is sent again by a redrive', async () => {
    let status = 400;
    const { deliver, ended, completionOf, lines, handWork, sent } = await setUp((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"message":"result exceeds size limit"}');
    });
    const record = await ended();
    await deliver(messageOf(record));
    const reason = `${ORIGIN} answered 400: "result exceeds size limit"`;
    expect(await completionOf(record)).toMatchObject({ state: 'dead-lettered', attempts: 1, lastFailure: reason });
    expect(lines).toMatchObject([{ level: 'error', meta: { endpoint: 'shop', token: record.token, reason } }]);
    // One that comes late, or twice, is not sent.
    await deliver(JSON.stringify({ nexusCompletion: 1, table: 'operations', token: record.token }));
    expect(await completionOf(record)).toMatchObject({ attempts: 1 });
    status = 200;
    const redriven = await handWork.redrive(record.token);
    expect(sent.at(-1)).toEqual({ kind: 'complete', token: record.token, delayMs: 0 });
    await deliver(messageOf(redriven.kind === 'done' ? redriven.record : expect.unreachable(redriven.kind)));
    expect(await completionOf(record)).toMatchObject({ state: 'delivered', attempts: 2 });
  });
});

describe('where a completion cannot be sent at all', () => {
  const REGISTRY_DOWN = async () => {
    throw new Error('throttled');
  };
  const GONE = async () => undefined;
  const UNREADABLE = async () => ({ ...SHOP, allowedCallbacks: [{ origin: 'https://temporal.example.com/path' }] });

  it.each<[string, () => Promise<Endpoint | undefined>, string]>([
    ['the registry is down', REGISTRY_DOWN, 'endpoint "shop" could not be read: throttled'],
    ['the entry is of another version', UNREADABLE, 'endpoint "shop" could not be read: allowedCallbacks[0].origin'],
    ['the endpoint is gone', GONE, 'endpoint "shop" is gone, and with it what says where its completions may go'],
  ])('since %s, its record says so, and it goes on with the backoff of any other', async (_, endpoint, failure) => {
    const { deliver, ended, completionOf, world, callback, clock, sent, lines, operations } = await setUp();
    const record = await ended();
    world.endpoint = endpoint;
    await deliver(messageOf(record));
    const lastFailure = expect.stringContaining(failure);
    expect(await completionOf(record)).toMatchObject({ state: 'pending', attempts: 1, lastFailure });
    expect(sent).toEqual([{ kind: 'complete', token: record.token, delayMs: 1_000 }]);
    expect(callback.connections()).toBe(0);
    expect(lines).toHaveLength(1);
    // Its message is lost; the reconciler sends another.
    world.endpoint = async () => SHOP;
    clock.nowMs += 3_600_000;
    expect(await operations.reconcile(10)).toBe(1);
    expect(sent).toHaveLength(2);
    await deliver(JSON.stringify({ nexusCompletion: 1, table: 'operations', token: record.token }));
    expect(await completionOf(record)).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  it('an endpoint that is gone is an alarm', async () => {
    const { deliver, ended, world, lines } = await setUp();
    world.endpoint = GONE;
    await deliver(messageOf(await ended()));
    const mend = 'deploy endpoint "shop" again, with its allowedCallbacks';
    expect(lines).toMatchObject([{ level: 'error', message: COMPLETION_ALARM, meta: { mend } }]);
  });

  it('since a message is of somebody else, the message comes again', async () => {
    await expect((await setUp()).deliver('hello')).rejects.toThrow('a message that nexus-lambda did not send');
  });
});

describe('the secret of an authorization', () => {
  it('is read once for all versions of an endpoint, and again where it is refused', async () => {
    let good = 'Bearer one';
    const { deliver, ended, completionOf, world, clock, callback } = await setUp((request, response) => {
      response.writeHead(request.headers.authorization === good ? 200 : 401).end();
    });
    for (const version of [1, 2, 3]) {
      world.endpoint = async () => ({ ...SHOP, version });
      await deliver(messageOf(await ended()));
    }
    expect(world.reads).toBe(1);
    good = world.secret = 'Bearer two';
    clock.nowMs += SECRET_READ_SPACING_MS;
    const record = await ended();
    await deliver(messageOf(record));
    expect(await completionOf(record)).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(world.reads).toBe(2);
    expect(callback.received.map(({ headers }) => headers.authorization).slice(3)).toEqual([
      'Bearer one',
      'Bearer two',
    ]);
  });
});
