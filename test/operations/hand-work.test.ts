import { describe, expect, it } from 'vitest';
import { createHandWork } from '../../src/operations/hand-work.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { attemptEnded, leaseExpired, received } from '../../src/operations/transitions.ts';
import { endedRecord, NOW, newRecord, tokenOf } from '../contract/operation-records.ts';
import { recordedQueues } from './recorded-queues.ts';

const MOMENT = { now: NOW, random: 0 };
const CALLBACK = { callback: { url: 'http://127.0.0.1/callback', headers: {} } };

function claimed(): OperationRecord {
  const claim = { leaseUntil: NOW + 900_000, invocation: 'i' };
  const arrived = received(newRecord(), { ...MOMENT, attempt: 1, claim });
  if (arrived.kind !== 'run') throw new Error(arrived.kind);
  return arrived.transition.record;
}

const failure = { kind: 'failed', message: 'down', retryable: true, failure: {} } as const;
const QUEUED = attemptEnded(claimed(), { ...MOMENT, attempt: 1, result: failure })!.record;
const CLAIMED = claimed();
const DEAD_LETTERED = leaseExpired({ ...claimed(), crashes: 100 }, MOMENT).record;
const HANDED_OVER = attemptEnded(claimed(), {
  ...MOMENT,
  attempt: 1,
  result: { kind: 'handed-over', token: 'workflow', links: [] },
})!.record;
const POLLED = endedRecord(newRecord());
const DELIVERED = endedRecord(newRecord(CALLBACK));
const REFUSED = endedRecord(newRecord(CALLBACK), { kind: 'refused', message: '404' });
const UNDELIVERED = endedRecord(newRecord(CALLBACK), { kind: 'dead-lettered', message: '400' });
const PENDING = endedRecord(newRecord(CALLBACK), { kind: 'retry', message: '503' });

/** Hand work on a store that holds this record. */
async function setUp(record: OperationRecord) {
  const { deps, clock, sent } = recordedQueues();
  await deps.store.create(record, NOW);
  return { deps, clock, sent, handWork: createHandWork(deps) };
}

describe('retry', () => {
  it.each([
    ['queued, and makes the attempt now that it waits for', QUEUED, 2],
    ['dead-lettered, and makes another attempt', DEAD_LETTERED, 2],
  ])('takes an operation up that is %s', async (_what, record, attempt) => {
    const { handWork, deps, clock, sent } = await setUp(record);
    clock.nowMs = NOW + 500;
    const result = await handWork.retry(record.token);
    const expected = { state: 'queued', attempt, nextAttemptAt: NOW + 500, crashes: 0 };
    expect(result).toMatchObject({ kind: 'done', record: expected });
    expect(await deps.store.get(record.token)).toMatchObject(expected);
    expect(sent).toEqual([{ kind: 'wake', token: record.token, delayMs: 0 }]);
  });

  it.each([
    ['runs', CLAIMED, 'runs: attempt 1 has not ended yet'],
    ['was handed over', HANDED_OVER, 'was handed over by its handler, and goes on elsewhere'],
    ['has ended', DELIVERED, 'has ended'],
    ['has ended, and is polled', POLLED, 'has ended'],
    ['was not delivered', UNDELIVERED, 'has ended, and only its completion is dead-lettered; redrive sends that again'],
    ['is delivered', PENDING, 'has ended, and only its completion is pending; redrive sends that again'],
  ])('refuses one that %s', async (_what, record, why) => {
    const { handWork, deps, sent } = await setUp(record);
    expect(await handWork.retry(record.token)).toEqual({ kind: 'refused', why });
    expect(await deps.store.get(record.token)).toEqual(record);
    expect(sent).toEqual([]);
  });
});

describe('redrive', () => {
  it('takes up an operation that was dead-lettered', async () => {
    const { handWork, sent } = await setUp(DEAD_LETTERED);
    expect(await handWork.redrive(DEAD_LETTERED.token)).toMatchObject({ kind: 'done', record: { state: 'queued' } });
    expect(sent).toEqual([{ kind: 'wake', token: DEAD_LETTERED.token, delayMs: 0 }]);
  });

  it.each([
    ['dead-lettered', UNDELIVERED],
    ['refused', REFUSED],
    ['pending', PENDING],
  ])('sends a completion again that is %s', async (_state, record) => {
    const { handWork, clock, sent } = await setUp(record);
    clock.nowMs = NOW + 500;
    expect(await handWork.redrive(record.token)).toMatchObject({
      kind: 'done',
      record: { state: 'ended', completion: { state: 'pending', nextAttemptAt: NOW + 500 } },
    });
    expect(sent).toEqual([{ kind: 'complete', token: record.token, delayMs: 0 }]);
  });

  it.each([
    ['is queued', QUEUED, 'is queued, and not dead-lettered; retry makes its next attempt now'],
    ['runs', CLAIMED, 'runs, and is not dead-lettered'],
    ['was handed over', HANDED_OVER, 'was handed over by its handler, and goes on elsewhere'],
    ['was delivered', DELIVERED, 'has ended, and its completion was delivered'],
    ['is polled', POLLED, 'has ended without a callback: there is no completion to send'],
  ])('refuses one that %s', async (_what, record, why) => {
    const { handWork, sent } = await setUp(record);
    expect(await handWork.redrive(record.token)).toEqual({ kind: 'refused', why });
    expect(sent).toEqual([]);
  });
});

it.each(['retry', 'redrive'] as const)(
  'does not know an operation to %s that is not there, or forgotten',
  async (action) => {
    const { handWork, clock, sent } = await setUp(DEAD_LETTERED);
    expect(await handWork[action](tokenOf('other'))).toEqual({ kind: 'unknown' });
    clock.nowMs = DEAD_LETTERED.retainUntil;
    expect(await handWork[action](DEAD_LETTERED.token)).toEqual({ kind: 'unknown' });
    expect(sent).toEqual([]);
  },
);

it('decides anew where somebody wrote in between', async () => {
  const { handWork, deps } = await setUp(QUEUED);
  const { get } = deps.store;
  let reads = 0;
  const overtaken = createHandWork({
    ...deps,
    store: {
      ...deps.store,
      async get(token) {
        const record = await get(token);
        if (++reads === 1) await handWork.retry(token);
        return record;
      },
    },
  });
  expect(await overtaken.retry(QUEUED.token)).toMatchObject({ kind: 'done', record: { version: QUEUED.version + 2 } });
});
