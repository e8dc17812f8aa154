import { isDeepStrictEqual } from 'node:util';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Claimed } from '../operations/claimed.ts';
import { formatPosition } from '../operations/list-position.ts';
import { parseToken } from '../operations/operation-token.ts';
import type { OperationRecord } from '../operations/record.ts';
import { OPERATIONS } from './contract.ts';

/*
 * One operation is one item, in a table of its own: whoever scans the endpoints does not read through operations, and a
 * handler may be let at the one and not at the other.
 *
 * Key: the hash of the record's `key`, which its token has in it (src/operations/operation-token.ts). So one conditional
 * PutItem both creates and finds what is there already, and a token finds its item with one GetItem. A transaction over
 * two items, the usual way to a second unique key, costs twice the writes.
 *
 * Members are attributes by their own names: an update sends those that differ. Texts and numbers are what they are,
 * objects are JSON, and what payloads are in (`start`, `outcome`) is compressed JSON: a write costs by the size of the whole
 * item, a handful of times per operation. Compressed, payloads of JSON take a fifth and less; encrypted ones lose what
 * base64 added. 400 KB of that is the most that an item holds.
 *
 * Beside the members:
 *   shard            0 to 7, by the token's secret, which no caller chooses: partition key of both indexes
 *   listed           when it was accepted, then its token: sort key of the list
 *   completionState  of the completion, to narrow a list by
 *   forgetAt         `retainUntil` in seconds: DynamoDB deletes some time after it
 *   writeId          of the write that made this version, by which a repetition knows itself
 *
 * Index `due`: shard, `dueAt`. Sparse: without `dueAt` an item is not in it.
 * Index `list`: shard, `listed`. One for lists and counts of all kinds: its items are of about 250 bytes, so DynamoDB
 * filters 4,000 of them per shard and request. An index by endpoint and state would have one hot key per busy endpoint, and
 * cost two writes for each change of the state where this one costs one.
 *
 * Write units of an operation of less than 1 KB that is accepted, claimed, ended and completed: 4 for the item, 6 for
 * `due`, 4 for `list`. A shard's partition takes 1,000 a second, so 8 carry about 1,300 operations a second.
 */

/** An item of the table, as DynamoDB takes and gives it. */
export type Item = Record<string, AttributeValue>;

type Kind = 'text' | 'number' | 'json' | 'packed';

/** How each member is kept; `?` where a record may be without it. */
const KINDS: {
  readonly [K in keyof OperationRecord]-?: object extends Pick<OperationRecord, K> ? `${Kind}?` : Kind;
} = {
  token: 'text',
  key: 'text',
  version: 'number',
  principal: 'text',
  endpoint: 'text',
  namespace: 'text',
  taskQueue: 'text',
  requestId: 'text',
  start: 'packed',
  callback: 'json?',
  acceptedAt: 'number',
  promotedAt: 'number?',
  answeredAt: 'number?',
  expiresAt: 'number?',
  retainUntil: 'number',
  policy: 'json',
  queues: 'json?',
  state: 'text',
  attempt: 'number',
  nextAttemptAt: 'number',
  claim: 'json?',
  crashes: 'number',
  lastFailure: 'json?',
  deadLetter: 'text?',
  cancelRequestedAt: 'number?',
  innerToken: 'text?',
  cancelForward: 'text?',
  outcome: 'packed?',
  completion: 'json?',
  wakeUps: 'number',
  dueAt: 'number?',
};

type Member = keyof OperationRecord;

const MEMBERS = Object.keys(KINDS) as Member[];

/** The key of the item that a token leads to; `undefined` where the token is none of ours. */
export function itemKey(token: string): Item | undefined {
  const parts = parseToken(token);
  return parts && { [OPERATIONS.partitionKey.name]: { S: parts.keyHash } };
}

/** A record as an item. Fails where its token is none of ours: nothing could find it again. */
export function toItem(record: OperationRecord, writeId: string): Item {
  const parts = parseToken(record.token);
  if (parts === undefined) throw new TypeError(`the token "${record.token}" was not made by createToken`);
  return {
    [OPERATIONS.partitionKey.name]: { S: parts.keyHash },
    [OPERATIONS.list.partitionKey.name]: { N: String(shardOf(parts.secret)) },
    [OPERATIONS.list.sortKey.name]: { S: formatPosition(record) },
    ...attributesOf(record, MEMBERS),
    ...derived(record),
    writeId: { S: writeId },
  };
}

/** What makes an item of any record that is queued one that is claimed, but for its version. */
export function claimedAttributes(members: Claimed, writeId: string): Item {
  return { ...attributesOf(members, MEMBERS), writeId: { S: writeId } };
}

/** What makes an item of `read` one of `next`. */
export function changesOf(read: OperationRecord, next: OperationRecord, writeId: string) {
  const changed = MEMBERS.filter((member) => !isDeepStrictEqual(read[member], next[member]));
  const before = derived(read);
  const after = derived(next);
  const changedDerived = Object.entries(after).filter(([name, value]) => !isDeepStrictEqual(before[name], value));
  return {
    set: { ...attributesOf(next, changed), ...Object.fromEntries(changedDerived), writeId: { S: writeId } } as Item,
    remove: [
      ...changed.filter((member) => next[member] === undefined),
      ...Object.keys(before).filter((name) => after[name] === undefined),
    ],
  };
}

/** Fails with an error that names table and key where the item is none that this version reads. */
export function toRecord(item: Item, tableName: string): OperationRecord {
  try {
    const present = MEMBERS.filter((member) => item[member] !== undefined || !KINDS[member].endsWith('?'));
    return Object.fromEntries(
      present.map((member) => [member, memberOf(kindOf(member), item[member])]),
    ) as unknown as OperationRecord;
  } catch (cause) {
    const { name } = OPERATIONS.partitionKey;
    throw new Error(
      `the item ${name} = "${item[name]?.S}" of table ${tableName} is no operation that this version of nexus-lambda reads: ` +
        'members are missing or of another type; update nexus-lambda here, or remove the item, and the operation with it',
      { cause },
    );
  }
}

function attributesOf(record: Partial<OperationRecord>, members: readonly Member[]): Item {
  const present = members.filter((member) => record[member] !== undefined);
  return Object.fromEntries(present.map((member) => [member, attributeOf(kindOf(member), record[member])]));
}

function kindOf(member: Member): Kind {
  return KINDS[member].replace('?', '') as Kind;
}

function attributeOf(kind: Kind, value: unknown): AttributeValue {
  switch (kind) {
    case 'text':
      return { S: String(value) };
    case 'number':
      return { N: String(value) };
    case 'json':
      return { S: JSON.stringify(value) };
    case 'packed':
      return { B: deflateRawSync(JSON.stringify(value)) };
  }
}

/** Throws where the attribute is of another kind, or not there. */
function memberOf(kind: Kind, attribute: AttributeValue | undefined): unknown {
  const { S, N, B } = attribute ?? {};
  if (kind === 'text' && S !== undefined) return S;
  if (kind === 'number' && N !== undefined) return Number(N);
  if (kind === 'json' && S !== undefined) return JSON.parse(S);
  if (kind === 'packed' && B !== undefined) return JSON.parse(inflateRawSync(B).toString());
  throw new TypeError(`no ${kind}`);
}

function derived({ retainUntil, completion }: OperationRecord): Item {
  return {
    [OPERATIONS.timeToLive]: { N: String(Math.ceil(retainUntil / 1_000)) },
    ...(completion && { completionState: { S: completion.state } }),
  };
}

function shardOf(secret: string): number {
  return Buffer.from(secret, 'base64url').readUInt8() % OPERATIONS.shards;
}
