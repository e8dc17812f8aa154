import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { itemBytes } from '../../src/aws/item-size.ts';
import { changesOf, itemKey, toItem, toRecord } from '../../src/aws/operation-item.ts';
import { updateOf } from '../../src/aws/operation-writes.ts';
import { cancelRequested } from '../../src/operations/asked-transitions.ts';
import { endedRecord, newRecord } from '../contract/operation-records.ts';

const callback = { url: 'http://127.0.0.1/callback', headers: {} };

describe('the item of an operation', () => {
  it('is found by the hash of its key', () => {
    const record = newRecord();
    const keyHash = createHash('sha256').update(record.key).digest('base64url');
    expect(itemKey(record.token)).toEqual({ pk: { S: keyHash } });
    expect(toItem(record, 'w')).toMatchObject({ pk: { S: keyHash } });
  });

  it('has the record in it, and what the indexes are made of', () => {
    const record = endedRecord(newRecord({ callback }), { kind: 'refused', message: '404' });
    const item = toItem(record, 'w');
    expect(toRecord(item, 'T')).toStrictEqual(record);
    expect(item).toMatchObject({
      listed: { S: `000${record.acceptedAt}.${record.token}` },
      state: { S: 'ended' },
      completionState: { S: 'refused' },
    });
    expect(item).not.toHaveProperty('dueAt');
  });

  it('is kept by DynamoDB until the time is over, to the second', () => {
    expect(toItem(newRecord({ retainUntil: 1_000 }), 'w')).toMatchObject({ forgetAt: { N: '1' } });
    expect(toItem(newRecord({ retainUntil: 1_001 }), 'w')).toMatchObject({ forgetAt: { N: '2' } });
  });

  it('is in one of eight shards, all of which are used alike', () => {
    const counts = new Map<string, number>();
    for (let n = 0; n < 4_000; n++) {
      const shard = toItem(newRecord(), 'w').shard?.N ?? '';
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    // 500 each, and 21 of deviation.
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(130);
  });

  it('takes a fraction of a body of JSON, and no more than the bytes of one that is encrypted', () => {
    const lines = Array.from({ length: 400 }, (_, n) => ({ sku: `sku-${n}`, quantity: n % 7, currency: 'EUR' }));
    const json = Buffer.from(JSON.stringify(lines));
    const bytesOf = (body: Buffer) => {
      const start = { service: 's', operation: 'o', headers: {}, query: '', body: body.toString('base64') };
      return itemBytes(toItem(newRecord({ start }), 'w')) - itemBytes(toItem(newRecord(), 'w'));
    };
    expect(bytesOf(json)).toBeLessThan(json.length / 4);
    expect(bytesOf(randomBytes(20_000))).toBeLessThan(20_400);
  });
});

describe('an update of an item', () => {
  const read = newRecord({ callback });

  it('sends what differs, and nothing of the start', () => {
    const { set, remove } = changesOf(read, { ...read, version: 2, wakeUps: 3 }, 'w');
    expect(set).toEqual({ version: { N: '2' }, wakeUps: { N: '3' }, writeId: { S: 'w' } });
    expect(remove).toEqual([]);
  });

  it('takes no other object of the same members for a difference', () => {
    const copy = structuredClone(read);
    expect(changesOf(read, { ...copy, version: 2 }, 'w').set).toEqual({ version: { N: '2' }, writeId: { S: 'w' } });
  });

  it('removes what the next record is without', () => {
    const ended = cancelRequested(read, { now: 5 })!.record;
    const delivered = endedRecord(read);
    const { set, remove } = changesOf(ended, delivered, 'w');
    expect(remove).toEqual(['dueAt']);
    expect(Object.keys(set).sort()).toEqual(expect.arrayContaining(['completion', 'completionState', 'version']));
    expect(updateOf(ended, { next: delivered, writeId: 'w' }).UpdateExpression).toMatch(/ REMOVE #dueAt$/);
  });

  it('follows the time that the record is kept for', () => {
    const { set } = changesOf(read, { ...read, retainUntil: read.retainUntil + 1 }, 'w');
    expect(Object.keys(set).sort()).toEqual(['forgetAt', 'retainUntil', 'writeId']);
  });
});

describe('the bytes of an item', () => {
  it.each([
    [{ a: { S: 'größe' } }, 8],
    [{ ab: { B: new Uint8Array(10) } }, 12],
    [{ n: { N: '1767225600000' } }, 9],
    [{ n: { N: '7' }, s: { S: '' } }, 4],
  ])('of %j are %i', (item, bytes) => {
    expect(itemBytes(item)).toBe(bytes);
  });
});
