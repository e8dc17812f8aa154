import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import { RecordTooLargeError } from '../../src/operations/errors.ts';
import { createOperations, type OperationsDeps } from '../../src/operations/operations.ts';
import type { OperationStore, TaskQueue } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';
import { CLAIM, NOW, newRecord } from '../contract/operation-records.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { SUCCESS } from './delivery-arbitraries.ts';

const CALLBACK = { callback: { url: 'http://127.0.0.1/callback', headers: {} } };
const FAILED: AttemptResult = {
  kind: 'failed',
  retryable: true,
  message: 'no stock',
  failure: { message: 'no stock' },
};
const WAKE = [{ kind: 'wake', attempt: 1, delayMs: 0 }] as const;

type Faults = Partial<Pick<OperationsDeps, 'cancelInner'>> & {
  readonly store?: Partial<OperationStore>;
  readonly taskQueue?: Partial<TaskQueue>;
};

/** Operations on a real store, with queues that only keep what they are sent. */
function setUp({ store: storeFaults, taskQueue: taskQueueFaults, ...faults }: Faults = {}) {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  const store = createSqliteOperationStore(database.db);
  const clock = { time: NOW, now: () => clock.time };
  const sent: string[] = [];
  const { lines, logger } = recordingLogger();
  const operations = createOperations({
    store: { ...store, ...storeFaults },
    taskQueue: {
      send: async (_, { attempt }, delayMs) => void sent.push(`wake ${attempt} in ${delayMs}`),
      mayHold: async () => false,
      deadLetter: async (_, __, reason) => void sent.push(`dead letter: ${reason}`),
      ...taskQueueFaults,
    },
    completionQueue: { send: async (_, delayMs) => void sent.push(`complete in ${delayMs}`) },
    clock,
    random: () => 0,
    cancelInner: async (_, innerToken) => void sent.push(`cancel ${innerToken}`),
    logger,
    ...faults,
  });
  const accept = async (members: Parameters<typeof newRecord>[0] = {}) => {
    const record = newRecord(members);
    await operations.accept({ record, effects: WAKE });
    return record;
  };
  const wake = ({ token }: OperationRecord, attempt: number, run: AttemptResult | (() => Promise<AttemptResult>)) =>
    operations.wake(
      { token, attempt },
      { claim: { ...CLAIM, leaseUntil: clock.time + 60_000 }, run: typeof run === 'function' ? run : async () => run },
    );
  return { store, operations, clock, sent, lines, accept, wake };
}

describe('a start', () => {
  it('is accepted once it is stored, even where its wake-up cannot be sent', async () => {
    const failing = async () => Promise.reject(new Error('throttled'));
    const { operations, store, lines } = setUp({ taskQueue: { send: failing } });
    const record = newRecord();
    expect(await operations.accept({ record, effects: WAKE })).toStrictEqual(record);
    expect(await store.get(record.token)).toStrictEqual(record);
    expect(lines).toMatchObject([{ level: 'warn', message: 'wake of an operation is left to the reconciler' }]);
  });

  it('that is repeated gets the first token, and another wake-up where the first may be lost', async () => {
    const { operations, accept, wake, sent, clock } = setUp();
    const record = await accept();
    const repeated = newRecord({ key: record.key });
    const repeat = async () => (await operations.accept({ record: repeated, effects: WAKE })).token;
    expect(await repeat()).toBe(record.token);
    expect(sent.splice(0)).toEqual(['wake 1 in 0', 'wake 1 in 0']);

    await wake(record, 1, FAILED);
    expect(sent.splice(0)).toEqual(['wake 2 in 1000']);
    expect(await repeat()).toBe(record.token);
    expect(sent).toEqual([]);
    clock.time += 1_000;
    expect(await repeat()).toBe(record.token);
    expect(sent.splice(0)).toEqual(['wake 2 in 0']);
    await wake(record, 2, SUCCESS(NOW));
    expect(await repeat()).toBe(record.token);
    expect(sent).toEqual([]);
  });
});

