import { type DynamoDBClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { formatPosition, parsePosition } from '../operations/list-position.ts';
import type { OperationFilter, OperationStore } from '../operations/ports.ts';
import type { OperationRecord, OperationState } from '../operations/record.ts';
import { OPERATIONS } from './contract.ts';
import type { Item } from './operation-item.ts';

export interface OperationIndexesDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly get: OperationStore['get'];
}

type Index = typeof OPERATIONS.due | typeof OPERATIONS.list;

/** What each shard of an index is asked. */
interface ShardQuery {
  readonly index: Index;
  /** Condition on the sort key, as `#sort`. */
  readonly sort: string;
  /** Narrows what the condition selects, after it was read. */
  readonly filter?: Pick<OperationFilter, 'endpoint' | 'state' | 'completion'>;
  /** Attributes that are wanted besides the sort key. */
  readonly wanted?: readonly string[];
  readonly values: Item;
  /** A shard is not read on once so many were found. */
  readonly enough: number;
  readonly newestFirst?: true;
}

/** What was read of a shard. */
interface Read {
  readonly items: readonly Item[];
  /** Sort key of the last one that was read, where others may follow. */
  readonly stoppedAt?: string | undefined;
}

const SHARDS = Array.from({ length: OPERATIONS.shards }, (_, shard) => shard);

/** Queries of each shard, one after the other, that a call makes at most: they are done long before a gateway gives up. */
const MOST_QUERIES = 4;

/** Greater than each position in a list. */
const BEYOND = '~';

const NONE = { queued: 0, claimed: 0, 'handed-over': 0, 'dead-lettered': 0, ended: 0 };

/**
 * What is found by the table's indexes, all shards asked at once. An index follows the table a little later: a token of
 * `due` may be of a record that somebody has seen to since, and what was written a moment ago may be missing.
 *
 * A query reads 1 MB of an index at most: some 5,000 operations of 200 bytes, for 128 read units.
 *
 * - `due`: one query per shard, of as many items as the limit.
 * - `list`: one query per shard where times alone narrow it. Else each shard is read from the newest on until enough was
 *   found, in four queries at most: a page may be short, or empty, and the next one goes on. Then one read per record, which
 *   shows it as it is now: a page leaves out those that the filter does not meet any more.
 * - `count`: reads the index, the newest first, in four queries per shard at most, which is some 160,000 operations; the
 *   rest is counted by the next call. For 50,000 operations that are two queries per shard and 1,200 read units: for people
 *   who look at it, not for a metric.
 */
