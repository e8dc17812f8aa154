import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { acceptStart } from '../../src/operations/accept-start.ts';
import type { CompletionResult } from '../../src/operations/completion-transitions.ts';
import { createOperations } from '../../src/operations/operations.ts';
import { DEFAULT_RETRY_POLICY, retryDelayMs } from '../../src/operations/retry-policy.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { SUCCESS } from './delivery-arbitraries.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const BEGIN = Date.UTC(2026, 0, 1);
const FAILED: AttemptResult = {
  kind: 'failed',
  retryable: true,
  message: 'no stock',
  failure: { message: 'no stock' },
};

/** An operation on a real store with a moved clock: messages arrive when their delay is over, and the reconciler looks every hour. */
function setUp({ operationTimeoutMs }: { readonly operationTimeoutMs?: number } = {}) {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  const store = createSqliteOperationStore(database.db);
  let now = BEGIN;
  let messages: { readonly at: number; readonly handle: () => Promise<unknown> }[] = [];
  const delays: number[] = [];
  let chance = 0;

  const send = (handle: () => Promise<unknown>, delayMs: number) => {
    delays.push(delayMs);
    messages.push({ at: now + delayMs, handle });
  };
  const world = {
    store,
    delays,
    result: (_attempt: number): AttemptResult => FAILED,
    posted: (): CompletionResult => ({ kind: 'retry', message: '503' }),
    attempts: [] as number[],
    posts: [] as number[],
    get now() {
      return now - BEGIN;
    },
    start() {
      const start = {
        ...({ kind: 'start', service: 'orders', operation: 'place', requestId: 'r1', operationTimeoutMs } as const),
        ...{ headers: {}, callbackHeaders: {}, links: [], failureSupport: true },
        payload: { metadata: {}, data: new Uint8Array() },
      };
      const given = {
        ...{ principal: 'local', endpoint: 'shop', namespace: 'default', taskQueue: 'shop', start },
        request: { headers: {}, query: '', body: new Uint8Array() },
        callback: { url: 'http://127.0.0.1/callback', headers: {} },
        policy: DEFAULT_RETRY_POLICY,
      };
      return operations.accept(acceptStart(given, now));
    },
    /** Lets time pass; `hourly` is done at each full hour, as the reconciler's work is. */
    async pass(ms: number, hourly: () => Promise<unknown> = async () => {}) {
      for (const end = now + ms; now < end; ) {
        const nextHour = BEGIN + (Math.floor((now - BEGIN) / HOUR) + 1) * HOUR;
        const next = Math.min(end, nextHour, ...messages.map(({ at }) => at));
        now = Math.max(now, next);
        const arrived = messages.filter(({ at }) => at <= now);
        messages = messages.filter(({ at }) => at > now);
        for (const { handle } of arrived) await handle();
        if (now !== nextHour) continue;
        await operations.reconcile(10);
        await hourly();
        await store.forget(now, 10);
      }
    },
  };
  const operations = createOperations({
    store,
    taskQueue: {
      send: async (_, message, delayMs) =>
        send(
          () =>
            operations.wake(message, {
              claim: { leaseUntil: now + 900 * SECOND, invocation: 'i' },
              async run({ attempt }) {
                world.attempts.push(now - BEGIN);
                return world.result(attempt);
              },
            }),
          delayMs,
        ),
      mayHold: async () => false,
      deadLetter: async () => {},
    },
    completionQueue: {
      send: async ({ token }, delayMs) =>
        send(
          () =>
            operations.complete(token, async () => {
              world.posts.push(now - BEGIN);
              return world.posted();
            }),
          delayMs,
        ),
    },
    clock: { now: () => now },
    // The ends of what jitter may be, and what is between them.
    random: () => [0, 1, 0.3][chance++ % 3]!,
    cancelInner: async () => {},
    logger: recordingLogger().logger,
  });
  return world;
}

/** What is between each and the one before it. */
function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - times[index]!);
}