describe('an attempt that is not let through', () => {
  it('waits until it may be, and is the same attempt then', async () => {
    const { operations, accept, store, wake, sent, clock } = setUp();
    const { token } = await accept();
    sent.splice(0);
    await operations.defer({ token, attempt: 1 }, NOW + 75_000);
    expect(sent.splice(0)).toEqual(['wake 1 in 75000']);
    expect(await store.get(token)).toMatchObject({ state: 'queued', attempt: 1, nextAttemptAt: NOW + 75_000 });
    clock.time += 75_000;
    expect((await wake({ token } as OperationRecord, 1, SUCCESS(NOW)))?.state).toBe('ended');
  });

  it('is left alone where its message is of an attempt before', async () => {
    const { operations, accept, store, wake, sent } = setUp();
    const record = await accept();
    await wake(record, 1, FAILED);
    sent.splice(0);
    const waiting = await store.get(record.token);
    await operations.defer({ token: record.token, attempt: 1 }, NOW + 75_000);
    expect(await store.get(record.token)).toStrictEqual(waiting);
    expect(sent).toEqual([]);
  });

  it('goes on to its time where that is later: its message may be the only one on the way there', async () => {
    const { operations, accept, store, wake, sent } = setUp();
    const record = await accept();
    await wake(record, 1, FAILED);
    sent.splice(0);
    const waiting = await store.get(record.token);
    await operations.defer({ token: record.token, attempt: 2 }, NOW + 1);
    expect(await store.get(record.token)).toStrictEqual(waiting);
    expect(sent).toEqual(['wake 2 in 1000']);
  });

  it('ends where its time is over, or it was canceled, instead of waiting', async () => {
    const { operations, accept, store, clock } = setUp();
    const { token } = await accept({ expiresAt: NOW + 1_000 });
    clock.time += 1_000;
    await operations.defer({ token, attempt: 1 }, clock.time + 75_000);
    expect((await store.get(token))?.outcome?.state).toBe('failed');
  });
});

describe('a wake-up', () => {
  it('returns the record as the attempt left it', async () => {
    const { accept, wake, store } = setUp();
    const record = await accept(CALLBACK);
    expect(await wake(record, 1, FAILED)).toStrictEqual(await store.get(record.token));
    expect(await wake(record, 1, FAILED)).toBeUndefined();
  });

  it('runs the handler once where two come at once', async () => {
    const { accept, wake } = setUp();
    const record = await accept();
    const run = vi.fn(async () => SUCCESS(NOW));
    const left = await Promise.all([wake(record, 1, run), wake(record, 1, run)]);
    expect(run).toHaveBeenCalledTimes(1);
    expect(left.filter((one) => one !== undefined)).toHaveLength(1);
  });

  it('of an operation whose record is gone does nothing', async () => {
    const { wake, sent } = setUp();
    expect(await wake(newRecord(), 1, SUCCESS(NOW))).toBeUndefined();
    expect(sent).toEqual([]);
  });

  it('fails, and so comes again, where somebody wrote between its claim and its look', async () => {
    const { accept, wake } = setUp({ store: { claim: async () => undefined } });
    const record = await accept();
    await expect(wake(record, 1, SUCCESS(NOW))).rejects.toThrow('could not be claimed');
  });

  it('writes over nothing that came between its look and its write', async () => {
    const { store, accept, wake, clock, operations } = setUp({
      store: {
        get: async (token) => {
          const read = await store.get(token);
          // The caller cancels at this very moment, the first time.
          const canceled = read && cancelRequested(read, { now: clock.time });
          if (canceled) await store.update(read, canceled.record);
          return read;
        },
      },
    });
    const record = await accept({ expiresAt: NOW + 1_000 });
    clock.time += 1_000;
    await wake(record, 1, SUCCESS(NOW));
    expect((await store.get(record.token))?.outcome?.state).toBe('canceled');
    expect(await operations.reconcile(1)).toBe(0);
  });

  it('drops the result of an attempt that was given up meanwhile, and says so', async () => {
    const { accept, wake, clock, operations, store, lines } = setUp();
    const record = await accept();
    const late = await wake(record, 1, async () => {
      clock.time += 120_000;
      await operations.reconcile(1);
      return SUCCESS(clock.time);
    });
    expect(late).toBeUndefined();
    expect(await store.get(record.token)).toMatchObject({ state: 'queued', attempt: 2, crashes: 1 });
    expect(lines.map(({ message }) => message)).toContain('an attempt ended after its lease: its result is dropped');
  });
});

