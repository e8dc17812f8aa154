import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import { RecordTooLargeError } from '../../src/operations/errors.ts';
import { createOutlived } from '../../src/operations/outlived.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import { promoted } from '../../src/operations/promotion.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { type AttemptResult, leaseExpired } from '../../src/operations/transitions.ts';
import { unseenCrash } from '../../src/operations/unseen-crash.ts';
import { NOW, newRecord, tokenOf } from '../contract/operation-records.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const CALLBACK = { url: 'http://127.0.0.1/', headers: {} };
const CLAIM = { leaseUntil: NOW + 60_000, invocation: 'i-1', logStream: 'log' };
const succeeded = (text: string): AttemptResult => ({
  kind: 'ended',
  outcome: { state: 'succeeded', payload: { data: text }, links: [], at: NOW },
});
const FAILED: AttemptResult = { kind: 'failed', retryable: true, message: 'no', failure: { message: 'no' } };
const REFUSED: AttemptResult = { ...FAILED, retryable: false };
const HANDED_OVER: AttemptResult = { kind: 'handed-over', token: 'inner', links: [] };

function setUp(faults: Partial<OperationStore> = {}) {
  const database = openEphemeralStore();
  onTestFinished(() => database.close());
  const real = createSqliteOperationStore(database.db);
  const calls: string[] = [];
  const noted = <A extends unknown[], R>(name: string, call: (...args: A) => R) => {
    return (...args: A) => {
      calls.push(name);
      return call(...args);
    };
  };
  const store: OperationStore = {
    ...real,
    create: noted('create', real.create),
    get: noted('get', real.get),
    update: noted('update', real.update),
    ...faults,
  };
  /** From now on there is no room for an outcome that succeeded. */
  const limit = () => {
    const fits = ({ outcome }: OperationRecord) => outcome?.state !== 'succeeded';
    const tooLarge = () => Promise.reject(new RecordTooLargeError(2, 1));
    store.create = (record, now) => (fits(record) ? real.create(record, now) : tooLarge());
    store.update = (read, next) => (fits(next) ? real.update(read, next) : tooLarge());
  };
  const sent: string[] = [];
  const outlived = createOutlived({
    ...{ store, clock: { now: () => NOW + 1_000 }, random: () => 0, cancelInner: async () => {} },
    taskQueue: {
      send: async (_, { attempt }, delayMs) => void sent.push(`wake ${attempt} in ${delayMs}`),
      deadLetter: async () => {},
    },
    completionQueue: { send: async () => void sent.push('complete') },
    logger: recordingLogger().logger,
  });
  const accepted = newRecord({ callback: CALLBACK });
  /** As the router does at its deadline. */
  const promote = async (record: OperationRecord = accepted) => {
    const given = promoted(record, { leaseUntil: NOW + 910_000, now: NOW }).record;
    expect(await real.create(given, NOW)).toBeUndefined();
    return given;
  };
  const all = async () => (await real.list({}, { limit: 10 })).records;
  return { ...outlived, store: real, sent, accepted, promote, all, limit, calls };
}

describe('what came of a handler that nobody was promised anything of', () => {
  it('is kept as the outcome of a direct start, without a completion, under a token that nobody has', async () => {
    const { settle, accepted, all, sent } = setUp();
    expect(await settle(accepted, succeeded('tea'))).toEqual({});
    const [record, ...others] = await all();
    expect(others).toEqual([]);
    expect(record).toMatchObject({ state: 'ended', answeredAt: NOW + 1_000, outcome: { state: 'succeeded' } });
    for (const member of ['completion', 'callback', 'dueAt', 'claim']) expect(record).not.toHaveProperty(member);
    expect(record?.token).not.toBe(accepted.token);
    expect(sent).toEqual([]);
  });

  it('is kept where it is a failure for good, and a token of its own', async () => {
    const refused = setUp();
    expect(await refused.settle(refused.accepted, REFUSED)).toEqual({});
    expect(await refused.all()).toMatchObject([{ state: 'ended', outcome: { state: 'failed' } }]);
    const handedOver = setUp();
    expect(await handedOver.settle(handedOver.accepted, HANDED_OVER)).toEqual({});
    expect(await handedOver.all()).toMatchObject([{ state: 'handed-over', innerToken: 'inner' }]);
  });

  it('is not kept where its caller is to try again', async () => {
    const { settle, accepted, all } = setUp();
    expect(await settle(accepted, FAILED)).toEqual({});
    expect(await settle(accepted, { kind: 'crashed' })).toEqual({});
    expect(await all()).toEqual([]);
  });

  it('is the answer where it is too large to be kept', async () => {
    const { settle, accepted } = setUp({ create: () => Promise.reject(new RecordTooLargeError(2, 1)) });
    expect(await settle(accepted, succeeded('tea'))).toEqual({});
  });

  it('is unknown where the store does not answer', async () => {
    const { settle, accepted } = setUp({ create: () => Promise.reject(new Error('down')) });
    await expect(settle(accepted, succeeded('tea'))).rejects.toThrow('down');
  });
});