export function createOperationIndexes(deps: OperationIndexesDeps): Pick<OperationStore, 'due' | 'list' | 'count'> {
  const { client, tableName: TableName, get } = deps;

  async function readShard(shard: number, query: ShardQuery): Promise<Read> {
    const { index, sort, filter = {}, wanted = [], values, enough, newestFirst } = query;
    const narrowing = narrowingOf(filter);
    const input: QueryCommandInput = {
      TableName,
      IndexName: index.indexName,
      KeyConditionExpression: `#shard = :shard AND ${sort}`,
      ...(narrowing && { FilterExpression: narrowing.expression }),
      ProjectionExpression: ['#sort', ...wanted.map((name) => `#${name}`)].join(', '),
      ExpressionAttributeNames: {
        '#shard': index.partitionKey.name,
        '#sort': index.sortKey.name,
        ...Object.fromEntries(wanted.map((name) => [`#${name}`, name])),
        ...narrowing?.names,
      },
      ExpressionAttributeValues: { ':shard': { N: String(shard) }, ...values, ...narrowing?.values },
      ...(newestFirst && { ScanIndexForward: false }),
      // A limit counts what the filter drops, too.
      ...(narrowing === undefined && Number.isFinite(enough) && { Limit: enough }),
    };
    const items: Item[] = [];
    let last: Item | undefined;
    for (let queries = 0; queries < MOST_QUERIES; queries++) {
      const page = await client.send(new QueryCommand({ ...input, ...(last && { ExclusiveStartKey: last }) }));
      items.push(...((page.Items ?? []) as Item[]));
      last = page.LastEvaluatedKey;
      if (last === undefined) return { items };
      if (items.length >= enough) break;
    }
    return { items, stoppedAt: last?.[index.sortKey.name]?.S };
  }

  const readAll = (query: ShardQuery) => allSettled(SHARDS.map((shard) => readShard(shard, query)));

  return {
    async due(now, limit) {
      const read = await readAll({
        index: OPERATIONS.due,
        sort: '#sort <= :now',
        values: { ':now': { N: String(now) } },
        wanted: ['token'],
        enough: limit,
      });
      const dueAt = (item: Item) => Number(item[OPERATIONS.due.sortKey.name]?.N);
      const items = read.flatMap((shard) => shard.items).sort((a, b) => dueAt(a) - dueAt(b));
      return items.slice(0, limit).map(({ token }) => token?.S ?? '');
    },

    async list(filter, { limit, from }) {
      const range = rangeOf(filter, from);
      if (range === undefined) return { records: [] };
      const { items, end } = newest(await readAll({ ...range, filter, enough: limit + 1 }));
      const positions = items.map(positionOf).sort().reverse();
      const page = positions.slice(0, limit).map((position) => get(parsePosition(position).token));
      const next = positions[limit] ?? end;
      return {
        records: (await allSettled(page)).filter((record) => record !== undefined).filter(meets(filter)),
        ...(next !== undefined && { next }),
      };
    },

    async count(filter, from) {
      const counts = { ...NONE };
      const range = rangeOf(filter, from);
      if (range === undefined) return { counts };
      const read = await readAll({ ...range, filter, wanted: ['state'], enough: Number.POSITIVE_INFINITY });
      const { items, end } = newest(read);
      for (const { state } of items) counts[state?.S as OperationState]++;
      return { counts, ...(end !== undefined && { next: end }) };
    },
  };
}

function positionOf(item: Item): string {
  return item[OPERATIONS.list.sortKey.name]?.S ?? '';
}

/** Of what was read of the list: what is newer than where any shard stopped, so that nothing is missing between. */
function newest(read: readonly Read[]): { readonly items: readonly Item[]; readonly end?: string } {
  const items = read.flatMap((shard) => shard.items);
  const [end] = read
    .flatMap(({ stoppedAt }) => stoppedAt ?? [])
    .sort()
    .reverse();
  return end === undefined ? { items } : { items: items.filter((item) => positionOf(item) > end), end };
}

/** As `Promise.all`, and leaves nothing running where one rejects: on Lambda that would go on inside the next request. */
async function allSettled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** What the list is asked for positions between two, both included; `undefined` where there can be none. */
function rangeOf({ acceptedFrom = 0, acceptedBefore }: OperationFilter, from?: string) {
  const oldest = startOf(acceptedFrom);
  const before = acceptedBefore === undefined ? BEYOND : startOf(acceptedBefore);
  const start = from === undefined ? BEYOND : formatPosition(parsePosition(from));
  const newest = start < before ? start : before;
  if (oldest > newest) return undefined;
  return {
    index: OPERATIONS.list,
    sort: '#sort BETWEEN :oldest AND :newest',
    values: { ':oldest': { S: oldest }, ':newest': { S: newest } },
    newestFirst: true,
  } as const;
}

/** What is accepted at this time or later comes after it, and everything else before it. */
function startOf(time: number): string {
  return formatPosition({ acceptedAt: Math.min(Math.max(Math.ceil(time), 0), Number.MAX_SAFE_INTEGER), token: '' });
}

function narrowingOf({ endpoint, state, completion }: Required<ShardQuery>['filter']) {
  const wanted = Object.entries({ endpoint, state, completionState: completion }).filter(([, value]) => value);
  if (wanted.length === 0) return undefined;
  return {
    expression: wanted.map(([name]) => `#${name} = :${name}`).join(' AND '),
    names: Object.fromEntries(wanted.map(([name]) => [`#${name}`, name])),
    values: Object.fromEntries(wanted.map(([name, value]) => [`:${name}`, { S: String(value) }])),
  };
}

function meets({ endpoint, state, completion }: OperationFilter) {
  return (record: OperationRecord) =>
    (endpoint === undefined || record.endpoint === endpoint) &&
    (state === undefined || record.state === state) &&
    (completion === undefined || record.completion?.state === completion);
}