describe('a cancel', () => {
  it('tells an attempt in this process at once', async () => {
    const { accept, operations } = setUp();
    const record = await accept();
    let signal: AbortSignal | undefined;
    const claim = { leaseUntil: NOW + 60_000, invocation: 'i' };
    const left = await operations.wake(
      { token: record.token, attempt: 1 },
      {
        claim,
        async run(_, canceled) {
          signal = canceled;
          expect(canceled.aborted).toBe(false);
          await operations.cancel(record);
          expect(canceled.aborted).toBe(true);
          return FAILED;
        },
      },
    );
    expect(signal?.reason).toMatchObject({ name: 'AbortError', message: 'the operation was canceled' });
    expect(left?.outcome?.state).toBe('canceled');
  });

  it('tells an attempt in another process within some seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { accept, operations, store } = setUp();
    const record = await accept();
    const left = await operations.wake(
      { token: record.token, attempt: 1 },
      {
        claim: { leaseUntil: NOW + 60_000, invocation: 'i' },
        async run(claimed, canceled) {
          await vi.advanceTimersByTimeAsync(5_000);
          expect(canceled.aborted).toBe(false);
          await store.update(claimed, cancelRequested(claimed, { now: NOW })!.record);
          await vi.advanceTimersByTimeAsync(5_000);
          expect(canceled.aborted).toBe(true);
          return { kind: 'handed-over', token: 'inner', links: [] };
        },
      },
    );
    expect(vi.getTimerCount()).toBe(0);
    expect(left).toMatchObject({ state: 'handed-over', cancelForward: 'pending' });
  });

  it('is forwarded once, and again where that failed', async () => {
    let fails = true;
    const forwarded: string[] = [];
    const { accept, wake, operations, clock, store } = setUp({
      async cancelInner(_, innerToken) {
        forwarded.push(innerToken);
        if (fails) throw new Error('the module does not load');
      },
    });
    const record = await accept(CALLBACK);
    await wake(record, 1, { kind: 'handed-over', token: 'inner', links: [] });
    await operations.cancel(record);
    expect(await store.get(record.token)).toMatchObject({ state: 'handed-over', cancelForward: 'pending' });
    fails = false;
    clock.time += 60_000;
    expect(await operations.reconcile(10)).toBe(1);
    expect(await store.get(record.token)).toMatchObject({ state: 'handed-over', cancelForward: 'done' });
    clock.time += 1e9;
    await operations.cancel(record);
    expect(await operations.reconcile(10)).toBe(0);
    expect(forwarded).toEqual(['inner', 'inner']);
  });
});

describe('a completion', () => {
  const POSTED = async () => ({ kind: 'delivered' }) as const;

  it('goes to the callback of the start, and is written down as delivered', async () => {
    const { accept, wake, operations } = setUp();
    const record = await accept(CALLBACK);
    await wake(record, 1, SUCCESS(NOW));
    const post = vi.fn(POSTED);
    expect(await operations.complete(record.token, post)).toMatchObject({ completion: { state: 'delivered' } });
    expect(post).toHaveBeenCalledWith(CALLBACK.callback.url, {
      headers: expect.objectContaining({ 'nexus-operation-token': record.token, 'nexus-operation-state': 'succeeded' }),
      body: expect.anything(),
    });
    expect(await operations.complete(record.token, post)).toBeUndefined();
    expect(post).toHaveBeenCalledTimes(1);
  });

  it('that has to wait is sent on, 900 s at most', async () => {
    const { accept, wake, operations, clock, sent } = setUp();
    const record = await accept(CALLBACK);
    let ended = await wake(record, 1, SUCCESS(NOW));
    for (let failures = 0; failures < 12; failures++) {
      clock.time = ended?.completion?.nextAttemptAt ?? 0;
      ended = await operations.complete(record.token, async () => ({ kind: 'retry', message: '503' }));
    }
    sent.length = 0;
    const post = vi.fn(POSTED);
    expect(await operations.complete(record.token, post)).toBeUndefined();
    clock.time += 2_000_000;
    expect(await operations.complete(record.token, post)).toBeUndefined();
    expect(sent).toEqual(['complete in 900000', 'complete in 48000']);
    expect(post).not.toHaveBeenCalled();
  });

  it('that cannot be written, ever, is dead-lettered with the reason', async () => {
    const { accept, wake, operations } = setUp();
    const record = await accept({ callback: { ...CALLBACK.callback, headers: { token: 'two\nlines' } } });
    await wake(record, 1, SUCCESS(NOW));
    const post = vi.fn(POSTED);
    expect(await operations.complete(record.token, post)).toMatchObject({
      completion: { state: 'dead-lettered', lastFailure: expect.stringContaining('header "token" cannot be sent') },
    });
    expect(post).not.toHaveBeenCalled();
  });
});

