import { randomBytes } from 'node:crypto';
import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { CircuitStore } from '../router/ports.ts';
import { circuitKey, circuitUpdate, isOfWrite, toCircuit } from './circuit-item.ts';

export interface DynamoCircuitStoreDeps {
  readonly client: DynamoDBClient;
  /** Of the table of endpoints. */
  readonly tableName: string;
}

/**
 * Keeps the circuit of each endpoint in an item beside its spec, so that the one query that reads an endpoint reads it,
 * too. A write that the client repeats, since its answer was lost, is known again. It is written with UpdateItem and no attribute but its own: a role that may do that cannot change a spec.
 */
export function createDynamoCircuitStore({ client, tableName }: DynamoCircuitStoreDeps): CircuitStore {
  return {
    async write(endpoint, circuit, abortSignal) {
      const writeId = randomBytes(9).toString('base64url');
      const update = new UpdateItemCommand({
        TableName: tableName,
        Key: circuitKey(endpoint),
        ...circuitUpdate(circuit, writeId),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      try {
        await client.send(update, { ...(abortSignal && { abortSignal }) });
        return { kind: 'written' };
      } catch (error) {
        abortSignal?.throwIfAborted(); // its reason says more than the SDK's AbortError
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        if (error.Item && isOfWrite(error.Item, writeId)) return { kind: 'written' };
        const stored = error.Item && toCircuit(error.Item);
        return { kind: 'conflict', ...(stored && { stored }) };
      }
    },
  };
}
