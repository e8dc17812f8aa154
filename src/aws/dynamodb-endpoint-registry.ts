import {
  type DynamoDBClient,
  paginateQuery,
  paginateScan,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { checkOverride } from '../router/endpoint-override.ts';
import { checkEndpointSpec, isEndpointName } from '../router/endpoint-spec.ts';
import { EndpointExistsError, EndpointNotFoundError } from '../router/errors.ts';
import type { Clock, EndpointRegistry } from '../router/ports.ts';
import { CIRCUIT, circuitKey } from './circuit-item.ts';
import { TABLE } from './contract.ts';
import { explained, isNameTaken, whyNotOverridden, whyUnchanged } from './endpoint-errors.ts';
import {
  type Item,
  OVERRIDE,
  partitionKey,
  partKey,
  SPEC,
  toAttribute,
  toEndpoint,
  toOverrideItem,
} from './endpoint-item.ts';
import { toEndpoints } from './endpoint-parts.ts';
import { pastConflicts } from './past-conflicts.ts';

export interface DynamoEndpointRegistryDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}

/**
 * Keeps endpoints in a DynamoDB table, one item for the spec and one for what is set at run time. Reads are strongly
 * consistent; a write that another one came before fails by its condition.
 *
 * Where the client repeats a write whose answer was lost, the repetition of an `update` finds the version that the first one
 * made, and fails with `EndpointVersionError`. The others are transactions, which DynamoDB knows again by their token.
 */
export function createDynamoEndpointRegistry(deps: DynamoEndpointRegistryDeps): EndpointRegistry {
  const { client, tableName: TableName, clock } = deps;

  return {
    async get(name, signal) {
      // A path may hold any name, and DynamoDB refuses a key of more than 2 KB.
      if (!isEndpointName(name)) return undefined;
      const query = {
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: '#pk = :pk',
        ExpressionAttributeNames: { '#pk': TABLE.partitionKey },
        ExpressionAttributeValues: { ':pk': { S: partitionKey(name) } },
      };
      try {
        const items: Item[] = [];
        for await (const { Items = [] } of paginateQuery({ client }, query, { abortSignal: signal })) {
          items.push(...Items);
        }
        return toEndpoints(items, TableName)[0];
      } catch (error) {
        signal?.throwIfAborted(); // its reason says more than the SDK's AbortError
        throw explained(error, TableName);
      }
    },

    async list() {
      const scan = {
        TableName,
        ConsistentRead: true,
        FilterExpression: '#sk IN (:spec, :override, :circuit)',
        ExpressionAttributeNames: { '#sk': TABLE.sortKey },
        ExpressionAttributeValues: { ':spec': { S: SPEC }, ':override': { S: OVERRIDE }, ':circuit': { S: CIRCUIT } },
      };
      const items: Item[] = [];
      try {
        for await (const { Items = [] } of paginateScan({ client }, scan)) items.push(...Items);
      } catch (error) {
        throw explained(error, TableName);
      }
      return toEndpoints(items, TableName).sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async create(spec) {
      checkEndpointSpec(spec);
      const now = String(clock.now());
      const item = {
        ...partKey(spec.name, SPEC),
        spec: toAttribute(spec),
        version: { N: '1' },
        createdAt: { N: now },
        lastModifiedAt: { N: now },
      };
      const creation = new TransactWriteItemsCommand({
        TransactItems: [
          { Put: { TableName, Item: item, ...WHERE_NONE_IS } },
          // Of one of this name that is gone: whoever had not heard of its deletion may have written it after that.
          { Delete: { TableName, Key: circuitKey(spec.name) } },
        ],
      });
      try {
        await pastConflicts(() => client.send(creation));
      } catch (error) {
        throw isNameTaken(error) ? new EndpointExistsError(spec.name) : explained(error, TableName, spec);
      }
      return toEndpoint(item, TableName);
    },

    async update(spec, version) {
      checkEndpointSpec(spec);
      const update = new UpdateItemCommand({
        TableName,
        Key: partKey(spec.name, SPEC),
        UpdateExpression: 'SET #spec = :spec, #version = #version + :one, #lastModifiedAt = :now',
        ConditionExpression: '#version = :version',
        ExpressionAttributeNames: { '#spec': 'spec', '#version': 'version', '#lastModifiedAt': 'lastModifiedAt' },
        ExpressionAttributeValues: {
          ':spec': toAttribute(spec),
          ':version': versionAttribute(version),
          ':one': { N: '1' },
          ':now': { N: String(clock.now()) },
        },
        ReturnValues: 'ALL_NEW',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      try {
        const { Attributes = {} } = await pastConflicts(() => client.send(update));
        return toEndpoint(Attributes, TableName);
      } catch (error) {
        throw whyUnchanged(error, spec.name, version) ?? explained(error, TableName, spec);
      }
    },

    async delete(name, version) {
      if (!isEndpointName(name)) throw new EndpointNotFoundError(name);
      const deletion = new TransactWriteItemsCommand({
        TransactItems: [
          { Delete: { TableName, Key: partKey(name, SPEC), ...whereVersionIs(version) } },
          { Delete: { TableName, Key: partKey(name, OVERRIDE) } },
          // An endpoint of this name that is made later starts with a circuit of its own.
          { Delete: { TableName, Key: circuitKey(name) } },
        ],
      });
      try {
        await pastConflicts(() => client.send(deletion));
      } catch (error) {
        throw whyUnchanged(error, name, version) ?? explained(error, TableName);
      }
    },

    async override(read, next) {
      checkOverride(read, next, clock.now());
      const { name, version } = read;
      const before = read.override?.version;
      const override = { ...next, version: (before ?? 0) + 1 };
      const put = new TransactWriteItemsCommand({
        TransactItems: [
          { ConditionCheck: { TableName, Key: partKey(name, SPEC), ...whereVersionIs(version) } },
          {
            Put: {
              TableName,
              Item: toOverrideItem(name, override),
              ...(before === undefined ? WHERE_NONE_IS : whereVersionIs(before)),
            },
          },
        ],
      });
      try {
        await pastConflicts(() => client.send(put));
      } catch (error) {
        throw whyNotOverridden(error, read) ?? explained(error, TableName);
      }
      return { ...read, override };
    },
  };
}

const WHERE_NONE_IS = {
  ConditionExpression: 'attribute_not_exists(#pk)',
  ExpressionAttributeNames: { '#pk': TABLE.partitionKey },
  ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
} as const;

function whereVersionIs(version: number) {
  return {
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': versionAttribute(version) },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  } as const;
}

/** DynamoDB refuses what is no number of its own range, such as NaN. No stored version is 0. */
function versionAttribute(version: number): { N: string } {
  return { N: String(Number.isSafeInteger(version) ? version : 0) };
}
