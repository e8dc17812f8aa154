import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  paginateQuery,
  paginateScan,
  ResourceNotFoundException,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { checkEndpointSpec, isEndpointName } from '../router/endpoint-spec.ts';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from '../router/errors.ts';
import type { Clock, EndpointRegistry, EndpointSpec } from '../router/ports.ts';
import { CIRCUIT, circuitKey } from './circuit-item.ts';
import { TABLE } from './contract.ts';
import { type Item, partitionKey, SPEC, specKey, toAttribute, toEndpoint } from './endpoint-item.ts';
import { toEndpoints } from './endpoint-parts.ts';

export interface DynamoEndpointRegistryDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}

/** There is no such table in this account and region. */
export class TableNotFoundError extends Error {
  override readonly name = 'TableNotFoundError';

  constructor(tableName: string, options?: ErrorOptions) {
    super(`there is no table ${tableName} of endpoints; deploy the stack of its NexusGateway first`, options);
  }
}

/**
 * Keeps endpoints in a DynamoDB table, one item each. Reads are strongly consistent; a write that another one came before
 * fails by its condition.
 *
 * Where the client repeats a write whose answer was lost, the repetition finds the version that the first one made:
 * `create` fails with `EndpointExistsError`, `update` with `EndpointVersionError`, `delete` with `EndpointNotFoundError`.
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
        FilterExpression: '#sk IN (:spec, :circuit)',
        ExpressionAttributeNames: { '#sk': TABLE.sortKey },
        ExpressionAttributeValues: { ':spec': { S: SPEC }, ':circuit': { S: CIRCUIT } },
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
        ...specKey(spec.name),
        spec: toAttribute(spec),
        version: { N: '1' },
        createdAt: { N: now },
        lastModifiedAt: { N: now },
      };
      const put = new PutItemCommand({
        TableName,
        Item: item,
        ConditionExpression: 'attribute_not_exists(#pk)',
        ExpressionAttributeNames: { '#pk': TABLE.partitionKey },
      });
      try {
        await client.send(put);
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) throw new EndpointExistsError(spec.name);
        throw explained(error, TableName, spec);
      }
      return toEndpoint(item, TableName);
    },

    async update(spec, version) {
      checkEndpointSpec(spec);
      const update = new UpdateItemCommand({
        TableName,
        Key: specKey(spec.name),
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
        const { Attributes = {} } = await client.send(update);
        return toEndpoint(Attributes, TableName);
      } catch (error) {
        throw whyUnchanged(error, spec.name, version) ?? explained(error, TableName, spec);
      }
    },

    async delete(name, version) {
      if (!isEndpointName(name)) throw new EndpointNotFoundError(name);
      const deletion = new DeleteItemCommand({
        TableName,
        Key: specKey(name),
        ConditionExpression: '#version = :version',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':version': versionAttribute(version) },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      try {
        await client.send(deletion);
        // An endpoint of this name that is made later starts with a circuit of its own.
        await client.send(new DeleteItemCommand({ TableName, Key: circuitKey(name) }));
      } catch (error) {
        throw whyUnchanged(error, name, version) ?? explained(error, TableName);
      }
    },
  };
}

/** DynamoDB refuses what is no number of its own range, such as NaN. No stored version is 0. */
function versionAttribute(version: number): { N: string } {
  return { N: String(Number.isSafeInteger(version) ? version : 0) };
}

/** Why the condition on the version did not hold; `undefined` for any other error. */
function whyUnchanged(error: unknown, name: string, version: number): Error | undefined {
  if (!(error instanceof ConditionalCheckFailedException)) return undefined;
  if (error.Item === undefined) return new EndpointNotFoundError(name);
  return new EndpointVersionError(name, version, Number(error.Item.version?.N));
}

/** The error of DynamoDB, or one that says more. */
function explained(error: unknown, tableName: string, spec?: EndpointSpec): unknown {
  if (error instanceof ResourceNotFoundException) return new TableNotFoundError(tableName, { cause: error });
  const tooLarge = error instanceof Error && error.name === 'ValidationException' && /item size/i.test(error.message);
  if (spec === undefined || !tooLarge) return error;
  const kilobytes = Math.ceil(Buffer.byteLength(JSON.stringify(spec)) / 1024);
  return new Error(
    `endpoint "${spec.name}" is too large for an item of DynamoDB, which takes 400 KB: about ${kilobytes} KB, most of it the ` +
      'names of its operations, now and before their last change; divide its services among several endpoints',
    { cause: error },
  );
}
