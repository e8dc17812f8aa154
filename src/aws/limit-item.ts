import { createHash } from 'node:crypto';
import type { QueryCommandInput, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import type { SlotLease } from '../router/ports.ts';
import { oldestUs, type TokenAsk } from '../router/tokens.ts';
import { LIMIT_KEY_PREFIX, TABLE } from './contract.ts';
import type { Item } from './endpoint-item.ts';

/*
 * Items of limits are in the table of endpoints, under partition keys of their own that begin with `limit#`.
 *
 * Tokens of a rate limit: one item for each limit, or for each part of a high one. `nextUs` is when the next token that
 * nobody has is minted, in microseconds. A write adds to it, so that it is right whoever wrote since the writer looked.
 *
 * Slots of a concurrency limit: one item each, 16 of them under one partition key. `holder` has it until `heldUntil`, in
 * milliseconds. A slot that was let go stays, with 0.
 *
 * `expiresAt`, in seconds: DynamoDB deletes what was not written for an hour after it says nothing any more.
 */

type Query = Omit<QueryCommandInput, 'TableName'>;
type Update = Omit<UpdateItemCommandInput, 'TableName'>;

const TOKENS = 'tokens';
const KEPT_S = 3_600;

/** A partition key has 2,048 bytes at most, and the subject of a bearer token may be longer. */
const LONGEST_NAME_BYTES = 1_024;

function partition(name: string): string {
  const isLong = Buffer.byteLength(name) > LONGEST_NAME_BYTES;
  return LIMIT_KEY_PREFIX + (isLong ? createHash('sha256').update(name).digest('base64url') : name);
}

function key(name: string, sortKey: string): Item {
  return { [TABLE.partitionKey]: { S: partition(name) }, [TABLE.sortKey]: { S: sortKey } };
}

/** Reads the item of a limit's tokens. */
export function tokensQuery(limit: string): Query {
  return {
    KeyConditionExpression: '#pk = :pk AND #sk = :sk',
    ExpressionAttributeNames: { '#pk': TABLE.partitionKey, '#sk': TABLE.sortKey },
    ExpressionAttributeValues: { ':pk': { S: partition(limit) }, ':sk': { S: TOKENS } },
  };
}

/** What is stored in an item of tokens. */
export function nextUsOf({ nextUs }: Item): number | undefined {
  return nextUs?.N === undefined ? undefined : Number(nextUs.N);
}

/** Whether tokens that are left are taken, so that it does not matter what others took of them since this was read. */
export function areLeft(storedUs: number | undefined, ask: TokenAsk): storedUs is number {
  return storedUs !== undefined && storedUs >= oldestUs(ask) && storedUs <= ask.nowUs;
}

/** Takes tokens where some are left. */
export function takeLeft(limit: string, ask: TokenAsk): Update {
  return {
    Key: key(limit, TOKENS),
    UpdateExpression: 'SET #nextUs = #nextUs + :step, #expiresAt = :expiresAt',
    ConditionExpression: '#nextUs BETWEEN :oldest AND :now',
    ExpressionAttributeNames: { '#nextUs': 'nextUs', '#expiresAt': TABLE.timeToLive },
    ExpressionAttributeValues: {
      ':step': number(ask.count * ask.intervalUs),
      ':oldest': number(oldestUs(ask)),
      ':now': number(ask.nowUs),
      ':expiresAt': tokensExpireAt(ask),
    },
    ReturnValues: 'UPDATED_NEW',
  };
}

/** Takes the first tokens after a quiet time, where nobody else did since this was read. */
export function takeFirst(
  limit: string,
  ask: TokenAsk,
  stored: { readUs: number | undefined; nextUs: number },
): Update {
  const { readUs, nextUs } = stored;
  return {
    Key: key(limit, TOKENS),
    UpdateExpression: 'SET #nextUs = :nextUs, #expiresAt = :expiresAt',
    ConditionExpression: readUs === undefined ? 'attribute_not_exists(#nextUs)' : '#nextUs = :read',
    ExpressionAttributeNames: { '#nextUs': 'nextUs', '#expiresAt': TABLE.timeToLive },
    ExpressionAttributeValues: {
      ':nextUs': number(nextUs),
      ':expiresAt': tokensExpireAt(ask),
      ...(readUs !== undefined && { ':read': number(readUs) }),
    },
    ReturnValues: 'UPDATED_NEW',
  };
}

function tokensExpireAt({ nowUs, lifeUs, count, intervalUs }: TokenAsk) {
  return number(Math.ceil((nowUs + lifeUs + count * intervalUs) / 1_000_000) + KEPT_S);
}

/** Reads the slots of a part that somebody has. */
export function heldSlotsQuery(part: string, now: number): Query {
  return {
    KeyConditionExpression: '#pk = :pk',
    FilterExpression: '#heldUntil > :now',
    ExpressionAttributeNames: { '#pk': TABLE.partitionKey, '#heldUntil': 'heldUntil' },
    ExpressionAttributeValues: { ':pk': { S: partition(part) }, ':now': number(now) },
  };
}

export function slotOf(item: Item): number {
  return Number(item[TABLE.sortKey]?.S);
}

/** Takes a slot that nobody has, or that its holder may not have any more. */
export function takeSlot({ part, slot, holder }: SlotLease, times: { now: number; until: number }): Update {
  return {
    Key: key(part, String(slot)),
    UpdateExpression: 'SET #holder = :holder, #heldUntil = :until, #expiresAt = :expiresAt',
    ConditionExpression: 'attribute_not_exists(#heldUntil) OR #heldUntil <= :now OR #holder = :holder',
    ExpressionAttributeNames: { '#holder': 'holder', '#heldUntil': 'heldUntil', '#expiresAt': TABLE.timeToLive },
    ExpressionAttributeValues: {
      ':holder': { S: holder },
      ':until': number(times.until),
      ':now': number(times.now),
      ':expiresAt': slotExpiresAt(times.until),
    },
  };
}

/** Has a slot stay with this holder where no other one has it. */
export function extendSlot({ part, slot, holder }: SlotLease, until: number): Update {
  return {
    Key: key(part, String(slot)),
    UpdateExpression: 'SET #heldUntil = :until, #expiresAt = :expiresAt',
    ConditionExpression: '#holder = :holder',
    ExpressionAttributeNames: { '#holder': 'holder', '#heldUntil': 'heldUntil', '#expiresAt': TABLE.timeToLive },
    ExpressionAttributeValues: {
      ':holder': { S: holder },
      ':until': number(until),
      ':expiresAt': slotExpiresAt(until),
    },
  };
}

/** Lets a slot go where this holder has it. */
export function freeSlot({ part, slot, holder }: SlotLease): Update {
  return {
    Key: key(part, String(slot)),
    UpdateExpression: 'SET #heldUntil = :never REMOVE #holder',
    ConditionExpression: '#holder = :holder',
    ExpressionAttributeNames: { '#holder': 'holder', '#heldUntil': 'heldUntil' },
    ExpressionAttributeValues: { ':never': number(0), ':holder': { S: holder } },
  };
}

function slotExpiresAt(until: number) {
  return number(Math.ceil(until / 1_000) + KEPT_S);
}

function number(value: number): { N: string } {
  return { N: String(value) };
}