describe('the reconciler', () => {
  /** Operations whose time has come, of which those that are named so cannot be written; and how often each was tried. */
  async function overdue(count: number, isBroken: (name: string) => boolean) {
    const tried: string[] = [];
    const set = setUp({
      store: {
        update: async (read, next) => {
          tried.push(read.requestId);
          if (isBroken(read.requestId)) throw new Error('the disk is full');
          return set.store.update(read, next);
        },
      },
    });
    for (let n = 0; n < count; n++) await set.accept({ requestId: `${n}`, acceptedAt: NOW + n });
    set.sent.length = 0;
    set.clock.time += 60_000 + count;
    return { ...set, tried };
  }

  it('does not wake what waits in a queue that nobody empties, for the first quarter of an hour', async () => {
    const { operations, accept, clock, sent } = setUp({ taskQueue: { mayHold: async () => true } });
    await accept();
    const woken: number[] = [];
    for (let minute = 1; minute <= 64; minute++) {
      sent.length = 0;
      clock.time = NOW + minute * 60_000;
      await operations.reconcile(10);
      if (sent.length > 0) woken.push(minute);
    }
    expect(woken).toEqual([15, 31, 63]);
  });

  it('wakes what waits where its queue is empty, or cannot be asked', async () => {
    for (const mayHold of [async () => false, async () => Promise.reject(new Error('access denied'))]) {
      const { operations, accept, clock, sent } = setUp({ taskQueue: { mayHold } });
      await accept();
      sent.length = 0;
      clock.time = NOW + 60_000;
      expect(await operations.reconcile(10)).toBe(1);
      expect(sent).toEqual(['wake 1 in 0']);
    }
  });

  it('looks after the others where one cannot be written', async () => {
    const { operations, sent, lines } = await overdue(2, (name) => name === '0');
    expect(await operations.reconcile(10)).toBe(1);
    expect(sent).toEqual(['wake 1 in 0']);
    expect(lines.at(-1)).toMatchObject({ level: 'warn', message: 'an operation is looked after the next time' });
  });

  it.each([
    ['one', (name: string) => name === '0'],
    ['more than a page of them, in the first place,', (name: string) => Number(name) < 25],
    ['every other one', (name: string) => Number(name) % 2 === 0],
    ['each', () => true],
  ])(
    'tries each once in a round where %s cannot be written, and tries these again in the next',
    async (_, isBroken) => {
      const { operations, tried } = await overdue(60, isBroken);
      const names = Array.from({ length: 60 }, (_, n) => `${n}`);
      const broken = names.filter(isBroken);
      expect(await operations.reconcile(10)).toBe(60 - broken.length);
      expect(tried).toEqual(names);
      expect(await operations.reconcile(10)).toBe(0);
      expect(tried.slice(60)).toEqual(broken);
    },
  );

  it('reaches what waits where the index of due ones still has what was looked after', async () => {
    const stale: { due?: readonly string[] } = {};
    const { operations, store, accept, clock, sent } = setUp({
      store: {
        async due(now, limit) {
          stale.due ??= await store.due(now, 1_000);
          return stale.due.slice(0, limit);
        },
      },
    });
    for (let n = 0; n < 30; n++) await accept({ acceptedAt: NOW + n });
    sent.length = 0;
    clock.time += 61_000;
    expect(await operations.reconcile(10)).toBe(30);
    expect(sent).toHaveLength(30);
  });

  it('ends its round where there is no time for another one', async () => {
    const { operations, tried } = await overdue(30, () => false);
    expect(await operations.reconcile(10, () => tried.length < 15)).toBe(15);
    expect(await operations.reconcile(10)).toBe(15);
  });
});

describe('a result that the store has no room for', () => {
  it('ends the operation as failed, and its caller is told why, since it would be as large the next time', async () => {
    const inner: { store?: OperationStore } = {};
    const { store, accept, wake, sent } = setUp({
      store: {
        async update(read, next) {
          if (next.outcome?.state === 'succeeded') throw new RecordTooLargeError(500_000, 409_600);
          return (inner.store as OperationStore).update(read, next);
        },
      },
    });
    inner.store = store;
    const record = await accept(CALLBACK);
    await wake(record, 1, SUCCESS(NOW));
    expect(await store.get(record.token)).toMatchObject({
      state: 'ended',
      crashes: 0,
      outcome: { state: 'failed', failure: { message: expect.stringContaining('takes 500000 bytes') } },
    });
    expect(sent.at(-1)).toBe('complete in 0');
  });
});