describe('what came of a handler that was promoted', () => {
  it('ends its operation, and its completion is sent', async () => {
    const { settle, accepted, promote, all, sent } = setUp();
    await promote();
    const { told, record } = await settle(accepted, succeeded('tea'));
    expect(told).toEqual({ kind: 'token', token: accepted.token });
    expect(record).toMatchObject({ state: 'ended', completion: { state: 'pending' }, promotedAt: NOW });
    expect(await all()).toEqual([record]);
    expect(sent).toEqual(['complete']);
  });

  it('is tried again from the queue where it may be', async () => {
    const { settle, accepted, promote, sent } = setUp();
    await promote();
    const { record } = await settle(accepted, FAILED);
    expect(record).toMatchObject({ state: 'queued', attempt: 2, lastFailure: { attempt: 1, message: 'no' } });
    expect(sent).toEqual(['wake 2 in 1000']);
  });

  it('is dropped where its lease had ended, and another attempt is to be made', async () => {
    const { settle, accepted, promote, store, all } = setUp();
    const given = await promote();
    const expired = leaseExpired(given, { now: NOW + 920_000, random: 0 }).record;
    await store.update(given, expired);
    expect(await settle(accepted, succeeded('tea'))).toEqual({ told: { kind: 'token', token: accepted.token } });
    expect(await all()).toEqual([expired]);
  });

  it('fails the operation where there is no room for it', async () => {
    const { settle, accepted, promote, limit } = setUp();
    await promote();
    limit();
    const { record } = await settle(accepted, succeeded('tea'));
    expect(record?.outcome).toMatchObject({
      state: 'failed',
      failure: { message: expect.stringContaining('the result cannot be kept') },
    });
  });
});

it.each(['where it saw that it was promoted', 'where it did not'])(
  'crashes unseen, since it was accepted: %s',
  async (how) => {
    const { look, accepted, promote } = setUp();
    const given = await promote({ ...accepted, acceptedAt: NOW - 28_000 });
    const seen = how === 'where it did not' ? given : await look(accepted, CLAIM);
    const { record } = leaseExpired(seen!, { now: NOW + 920_000, random: 0 });
    expect(unseenCrash(record)).toEqual({
      since: NOW - 28_000,
      message: expect.stringContaining('attempt 1 never ended'),
    });
  },
);

describe('what came of a handler that saw that it was promoted', () => {
  it('ends its operation with one write', async () => {
    const { look, settle, accepted, promote, calls, all } = setUp();
    await promote();
    const seen = await look(accepted, CLAIM);
    calls.length = 0;
    const { record } = await settle(accepted, succeeded('tea'), seen);
    expect(calls).toEqual(['update']);
    expect(await all()).toEqual([record]);
    expect(record).toMatchObject({ state: 'ended', completion: { state: 'pending' } });
  });

  it('ends it as it is now, where somebody has written since', async () => {
    const { look, settle, accepted, promote, store } = setUp();
    await promote();
    const seen = (await look(accepted, CLAIM))!;
    await store.update(seen, cancelRequested(seen, { now: NOW })!.record);
    const { record } = await settle(accepted, FAILED, seen);
    expect(record).toMatchObject({ state: 'ended', outcome: { state: 'canceled' } });
  });
});

describe('what came of a repeat of a start', () => {
  const repeatOf = (record: OperationRecord) => ({ ...record, token: tokenOf(record.key) });

  it.each([succeeded('coffee'), FAILED])(
    'leaves the operation of the first alone, and tells its token',
    async (result) => {
      const { settle, accepted, promote, all, sent } = setUp();
      const first = await promote();
      const told = result.kind === 'ended' ? { told: { kind: 'token', token: accepted.token } } : {};
      expect(await settle(repeatOf(accepted), result)).toEqual(told);
      expect(await all()).toEqual([first]);
      expect(sent).toEqual([]);
    },
  );

  it('is what the first one had as its outcome', async () => {
    const { settle, accepted } = setUp();
    await settle(accepted, succeeded('tea'));
    const { told } = await settle(repeatOf(accepted), succeeded('coffee'));
    expect(told).toMatchObject({ kind: 'outcome', outcome: { payload: { data: 'tea' } } });
  });

  it("is the handler's own token where the first one had that", async () => {
    const { settle, accepted } = setUp();
    await settle(accepted, HANDED_OVER);
    expect(await settle(repeatOf(accepted), succeeded('coffee'))).toEqual({ told: { kind: 'token', token: 'inner' } });
  });
});

describe('a look', () => {
  it('finds nothing where nobody was promised anything', async () => {
    const { look, accepted, all } = setUp();
    expect(await look(accepted, CLAIM)).toBeUndefined();
    expect(await all()).toEqual([]);
  });

  it('says where it runs and until when, once, and sends the wake-up for then', async () => {
    const { look, accepted, promote, all, sent } = setUp();
    await promote();
    const seen = await look(accepted, CLAIM);
    expect(await look(accepted, { ...CLAIM, invocation: 'another' })).toEqual(seen);
    expect(await all()).toEqual([seen]);
    expect(await all()).toMatchObject([{ state: 'claimed', claim: { attempt: 1, ...CLAIM }, dueAt: NOW + 65_000 }]);
    expect(sent).toEqual(['wake 1 in 59000']);
  });

  it('finds a cancel', async () => {
    const { look, accepted, promote, store } = setUp();
    const given = await promote();
    await store.update(given, cancelRequested(given, { now: NOW })!.record);
    expect(await look(accepted, CLAIM)).toMatchObject({ cancelRequestedAt: NOW });
  });
});
