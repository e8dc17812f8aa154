import { IdempotencyItemAlreadyExistsError } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import type { BasePersistenceLayer, IdempotencyRecord } from '@aws-lambda-powertools/idempotency/persistence';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ANSWERS } from './contract.ts';
import { MAX_ITEM_BYTES } from './item-size.ts';

/** What an answer may have: an item of DynamoDB, less its key, its times, and what DynamoDB counts for each header. */
export const MAX_ANSWER_BYTES = MAX_ITEM_BYTES - 4 * 1024;

export interface DynamoAnswersDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
}

/** Makes layers that keep answers in a DynamoDB table, one item each. A call takes `callMs()` milliseconds at most. */
export function createDynamoAnswers({
  client,
  tableName,
}: DynamoAnswersDeps): (callMs: () => number) => BasePersistenceLayer {
  return (callMs) => new DynamoAnswerLayer({ tableName, ...NAMES, awsSdkV3Client: bounded(client, callMs) });
}

const NAMES = { keyAttr: ANSWERS.partitionKey, expiryAttr: ANSWERS.timeToLive };

class DynamoAnswerLayer extends DynamoDBPersistenceLayer {
  /** Where the client repeats a write whose answer was lost, the repetition finds what the first one wrote: it is ours. */
  protected override async _putRecord(record: IdempotencyRecord): Promise<void> {
    try {
      await super._putRecord(record);
    } catch (error) {
      const found = error instanceof IdempotencyItemAlreadyExistsError ? error.existingRecord : undefined;
      const isOurs =
        found !== undefined &&
        found.responseData === undefined &&
        found.inProgressExpiryTimestamp === record.inProgressExpiryTimestamp;
      if (!isOurs) throw error;
    }
  }
}

/** The same client, each of whose calls ends in time: the layer has no way to say so itself. */
function bounded(client: DynamoDBClient, callMs: () => number): DynamoDBClient {
  const send = (command: never) => client.send(command, { abortSignal: AbortSignal.timeout(Math.ceil(callMs())) });
  return Object.create(client, { send: { value: send } }) as DynamoDBClient;
}
