import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LambdaHttpResult, NexusInvocation } from '../../src/handler/invocation.ts';
import { createLocalOperations, type LocalOperationsDeps } from '../../src/local/local-operations.ts';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { COMPLETION_ALARM } from '../../src/operations/completion-alarms.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { DeliveryResult, HeldSlot } from '../../src/router/gate.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import type { Promotion } from '../../src/router/promotion.ts';
import { newRecord } from '../contract/operation-records.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { openCallback } from '../operations/callback-server.ts';

const patience = { timeout: 10_000, interval: 5 } as const;
const RESULT: LambdaHttpResult = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };
const TARGET = { namespace: 'default', taskQueue: 'shop' };
const SHOP: Endpoint = {
  name: 'shop',
  target: TARGET,
  services: [],
  queued: ['orders/place', 'orders/poison', 'orders/slow'],
  settings: { retryInitialMs: 1, retryMaxMs: 1, poisonAttempts: 3 },
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

/** The place of a data folder: processes that follow each other have it. */
function openFolder() {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  return database.db;
}

interface Given extends Partial<LocalOperationsDeps> {
  /** Runs one attempt, by the operation's name. */
  readonly run?: (operation: string, invocation: NexusInvocation, canceled?: AbortSignal) => Promise<LambdaHttpResult>;
}

/** A process whose handlers are the test's. */
function openProcess({ run = async () => RESULT, db = openFolder(), ...given }: Given = {}) {
  const { lines, logger } = recordingLogger();
  const runs: string[] = [];
  const local = createLocalOperations({
    db,
    registry: { get: async () => SHOP },
    invoker: {
      async invoke(_, invocation, _waitMs, canceled) {
        const operation = invocation.request.path.split('/')[2] ?? '';
        runs.push(operation);
        return run(operation, invocation, canceled);
      },
    },
    emit: () => {},
    limits: createSqliteLimitStore(db),
    gate: { admit: async () => ({ kind: 'admitted', ended: async () => {} }) },
    target: TARGET,
    clock: Date,
    logger,
    ...given,
  });
  onTestFinished(async () => void (await local.close()));
  const accept = async (operation: string, { query = '', endpoint = SHOP } = {}) => {
    const request = { method: 'POST', path: `/orders/${operation}`, query, body: new Uint8Array() };
    const headers = { prefer: 'respond-async' };
    const answer = await local.durable.answer(endpoint, { ...request, headers }, { principal: 'local' });
    return (JSON.parse(new TextDecoder().decode(answer?.body)) as { token: string }).token;
  };
  const stateOf = async (token: string) => (await local.store.get(token))?.state;
  return { ...local, accept, stateOf, runs, lines };
}

/** A start whose caller gets a token after 30 ms. */
function promote(promotion: Promotion, endpoint: Endpoint, slot?: HeldSlot) {
  const headers = { prefer: 'respond-async' };
  const request = { method: 'POST', path: '/orders/place', query: '', headers, body: new Uint8Array() };
  const invocation: NexusInvocation = {
    ...{ nexusInvocation: 1, endpoint: 'shop', principal: 'local', timeoutMs: 30 },
    request: { ...request, body: '' },
  };
  const caller = { principal: 'local' };
  return promotion.deliver(endpoint, { request, caller, invocation, waitMs: 30, ...(slot && { slot }) });
}

/** A callback that takes all it gets. */
async function startCallback() {
  const callback = await openCallback((_, response) => response.end());
  onTestFinished(() => callback.close());
  return { ...callback, query: `callback=${encodeURIComponent(`http://127.0.0.1:${callback.port}/`)}` };
}

describe('operations of the dev server', () => {
  it('wait until handlers are served, without an attempt, and then run: the oldest first', async () => {
    const { start, serve, accept, stateOf, store, runs } = openProcess();
    await start();
    const tokens = [await accept('slow'), await accept('place')];
    await setTimeout(5);
    tokens.push(await accept('poison'));
    expect(runs).toEqual([]);
    expect(await serve()).toBe(3);
    for (const token of tokens) await expect.poll(() => stateOf(token), patience).toBe('ended');
    expect(runs).toHaveLength(3);
    expect(runs[2]).toBe('poison');
    for (const token of tokens) expect(await store.get(token)).toMatchObject({ attempt: 1 });
    const later = await accept('place');
    await expect.poll(() => stateOf(later), patience).toBe('ended');
    expect(await serve()).toBe(0);
  });

  it('wait where another task queue is theirs than the one that is served', async () => {
    const { serve, accept, runs, stateOf } = openProcess();
    const bank = { ...SHOP, name: 'bank', target: { ...TARGET, taskQueue: 'bank' } };
    const before = await accept('place', { endpoint: bank });
    expect(await serve()).toBe(0);
    const after = await accept('place', { endpoint: bank });
    const other = await accept('place');
    await expect.poll(() => stateOf(other), patience).toBe('ended');
    expect([await stateOf(before), await stateOf(after)]).toEqual(['queued', 'queued']);
    expect(runs).toHaveLength(1);
  });

  it('all go on once their process was killed, each once, and those that ran count no crash', async () => {
    const db = openFolder();
    const killed = openProcess({ db, run: () => new Promise(() => {}), patienceMs: 0 });
    await killed.serve();
    const tokens = await Promise.all(Array.from({ length: 150 }, () => killed.accept('place')));
    await expect.poll(async () => (await killed.store.count({})).counts.claimed, patience).toBe(100);
    const { start, serve, store, runs } = openProcess({ db });
    await start();
    expect((await store.count({})).counts).toMatchObject({ queued: 150, claimed: 0 });
    expect(await serve()).toBe(150);
    await expect.poll(async () => (await store.count({})).counts.ended, patience).toBe(150);
    expect(runs).toHaveLength(150);
    for (const token of tokens) expect(await store.get(token)).toMatchObject({ attempt: 1, crashes: 0 });
  });

  it('whose completions were not sent have them sent once, before any handler is served', async () => {
    const { query, received } = await startCallback();
    const db = openFolder();
    const killed = openProcess({
      db,
      run: async (operation) => (operation === 'slow' ? new Promise(() => {}) : RESULT),
      patienceMs: 0,
    });
    await killed.serve();
    const canceled = await killed.accept('slow', { query });
    await expect.poll(() => killed.stateOf(canceled), patience).toBe('claimed');
    await killed.operations.cancel((await killed.store.get(canceled))!);
    await killed.close();
    // It ends, and its completion is not sent any more.
    const ended = await killed.accept('place', { query });
    await killed.operations.wake(
      { token: ended, attempt: 1 },
      {
        claim: { leaseUntil: Date.now() + 1_000, invocation: 'i' },
        run: async () => ({ kind: 'ended', outcome: { state: 'succeeded', payload: {}, links: [], at: Date.now() } }),
      },
    );
    const { start, store } = openProcess({ db });
    await start();
    const delivered = async () => (await store.list({ completion: 'delivered' }, { limit: 10 })).records.length;
    await expect.poll(delivered, patience).toBe(2);
    expect(received.map(({ headers }) => headers['nexus-operation-state']).sort()).toEqual(['canceled', 'succeeded']);
  });

  it('are not blamed for one that crashes while they run', async () => {
    const underWay = new Set<(error: Error) => void>();
    const { serve, accept, store } = openProcess({
      run: (operation) =>
        new Promise((resolve, reject) => {
          underWay.add(reject);
          const end = operation === 'poison' ? crash : () => resolve(RESULT);
          void setTimeout(operation === 'poison' ? 2 : 20).then(end);
        }),
    });
    /** The environment ends, and all that runs in it. */
    const crash = () => {
      for (const reject of underWay) reject(new InvokeError('crashed', 'the environment ended'));
      underWay.clear();
    };
    await serve();
    const poison = await accept('poison');
    const innocent = await Promise.all(Array.from({ length: 5 }, () => accept('slow')));
    await expect.poll(async () => (await store.get(poison))?.state, patience).toBe('dead-lettered');
    await expect.poll(async () => (await store.count({})).counts.ended, patience).toBe(5);
    for (const token of innocent) {
      expect(await store.get(token)).toMatchObject({ outcome: { state: 'succeeded' }, crashes: 1 });
    }
    expect((await store.get(poison))?.crashes).toBe(3);
  });

  it('say nothing about their handler where they were told to stop', async () => {
    const results: DeliveryResult[] = [];
    const { serve, accept, stateOf, operations, store } = openProcess({
      gate: { admit: async () => ({ kind: 'admitted', ended: async (result) => void results.push(result) }) },
      run: (_operation, _invocation, canceled) =>
        new Promise((_, reject) => canceled?.addEventListener('abort', () => reject(canceled.reason))),
    });
    await serve();
    const token = await accept('slow');
    await expect.poll(() => stateOf(token), patience).toBe('claimed');
    await operations.cancel((await store.get(token))!);
    await expect.poll(() => stateOf(token), patience).toBe('ended');
    await expect.poll(() => results, patience).toEqual([{ kind: 'unjudged' }]);
  });

  it('that crash count once towards the circuit, as they are seen; a promoted one with the attempt after it', async () => {
    const told: string[] = [];
    const endpoint = { ...SHOP, promotable: ['orders/place'], settings: { retryInitialMs: 1, retryMaxMs: 1 } };
    const ends: (() => Promise<LambdaHttpResult>)[] = [];
    const { serve, accept, stateOf, promotion } = openProcess({
      registry: { get: async () => endpoint },
      gate: {
        admit: async () => ({
          kind: 'admitted',
          crashed: async ({ message }) => void told.push(message),
          async ended({ kind }) {
            if (kind !== 'not-reached') told.push(kind); // a message that came early
          },
        }),
      },
      run: async () => ends.shift()?.() ?? RESULT,
    });
    const crash = async () => Promise.reject(new InvokeError('crashed', 'the environment ended'));
    await serve();
    ends.push(crash);
    const queued = await accept('slow');
    await expect.poll(() => stateOf(queued), patience).toBe('ended');
    await expect.poll(() => told, patience).toEqual(['failed', 'succeeded']);
    ends.push(async () => setTimeout(60).then(crash));
    const delivered = await promote(promotion, endpoint);
    const { token } = JSON.parse(new TextDecoder().decode(delivered?.response.body)) as { token: string };
    await expect.poll(() => stateOf(token), patience).toBe('ended');
    const [, , ...later] = told;
    expect(later).toEqual([expect.stringMatching(/^attempt 1 never ended/), 'succeeded']);
  });

  it('that are promoted keep their slot of a concurrency limit until they end', async () => {
    const db = openFolder();
    const limits = createSqliteLimitStore(db);
    const lease = { part: 'shop#slots#0', slot: 0, holder: 'one' };
    const end = Promise.withResolvers<LambdaHttpResult>();
    const { serve, promotion } = openProcess({ db, limits, run: () => end.promise });
    await serve();
    await limits.takeSlot(lease, { now: Date.now(), until: Date.now() + 35_000 });
    let left = 0;
    const slot = { lease, leave: () => void left++ };
    const delivered = await promote(promotion, { ...SHOP, promotable: ['orders/place'] }, slot);
    expect(delivered).toMatchObject({ handler: 'goes on', response: { status: 201 } });
    expect(left).toBe(1);
    const held = () => limits.heldSlots('shop#slots#0', Date.now() + 60_000);
    expect(await held()).toEqual(new Set([0]));
    end.resolve(RESULT);
    await expect.poll(held, patience).toEqual(new Set());
    expect(await limits.heldSlots('shop#slots#0', Date.now())).toEqual(new Set());
  });

  it('whose wake-up was lost are found by the reconciler, which looks every minute', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let time = Date.now();
    const { start, serve, store, stateOf } = openProcess({ clock: { now: () => time } });
    await start();
    await serve();
    const record = newRecord({ acceptedAt: time, retainUntil: time + 1e9 });
    await store.create(record, time);
    time += 60_000;
    await vi.advanceTimersByTimeAsync(60_000);
    await expect.poll(() => stateOf(record.token), patience).toBe('ended');
  });

  it('fail, and are tried again, where the invoker has no answer; they are told of as they go on', async () => {
    const { query } = await startCallback();
    const told: string[] = [];
    const problems: Error[] = [new InvokeError('module', 'it does not load'), new TypeError('a bug')];
    const { serve, accept, stateOf, store } = openProcess({
      async run() {
        const problem = problems.shift();
        if (problem) throw problem;
        return RESULT;
      },
      events: {
        attempted: ({ attempt, state, lastFailure }) => told.push(`${attempt} ${state} ${lastFailure?.message}`),
        completed: ({ completion }) => told.push(`completion ${completion?.state}`),
      },
    });
    await serve();
    const token = await accept('place', { query });
    await expect.poll(async () => (await store.get(token))?.completion?.state, patience).toBe('delivered');
    expect(await stateOf(token)).toBe('ended');
    expect(told).toEqual(['2 queued it does not load', '3 queued a bug', '3 ended a bug', 'completion delivered']);
  });
});

describe('a completion that its callback refuses', () => {
  it('is said with what to mend, once for all that wait for that', async () => {
    const callback = await openCallback((_, response) => response.writeHead(401).end());
    onTestFinished(() => callback.close());
    const { serve, accept, store, lines } = openProcess();
    await serve();
    const origin = `http://127.0.0.1:${callback.port}`;
    for (let count = 0; count < 2; count++) {
      const token = await accept('place', { query: `callback=${encodeURIComponent(origin)}` });
      await expect.poll(async () => (await store.get(token))?.completion?.attempts, patience).toBe(1);
    }
    expect(lines).toMatchObject([
      { level: 'error', message: COMPLETION_ALARM, meta: { callback: origin, reason: `${origin} answered 401` } },
    ]);
  });
});

describe('the end of the dev server', () => {
  it('waits for the attempts that run, says so, makes no others, and sends the completions', async () => {
    const { query, received } = await startCallback();
    const gate = Promise.withResolvers<void>();
    const told: unknown[] = [];
    const { serve, accept, stateOf, close, runs } = openProcess({
      run: async () => gate.promise.then(() => RESULT),
      events: { waitingFor: (running, ms) => told.push([running.map(({ start }) => start.operation), ms]) },
      patienceMs: 5_000,
    });
    await serve();
    const token = await accept('slow', { query });
    await expect.poll(() => stateOf(token), patience).toBe('claimed');
    const closing = close();
    const another = await accept('place', { query });
    await expect.poll(() => told, patience).toEqual([[['slow'], 5_000]]);
    gate.resolve();
    expect(await closing).toBe(true);
    expect([await stateOf(token), await stateOf(another)]).toEqual(['ended', 'queued']);
    expect(runs).toEqual(['slow']);
    expect(received).toHaveLength(1);
  });

  it('does not wait for ever', async () => {
    const { serve, accept, stateOf, close } = openProcess({ run: () => new Promise(() => {}), patienceMs: 10 });
    await serve();
    const token = await accept('slow');
    await expect.poll(() => stateOf(token), patience).toBe('claimed');
    expect(await close()).toBe(false);
  });
});
