import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { Endpoint, EndpointSpec } from '../router/ports.ts';
import { TABLE } from './contract.ts';

/** An item of the table, as DynamoDB takes and gives it. */
export type Item = Record<string, AttributeValue>;

/** Sort key of what a deploy or a person says of an endpoint. Its siblings in the partition are other parts of its state. */
export const SPEC = 'spec';

/** Partition key of an endpoint. */
export function partitionKey(name: string): string {
  return `endpoint#${name}`;
}

/** Key of an endpoint's spec. */
export function specKey(name: string): Item {
  return { [TABLE.partitionKey]: { S: partitionKey(name) }, [TABLE.sortKey]: { S: SPEC } };
}

/** A spec as one attribute; members that are left out, or `undefined`, are left out of it. */
export function toAttribute(spec: EndpointSpec): AttributeValue {
  return { M: marshall(spec, { removeUndefinedValues: true }) };
}

/** Fails with an error that names table and key where the item is none that this version reads. */
export function toEndpoint(item: Item, tableName: string): Endpoint {
  const key = item[TABLE.partitionKey]?.S;
  const { spec, version, createdAt, lastModifiedAt } = unmarshalled(item);
  if (isSpec(spec, key) && isNumber(version) && isNumber(createdAt) && isNumber(lastModifiedAt)) {
    return { ...spec, version, createdAt, lastModifiedAt };
  }
  throw new Error(
    `the item ${TABLE.partitionKey} = "${key}", ${TABLE.sortKey} = "${SPEC}" of table ${tableName} is no endpoint that this ` +
      'version of nexus-lambda reads: members are missing or of another type; update nexus-lambda here, or remove the item ' +
      'and deploy the endpoint again',
  );
}

function unmarshalled(item: Item): Record<string, unknown> {
  try {
    return unmarshall(item);
  } catch {
    return {}; // a number that JavaScript has not
  }
}

function isSpec(value: unknown, key: unknown): value is EndpointSpec {
  const { name, target, services, previousServices = [], callers = [], settings = {}, ...others } = members(value);
  const { namespace, taskQueue } = members(target);
  const { description = '', functionArn = '', owner = '' } = others;
  return (
    typeof name === 'string' &&
    key === partitionKey(name) &&
    [namespace, taskQueue, description, functionArn, owner].every(isText) &&
    isContract(services) &&
    isContract(previousServices) &&
    isTexts(callers) &&
    isObject(settings) &&
    isDelivery(others)
  );
}

/** What says how operations are delivered, and where their completions go. */
function isDelivery(spec: Record<string, unknown>): boolean {
  const {
    queued = [],
    promotable = [],
    absorbFailures = [],
    deduplicate = false,
    queues,
    allowedCallbacks = [],
  } = spec;
  return (
    [queued, promotable, absorbFailures].every(isTexts) &&
    typeof deduplicate === 'boolean' &&
    (queues === undefined || areQueues(queues)) &&
    Array.isArray(allowedCallbacks) &&
    allowedCallbacks.every(isAllowedCallback)
  );
}

function areQueues(value: unknown): boolean {
  const { task, deadLetter, completion } = members(value);
  return [task, deadLetter, completion].every(isText);
}

/** Whether the origin is one, and the certificate a certificate, is checked when the entry is written, and before each use. */
function isAllowedCallback(value: unknown): boolean {
  const { origin, allowPrivateAddresses = false, allowInsecure = false, authorization = '', ca = '' } = members(value);
  return (
    [origin, ca].every(isText) &&
    [allowPrivateAddresses, allowInsecure].every((flag) => typeof flag === 'boolean') &&
    (isText(authorization) || isText(members(authorization).secretArn))
  );
}

function isContract(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.map(members).every(({ name, operations }) => typeof name === 'string' && isTexts(operations))
  );
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function members(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
