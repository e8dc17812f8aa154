import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Logger } from '../handler/logger.ts';
import type { Deduplicate } from '../router/repeated-start.ts';
import { ENV } from './contract.ts';

export interface LazyDeduplicationDeps {
  readonly dynamo: DynamoDBClient;
  /** Of the answers; `undefined` where the deploy of the gateway made none. */
  readonly tableName: string | undefined;
  readonly logger: Logger;
}

/** Loads deduplication with the first start of an endpoint that asks for it, so that other calls start without it. */
export function lazyDeduplication({ dynamo, tableName, logger }: LazyDeduplicationDeps): Deduplicate {
  let loaded: Promise<Deduplicate> | undefined;
  const saidMissing = new Set<string>();
  return async (start, deliver, leftMs) => {
    if (!tableName) {
      const { endpoint } = start;
      if (!saidMissing.has(endpoint)) {
        saidMissing.add(endpoint);
        const missing = `an endpoint asks for deduplication, and the router has no table of answers (${ENV.answersTable}): its starts are delivered each time; deploy the gateway with the endpoint in its app`;
        logger.error(missing, { endpoint });
      }
      return deliver();
    }
    loaded ??= import('./router-deduplication.ts').then(({ routerDeduplication }) =>
      routerDeduplication({ dynamo, tableName, logger }),
    );
    return (await loaded)(start, deliver, leftMs);
  };
}
