import { type DynamoDBClient, paginateQuery, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
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

/** What each shard of an index is asked. */
interface ShardQuery {
  readonly index: typeof OPERATIONS.due | typeof OPERATIONS.list;
  /** Condition on the sort key, as `#sort`. */
  readonly sort?: string;
  /** Narrows what the condition selects, after it was read. */
  readonly filter?: Pick<OperationFilter, 'endpoint' | 'state' | 'completion'>;
  readonly values?: Item;
  readonly options?: Pick<QueryCommandInput, 'Limit' | 'ScanIndexForward' | 'ProjectionExpression'>;
}

const SHARDS = Array.from({ length: OPERATIONS.shards }, (_, shard) => shard);

/** Greater than each position in a list. */
const BEYOND = '~';

/**
 * What is found by the table's indexes, all shards asked at once. An index follows the table a little later: a token of
 * `due` may be of a record that somebody has seen to since, and what was written a moment ago may be missing.
 *
 * - `due`: one query per shard, of as many items as the limit.
 * - `list`: one query per shard where times alone narrow it; else each shard is read from the newest on until enough was
 *   found, 5,000 operations a query. Then one read per record, which shows it as it is now: a page leaves out those that
 *   the filter does not meet any more.
 * - `count`: reads the whole index, 200 bytes per operation. For 50,000 operations that are two rounds of eight queries
 *   and 1,300 read units: for people who look at it, not for a metric.
 */
export function createOperationIndexes(deps: OperationIndexesDeps): Pick<OperationStore, 'due' | 'list' | 'count'> {
  const { client, tableName: TableName, get } = deps;

  async function* itemsOf(shard: number, { index, sort, filter = {}, values, options }: ShardQuery) {
    const narrowing = narrowingOf(filter);
    const query: QueryCommandInput = {
      TableName,
      IndexName: index.indexName,
      KeyConditionExpression: sort === undefined ? '#shard = :shard' : `#shard = :shard AND ${sort}`,
      ...(narrowing && { FilterExpression: narrowing.expression }),
      ExpressionAttributeNames: {
        '#shard': index.partitionKey.name,
        ...(sort !== undefined && { '#sort': index.sortKey.name }),
        ...narrowing?.names,
      },
      ExpressionAttributeValues: { ':shard': { N: String(shard) }, ...values, ...narrowing?.values },
      ...options,
    };
    for await (const { Items = [] } of paginateQuery({ client }, query)) yield* Items as Item[];
  }

  /** The first so many of each shard. */
  async function firstOfEach(count: number, query: ShardQuery): Promise<Item[]> {
    const found = await allSettled(SHARDS.map((shard) => first(count, itemsOf(shard, query))));
    return found.flat();
  }

  return {
    async due(now, limit) {
      const items = await firstOfEach(limit, {
        index: OPERATIONS.due,
        sort: '#sort <= :now',
        values: { ':now': { N: String(now) } },
        options: { Limit: limit },
      });
      const dueAt = (item: Item) => Number(item[OPERATIONS.due.sortKey.name]?.N);
      const longestOverdue = items.sort((a, b) => dueAt(a) - dueAt(b)).slice(0, limit);
      return longestOverdue.map(({ token }) => token?.S ?? '');
    },

    async list(filter, { limit, from }) {
      const { oldest, newest } = range(filter, from);
      if (oldest > newest) return { records: [] };
      const items = await firstOfEach(limit + 1, {
        index: OPERATIONS.list,
        sort: '#sort BETWEEN :oldest AND :newest',
        filter,
        values: { ':oldest': { S: oldest }, ':newest': { S: newest } },
        // A limit counts what the filter drops, too.
        options: { ScanIndexForward: false, ...(narrowingOf(filter) === undefined && { Limit: limit + 1 }) },
      });
      const positions = items.map((item) => item[OPERATIONS.list.sortKey.name]?.S ?? '');
      positions.sort().reverse();
      const page = positions.slice(0, limit).map((position) => get(parsePosition(position).token));
      const next = positions[limit];
      return {
        records: (await allSettled(page)).filter((record) => record !== undefined).filter(meets(filter)),
        ...(next !== undefined && { next }),
      };
    },

    async count(filter) {
      const counts = { queued: 0, claimed: 0, 'handed-over': 0, 'dead-lettered': 0, ended: 0 };
      await allSettled(
        SHARDS.map(async (shard) => {
          for await (const { state } of itemsOf(shard, { index: OPERATIONS.list, filter })) {
            counts[state?.S as OperationState]++;
          }
        }),
      );
      return counts;
    },
  };
}

/** As `Promise.all`, and leaves nothing running where one rejects: on Lambda that would go on inside the next request. */
async function allSettled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function first(count: number, items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) {
    if (found.push(item) === count) break;
  }
  return found;
}

/** Positions in the list between which a page is, both included. */
function range({ acceptedFrom = 0, acceptedBefore }: OperationFilter, from?: string) {
  const oldest = startOf(acceptedFrom);
  const before = acceptedBefore === undefined ? BEYOND : startOf(acceptedBefore);
  const start = from === undefined ? BEYOND : formatPosition(parsePosition(from));
  return { oldest, newest: start < before ? start : before };
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
