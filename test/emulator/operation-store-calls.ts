import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { CLAIM, claimedRecord, NOW, newRecord } from '../contract/operation-records.ts';

const EACH_SHARD = Array.from({ length: 8 }, () => 'Query');

/** One record that is stored, and what calls are made with. */
export function newScene() {
  const stored = newRecord();
  return {
    stored,
    /** Of the same key; not stored. */
    rival: newRecord({ key: stored.key }),
    /** Of another key; not stored. */
    fresh: newRecord(),
    claimed: claimedRecord(stored),
    canceled: cancelRequested(stored, { now: NOW })!.record,
    /** The same object each time that a call is made. */
    claim: { ...CLAIM, attempt: 1 },
  };
}

export type Scene = ReturnType<typeof newScene>;

export interface Call {
  readonly run: (store: OperationStore, scene: Scene) => Promise<unknown>;
  /** What it resolves to where nothing goes wrong. */
  readonly result: (scene: Scene) => unknown;
  /** What is stored after it. */
  readonly leaves: (scene: Scene) => readonly OperationRecord[];
  /** What it asks DynamoDB for. */
  readonly asks: readonly string[];
}

/** The calls of the port. */
export const CALLS = {
  create: {
    run: (store, { fresh }) => store.create(fresh, NOW),
    result: () => undefined,
    leaves: ({ stored, fresh }) => [stored, fresh],
    asks: ['PutItem'],
  },
  'create of a key that is there': {
    run: (store, { rival }) => store.create(rival, NOW),
    result: ({ stored }) => stored,
    leaves: ({ stored }) => [stored],
    asks: ['PutItem'],
  },
  get: {
    run: (store, { stored }) => store.get(stored.token),
    result: ({ stored }) => stored,
    leaves: ({ stored }) => [stored],
    asks: ['GetItem'],
  },
  claim: {
    run: (store, { stored, claim }) => store.claim(stored.token, claim, NOW),
    result: ({ claimed }) => claimed,
    leaves: ({ claimed }) => [claimed],
    asks: ['UpdateItem'],
  },
  'claim of another attempt': {
    run: (store, { stored, claim }) => store.claim(stored.token, { ...claim, attempt: 2 }, NOW),
    result: () => undefined,
    leaves: ({ stored }) => [stored],
    asks: ['UpdateItem'],
  },
  update: {
    run: (store, { stored, canceled }) => store.update(stored, canceled),
    result: () => true,
    leaves: ({ canceled }) => [canceled],
    asks: ['UpdateItem'],
  },
  'update of an older version': {
    run: (store, { stored, canceled }) => store.update({ ...stored, version: 0 }, canceled),
    result: () => false,
    leaves: ({ stored }) => [stored],
    asks: ['UpdateItem'],
  },
  due: {
    run: (store, { stored }) => store.due(stored.dueAt!, 10),
    result: ({ stored }) => [stored.token],
    leaves: ({ stored }) => [stored],
    asks: EACH_SHARD,
  },
  list: {
    run: (store) => store.list({ state: 'queued' }, { limit: 10 }),
    result: ({ stored }) => ({ records: [stored] }),
    leaves: ({ stored }) => [stored],
    asks: [...EACH_SHARD, 'GetItem'],
  },
  count: {
    run: (store) => store.count({}),
    result: () => ({ counts: { queued: 1, claimed: 0, 'handed-over': 0, 'dead-lettered': 0, ended: 0 } }),
    leaves: ({ stored }) => [stored],
    asks: EACH_SHARD,
  },
} as const satisfies Readonly<Record<string, Call>>;
