import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ResourceNotFoundException,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { RecordTooLargeError } from '../operations/errors.ts';
import type { OperationStore } from '../operations/ports.ts';
import type { Claim, OperationRecord } from '../operations/record.ts';
import { itemBytes, MAX_ITEM_BYTES } from './item-size.ts';
import { createOperationIndexes } from './operation-indexes.ts';
import { type Item, itemKey, toItem, toRecord } from './operation-item.ts';
import { claimOf, putNew, updateOf } from './operation-writes.ts';

export interface DynamoOperationStoreDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
}

/** What an item that fits at first may grow by: its claim, and an end that is no more than a failure with its message. */
const GROWTH_BYTES = 16 * 1024;

/**
 * Keeps operations in a DynamoDB table, one item each: `create`, `get`, `claim` and `update` are one call. Reads by token
 * are strongly consistent; `due`, `list` and `count` are of indexes that follow the writes, as a rule within a second.
 * DynamoDB itself deletes what may be forgotten, a few days after that time at the latest.
 *
 * Where a write took effect and its answer was lost, its repetition by the client, or by a caller with the same objects,
 * says what the first one would have said. Only where somebody else wrote in between do `claim` and `update` say that they
 * came too late, although they did not.
 *
 * `create` and `update` fail with {@link RecordTooLargeError} where a record does not fit into an item of DynamoDB.
 */
export function createDynamoOperationStore(deps: DynamoOperationStoreDeps): OperationStore {
  const { client, tableName: TableName } = deps;
  const writeIds = new WeakMap<OperationRecord | Claim, string>();

  /** The same for the same object: a caller that repeats a write means that one. */
  function writeIdOf(written: OperationRecord | Claim): string {
    const writeId = writeIds.get(written) ?? randomBytes(9).toString('base64url');
    writeIds.set(written, writeId);
    return writeId;
  }

  async function create(record: OperationRecord, now: number): Promise<OperationRecord | undefined> {
    const item = toItem(record, writeIdOf(record));
    assertFits(item, MAX_ITEM_BYTES - GROWTH_BYTES);
    try {
      await client.send(new PutItemCommand({ TableName, ...putNew(item, now) }));
      return undefined;
    } catch (error) {
      const existing = itemInTheWay(error);
      if (existing === undefined) throw error;
      return existing.token?.S === record.token ? undefined : toRecord(existing, TableName);
    }
  }

  async function get(token: string): Promise<OperationRecord | undefined> {
    const Key = itemKey(token);
    if (Key === undefined) return undefined;
    const { Item } = await client.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    return Item?.token?.S === token ? toRecord(Item, TableName) : undefined;
  }

  async function claim(token: string, claim: Claim, now: number): Promise<OperationRecord | undefined> {
    if (itemKey(token) === undefined) return undefined;
    const writeId = writeIdOf(claim);
    try {
      const change = new UpdateItemCommand({ TableName, ...claimOf(token, { claim, now, writeId }) });
      const { Attributes = {} } = await client.send(change);
      return toRecord(Attributes, TableName);
    } catch (error) {
      const stored = itemInTheWay(error);
      if (stored?.writeId?.S === writeId) return toRecord(stored, TableName);
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  }

  async function update(read: OperationRecord, next: OperationRecord): Promise<boolean> {
    const writeId = writeIdOf(next);
    const change = updateOf(read, { next, writeId });
    // More than 1 MB of a request would fail for its own size, not for the item's.
    assertFits(change.ExpressionAttributeValues ?? {}, MAX_ITEM_BYTES);
    try {
      await client.send(new UpdateItemCommand({ TableName, ...change }));
      return true;
    } catch (error) {
      if (isTooLarge(error)) {
        throw new RecordTooLargeError(itemBytes(toItem(next, writeId)), MAX_ITEM_BYTES, { cause: error });
      }
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      return error.Item?.writeId?.S === writeId;
    }
  }

  /** The same function, with an error that says what to do where there is no table. */
  function explained<A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) {
    return async (...args: A): Promise<R> => {
      try {
        return await call(...args);
      } catch (cause) {
        if (!(cause instanceof ResourceNotFoundException)) throw cause;
        const problem = `there is no table ${TableName} of operations; deploy the stack of its NexusGateway first`;
        throw new Error(problem, { cause });
      }
    };
  }

  const { due, list, count } = createOperationIndexes({ ...deps, get });
  return {
    create: explained(create),
    get: explained(get),
    claim: explained(claim),
    update: explained(update),
    due: explained(due),
    list: explained(list),
    count: explained(count),
  };
}

/** What was stored where the condition of a write did not hold. */
function itemInTheWay(error: unknown): Item | undefined {
  return error instanceof ConditionalCheckFailedException ? error.Item : undefined;
}

function assertFits(item: Item, limit: number): void {
  const bytes = itemBytes(item);
  if (bytes > limit) throw new RecordTooLargeError(bytes, limit);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationException' && /item size/i.test(error.message);
}