describe('an operation whose handler fails for sixty days', () => {
  it('is tried again and again, no sooner and no later than its delays say, in hops of 900 s at most', async () => {
    const world = setUp();
    await world.start();
    await world.pass(59 * DAY);
    expect(world.attempts.length).toBeGreaterThan(59 * 24);
    for (const [index, gap] of gaps(world.attempts).entries()) {
      expect(gap).toBeLessThanOrEqual(retryDelayMs(index + 1, DEFAULT_RETRY_POLICY, 0));
      expect(gap).toBeGreaterThanOrEqual(retryDelayMs(index + 1, DEFAULT_RETRY_POLICY, 1));
    }
    expect(Math.max(...world.delays)).toBe(900 * SECOND);
    // An hour is four hops: nothing wakes it in between.
    expect(world.delays.length).toBeLessThanOrEqual(world.attempts.length * 4 + 1);
  });

  it('gives a caller that starts it every hour the same token to the end, and a new one once it is forgotten', async () => {
    const world = setUp();
    const { token } = await world.start();
    let repeats = 0;
    await world.pass(61 * DAY - 1, async () => {
      expect((await world.start()).token).toBe(token);
      repeats++;
    });
    expect(repeats).toBe(61 * 24 - 1);
    await world.pass(1);
    const again = await world.start();
    expect(again.token).not.toBe(token);
    expect(again).toMatchObject({ state: 'queued', attempt: 1, acceptedAt: BEGIN + 61 * DAY });
    expect(await world.store.get(token)).toBeUndefined();
  });

  it('ends then, and tells its callback so until it is forgotten', async () => {
    const world = setUp();
    const { token } = await world.start();
    await world.pass(60 * DAY + 1);
    expect(await world.store.get(token)).toMatchObject({
      state: 'ended',
      outcome: {
        state: 'failed',
        failure: {
          message: 'the operation was not done when its time was over; the last attempt failed: no stock',
          timeoutFailureInfo: {},
        },
      },
    });
    const { length } = world.attempts;
    await world.pass(2 * DAY);
    expect(world.attempts).toHaveLength(length);
    expect(world.posts[0]).toBe(60 * DAY);
    for (const [index, gap] of gaps(world.posts).entries()) {
      expect(gap).toBeLessThanOrEqual(retryDelayMs(index + 1, DEFAULT_RETRY_POLICY, 0));
      expect(gap).toBeGreaterThanOrEqual(retryDelayMs(index + 1, DEFAULT_RETRY_POLICY, 1));
    }
    expect(world.posts.at(-1)).toBeGreaterThan(61 * DAY - HOUR);
    expect(world.posts.at(-1)).toBeLessThan(61 * DAY);
    expect(await world.store.get(token)).toBeUndefined();
  });

  it('has its result delivered where it succeeds at last', async () => {
    const world = setUp();
    const { token } = await world.start();
    await world.pass(40 * DAY);
    world.result = () => SUCCESS(BEGIN);
    await world.pass(2 * HOUR);
    world.posted = () => ({ kind: 'delivered' });
    await world.pass(2 * HOUR);
    const { length } = world.posts;
    expect(await world.store.get(token)).toMatchObject({
      outcome: { state: 'succeeded' },
      completion: { state: 'delivered', attempts: length },
    });
    await world.pass(10 * DAY);
    expect(world.posts).toHaveLength(length);
  });
});

it.each([
  ['in whole milliseconds', 90 * SECOND],
  ["in Go's fractions of them, as Temporal up to 1.30 sends them", 89_999.123_456],
])('ends an operation at its own timeout, %s, and keeps it a day longer', async (_, operationTimeoutMs) => {
  const world = setUp({ operationTimeoutMs });
  const { token } = await world.start();
  await world.pass(HOUR);
  expect(world.attempts.length).toBeGreaterThanOrEqual(6);
  expect(world.attempts.at(-1)).toBeLessThan(90 * SECOND);
  const record = await world.store.get(token);
  expect(record).toMatchObject({ outcome: { state: 'failed', failure: { timeoutFailureInfo: {} } } });
  expect(record?.retainUntil).toBe(BEGIN + 90 * SECOND + DAY);
  await world.pass(DAY);
  expect(await world.store.get(token)).toBeUndefined();
});
