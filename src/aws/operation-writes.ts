import type { PutItemCommandInput, UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { claimed } from '../operations/claimed.ts';
import type { Claim, OperationRecord } from '../operations/record.ts';
import { OPERATIONS } from './contract.ts';
import { changesOf, claimedAttributes, type Item, itemKey } from './operation-item.ts';

type Put = Omit<PutItemCommandInput, 'TableName'>;
type Update = Omit<UpdateItemCommandInput, 'TableName'>;

/** Puts an item where none is, or one that may be forgotten. */
export function putNew(item: Item, now: number): Put {
  return {
    Item: item,
    ConditionExpression: 'attribute_not_exists(#pk) OR #retainUntil <= :now',
    ExpressionAttributeNames: { '#pk': OPERATIONS.partitionKey.name, ...named(['retainUntil']) },
    ExpressionAttributeValues: { ':now': { N: String(now) } },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
}

/** Claims an attempt where the item itself has nothing against it, and returns the item. */
export function claimOf(
  token: string,
  { claim, now, writeId }: { claim: Claim; now: number; writeId: string },
): Update {
  const set = claimedAttributes(claimed(claim, now), writeId);
  return {
    Key: itemKey(token),
    UpdateExpression: `${setting(set)}, #version = #version + :one`,
    ConditionExpression:
      '#token = :token AND #state = :queued AND #attempt = :attempt AND #nextAttemptAt <= :now AND ' +
      'attribute_not_exists(#cancelRequestedAt) AND (attribute_not_exists(#expiresAt) OR #expiresAt > :now)',
    ExpressionAttributeNames: {
      ...named(Object.keys(set)),
      ...named(['version', 'token', 'attempt', 'nextAttemptAt', 'cancelRequestedAt', 'expiresAt']),
    },
    ExpressionAttributeValues: {
      ...valued(set),
      ':one': { N: '1' },
      ':token': { S: token },
      ':queued': { S: 'queued' },
      ':attempt': { N: String(claim.attempt) },
      ':now': { N: String(now) },
    },
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
}

/** Makes the item of `read` that of `next`, where nobody wrote since. */
export function updateOf(read: OperationRecord, { next, writeId }: { next: OperationRecord; writeId: string }): Update {
  const { set, remove } = changesOf(read, next, writeId);
  const removal = remove.length === 0 ? '' : ` REMOVE ${remove.map((name) => `#${name}`).join(', ')}`;
  return {
    Key: itemKey(read.token),
    UpdateExpression: setting(set) + removal,
    // Another record under the same key may be of the same version.
    ConditionExpression: '#token = :readToken AND #version = :readVersion',
    ExpressionAttributeNames: named([...Object.keys(set), ...remove, 'token', 'version']),
    ExpressionAttributeValues: {
      ...valued(set),
      ':readToken': { S: read.token },
      ':readVersion': { N: String(read.version) },
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
}

function setting(set: Item): string {
  return `SET ${Object.keys(set)
    .map((name) => `#${name} = :${name}`)
    .join(', ')}`;
}

function named(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`#${name}`, name]));
}

function valued(set: Item): Item {
  return Object.fromEntries(Object.entries(set).map(([name, value]) => [`:${name}`, value]));
}
