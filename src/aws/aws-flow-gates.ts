import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Logger } from '../handler/logger.ts';
import type { CachedEndpointView } from '../router/endpoint-view.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import { createFlowGates, type FlowGates } from '../router/flow-gates.ts';
import { createDynamoCircuitStore } from './dynamodb-circuit-store.ts';
import { createDynamoLimitStore } from './dynamodb-limit-store.ts';

export interface AwsFlowGatesDeps {
  readonly dynamo: DynamoDBClient;
  /** Of the table of endpoints. */
  readonly tableName: string;
  readonly endpoints: Pick<CachedEndpointView, 'latest'>;
  readonly logger: Logger;
  readonly emit: EmitFlowEvent;
}

/** The gates of one environment on Lambda; what all of them share is in the table of endpoints. */
export function awsFlowGates({ dynamo: client, tableName, endpoints, logger, emit }: AwsFlowGatesDeps): FlowGates {
  return createFlowGates({
    circuits: createDynamoCircuitStore({ client, tableName }),
    limits: createDynamoLimitStore({ client, tableName }),
    clock: Date,
    random: Math.random,
    newId: randomUUID,
    logger,
    emit,
    latest: endpoints.latest,
  });
}
