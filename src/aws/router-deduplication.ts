import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Logger } from '../handler/logger.ts';
import { createDeduplication } from '../router/deduplication.ts';
import type { Deduplicate } from '../router/repeated-start.ts';
import { createDynamoAnswers, MAX_ANSWER_BYTES } from './dynamodb-answers.ts';

export interface RouterDeduplicationDeps {
  readonly dynamo: DynamoDBClient;
  /** Of the answers. */
  readonly tableName: string;
  readonly logger: Logger;
}

/** The router's part of deduplication; in a file of its own, which the first start that needs it loads. */
export function routerDeduplication({ dynamo, tableName, logger }: RouterDeduplicationDeps): Deduplicate {
  return createDeduplication({
    createLayer: createDynamoAnswers({ client: dynamo, tableName }),
    logger,
    clock: Date,
    maxAnswerBytes: MAX_ANSWER_BYTES,
    random: Math.random,
  });
}
