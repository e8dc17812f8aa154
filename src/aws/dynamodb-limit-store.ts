import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  paginateQuery,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { LimitStore } from '../router/ports.ts';
import { type TokenAnswer, type TokenAsk, takeTokens } from '../router/tokens.ts';
import type { Item } from './endpoint-item.ts';
import {
  areLeft,
  extendSlot,
  freeSlot,
  heldSlotsQuery,
  nextUsOf,
  slotOf,
  takeFirst,
  takeLeft,
  takeSlot,
  tokensQuery,
} from './limit-item.ts';

export interface DynamoLimitStoreDeps {
  readonly client: DynamoDBClient;
  /** The table of endpoints. */
  readonly tableName: string;
}

/** What a write left: the item as it is now, or, where its condition did not hold, as it was and stays. */
interface Written {
  readonly done: boolean;
  readonly item: Item;
}

/** Tokens are taken by one write, and by a second one where another environment took the first after a quiet time meanwhile. */
const MAX_WRITES = 2;

/**
 * Keeps limits in the table of endpoints. Reads are strongly consistent, writes are conditional. Tokens are taken without a
 * read where the asker has looked within their life.
 */
export function createDynamoLimitStore({ client, tableName: TableName }: DynamoLimitStoreDeps): LimitStore {
  async function query(input: ReturnType<typeof tokensQuery>, abortSignal?: AbortSignal): Promise<Item[]> {
    const items: Item[] = [];
    const pages = paginateQuery({ client }, { TableName, ConsistentRead: true, ...input }, { abortSignal });
    for await (const page of pages) items.push(...(page.Items ?? []));
    return items;
  }

  async function write(input: ReturnType<typeof takeSlot>, abortSignal?: AbortSignal): Promise<Written> {
    const update = new UpdateItemCommand({ TableName, ReturnValuesOnConditionCheckFailure: 'ALL_OLD', ...input });
    try {
      const { Attributes = {} } = await client.send(update, { ...(abortSignal && { abortSignal }) });
      return { done: true, item: Attributes };
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return { done: false, item: error.Item ?? {} };
      throw error;
    }
  }

  async function storedNow(limit: string, ask: TokenAsk, signal?: AbortSignal): Promise<number | undefined> {
    // Tokens are only ever taken: where what was seen is within their life, so is what is stored by now, or none are left.
    if (areLeft(ask.seenUs, ask)) return ask.seenUs;
    const [item = {}] = await query(tokensQuery(limit), signal);
    return nextUsOf(item);
  }

  return {
    async takeTokens(limit, ask, signal) {
      let readUs = await storedNow(limit, ask, signal);
      let answer: TokenAnswer = takeTokens(readUs, ask);
      for (let writes = 0; answer.kind === 'taken' && writes < MAX_WRITES; writes++) {
        const { nextUs } = answer;
        const update = areLeft(readUs, ask) ? takeLeft(limit, ask) : takeFirst(limit, ask, { readUs, nextUs });
        const { done, item } = await write(update, signal);
        readUs = nextUsOf(item);
        if (done && readUs !== undefined) {
          return { kind: 'taken', firstUs: readUs - ask.count * ask.intervalUs, nextUs: readUs };
        }
        answer = takeTokens(readUs, ask);
      }
      // Where a third write would be needed, the others take them one after another.
      return answer.kind === 'refused' ? answer : { kind: 'refused', nextUs: ask.nowUs };
    },
    async heldSlots(part, now, signal) {
      return new Set((await query(heldSlotsQuery(part, now), signal)).map(slotOf));
    },
    async takeSlot(lease, times, signal) {
      return (await write(takeSlot(lease, times), signal)).done;
    },
    async extendSlot(lease, until, signal) {
      await write(extendSlot(lease, until), signal);
    },
    async freeSlot(lease, signal) {
      await write(freeSlot(lease), signal);
    },
  };
}
