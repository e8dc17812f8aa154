import { describe, expect, it } from 'vitest';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import type { CountFilter, OperationFilter, OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { claimedRecord, endedRecord, NOW, newRecord } from './operation-records.ts';

const callback = { url: 'http://127.0.0.1/callback', headers: {} };
const ENDPOINTS = ['shop', 'bank'];
const NONE = { queued: 0, claimed: 0, 'handed-over': 0, 'dead-lettered': 0, ended: 0 };

/** Twenty-four operations of two endpoints, in six states, two accepted at a time. */
async function fill(store: OperationStore): Promise<OperationRecord[]> {
  const ways: ((record: OperationRecord) => OperationRecord)[] = [
    (record) => record,
    (record) => claimedRecord(record),
    (record) => cancelRequested(record, { now: NOW })!.record,
    (record) => endedRecord(record),
    (record) => endedRecord(record, { kind: 'refused', message: '404' }),
    (record) => endedRecord(record, { kind: 'dead-lettered', message: '400' }),
  ];
  const records: OperationRecord[] = [];
  for (let n = 0; n < 24; n++) {
    const endpoint = ENDPOINTS[n % 2]!;
    const record = newRecord({ endpoint, callback, acceptedAt: NOW + Math.floor(n / 2) });
    await store.create(record, NOW);
    const next = ways[n % ways.length]!(record);
    if (next !== record) expect(await store.update(record, next)).toBe(true);
    records.push(next);
  }
  return records.sort((a, b) => b.acceptedAt - a.acceptedAt || (a.token < b.token ? 1 : -1));
}

/** All pages, one after the other. */
async function pages(store: OperationStore, filter: OperationFilter, limit: number) {
  const found: (readonly OperationRecord[])[] = [];
  let from: string | undefined;
  do {
    const { records, next } = await store.list(filter, { limit, ...(from !== undefined && { from }) });
    found.push(records);
    from = next;
  } while (from !== undefined);
  return found;
}

/** How every adapter of the OperationStore port lists and counts. */
export function describeOperationLists(adapter: string, open: () => Promise<OperationStore>): void {
  describe(`a list of operations on ${adapter}`, () => {
    it('is empty where nothing is stored', async () => {
      const store = await open();
      expect(await store.list({}, { limit: 10 })).toStrictEqual({ records: [] });
      expect(await store.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
      expect(await store.count({})).toStrictEqual({ counts: NONE });
    });

    it('has what each filter leaves, the newest first, in pages of any size', async () => {
      const store = await open();
      const records = await fill(store);
      const filters: [OperationFilter, (record: OperationRecord) => boolean][] = [
        [{}, () => true],
        [{ endpoint: 'bank' }, ({ endpoint }) => endpoint === 'bank'],
        [{ endpoint: 'none' }, () => false],
        [{ state: 'queued' }, ({ state }) => state === 'queued'],
        [{ state: 'handed-over' }, () => false],
        [{ state: 'ended', endpoint: 'shop' }, ({ state, endpoint }) => state === 'ended' && endpoint === 'shop'],
        [{ completion: 'refused' }, ({ completion }) => completion?.state === 'refused'],
        [{ completion: 'pending', endpoint: 'bank' }, () => false],
        [{ state: 'queued', completion: 'pending' }, () => false],
        [{ acceptedFrom: NOW + 7 }, ({ acceptedAt }) => acceptedAt >= NOW + 7],
        [{ acceptedBefore: NOW + 7 }, ({ acceptedAt }) => acceptedAt < NOW + 7],
        [{ acceptedFrom: NOW + 2, acceptedBefore: NOW + 3 }, ({ acceptedAt }) => acceptedAt === NOW + 2],
        [{ acceptedFrom: NOW + 3, acceptedBefore: NOW + 3 }, () => false],
        [{ acceptedFrom: NOW + 4, acceptedBefore: NOW + 3 }, () => false],
        [{ acceptedFrom: -1, acceptedBefore: 0 }, () => false],
        [{ acceptedFrom: 0.5, acceptedBefore: 1e300 }, () => true],
        [
          { endpoint: 'shop', state: 'ended', completion: 'pending', acceptedFrom: NOW + 1 },
          ({ endpoint, completion, acceptedAt }) =>
            endpoint === 'shop' && completion?.state === 'pending' && acceptedAt >= NOW + 1,
        ],
      ];
      for (const [filter, meets] of filters) {
        const wanted = records.filter(meets);
        for (const limit of [1, 5, 100]) {
          const found = await pages(store, filter, limit);
          expect(found.flat(), JSON.stringify(filter)).toStrictEqual(wanted);
          expect(found).toHaveLength(Math.max(1, Math.ceil(wanted.length / limit)));
        }
      }
    });

    it('goes on where a page ended though others were accepted, changed and forgotten since', async () => {
      const store = await open();
      const records = await fill(store);
      const { records: first, next } = await store.list({}, { limit: 4 });
      expect(first).toStrictEqual(records.slice(0, 4));
      await store.create(newRecord({ acceptedAt: NOW + 50 }), NOW);
      const fifth = records[4]!;
      const replacing = newRecord({ key: fifth.key, acceptedAt: NOW + 60 });
      expect(await store.create(replacing, fifth.retainUntil)).toBeUndefined();
      const { records: second } = await store.list({}, { limit: 4, from: next! });
      expect(second[0]).toStrictEqual(records[5]);
    });

    it.each(['', '12', 'x'.repeat(20), '0001767225600000', 'NaN.token'])(
      'fails where it is to begin at %j',
      async (from) => {
        const store = await open();
        await expect(store.list({}, { limit: 1, from })).rejects.toThrow(TypeError);
      },
    );

    it('counts the operations in each state, of all endpoints and ages or of some', async () => {
      const store = await open();
      const records = await fill(store);
      const filters: [CountFilter, (record: OperationRecord) => boolean][] = [
        [{}, () => true],
        [{ endpoint: 'shop' }, ({ endpoint }) => endpoint === 'shop'],
        [{ endpoint: 'none' }, () => false],
        [{ acceptedFrom: NOW + 7 }, ({ acceptedAt }) => acceptedAt >= NOW + 7],
        [{ acceptedBefore: NOW + 7 }, ({ acceptedAt }) => acceptedAt < NOW + 7],
        [{ acceptedFrom: NOW + 2, acceptedBefore: NOW + 3 }, ({ acceptedAt }) => acceptedAt === NOW + 2],
        [{ acceptedFrom: NOW + 4, acceptedBefore: NOW + 3 }, () => false],
        [
          { endpoint: 'bank', acceptedFrom: NOW + 1, acceptedBefore: NOW + 9 },
          ({ endpoint, acceptedAt }) => endpoint === 'bank' && acceptedAt >= NOW + 1 && acceptedAt < NOW + 9,
        ],
      ];
      for (const [filter, meets] of filters) {
        const counts: Record<string, number> = { ...NONE };
        for (const { state } of records.filter(meets)) counts[state]!++;
        expect(await store.count(filter), JSON.stringify(filter)).toStrictEqual({ counts });
      }
    });

    it('counts on from a place in the list', async () => {
      const store = await open();
      const records = await fill(store);
      const { next } = await store.list({}, { limit: 14 });
      const counts: Record<string, number> = { ...NONE };
      for (const { state } of records.slice(14)) counts[state]!++;
      expect(await store.count({}, next)).toStrictEqual({ counts });
      await expect(store.count({}, '12')).rejects.toThrow(TypeError);
    });
  });
}
