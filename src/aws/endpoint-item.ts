import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { EndpointOverride, OverriddenSetting, OverrideMark } from '../router/override.ts';
import type { Endpoint, EndpointSpec } from '../router/ports.ts';
import { TABLE } from './contract.ts';
import { UnreadableEndpointError } from './endpoint-errors.ts';

/** An item of the table, as DynamoDB takes and gives it. */
export type Item = Record<string, AttributeValue>;

/** Sort key of what a deploy or a person says of an endpoint. Its siblings in the partition are other parts of its state. */
export const SPEC = 'spec';

/** Sort key of what is set of an endpoint at run time. */
export const OVERRIDE = 'override';

/** Partition key of an endpoint. */
export function partitionKey(name: string): string {
  return `endpoint#${name}`;
}

/** Key of one part of an endpoint. */
export function partKey(name: string, part: typeof SPEC | typeof OVERRIDE): Item {
  return { [TABLE.partitionKey]: { S: partitionKey(name) }, [TABLE.sortKey]: { S: part } };
}

/** A spec as one attribute; members that are left out, or `undefined`, are left out of it. */
export function toAttribute(spec: EndpointSpec): AttributeValue {
  return { M: marshall(spec, { removeUndefinedValues: true }) };
}

/** The whole item of an override. */
export function toOverrideItem(name: string, override: EndpointOverride): Item {
  return { ...partKey(name, OVERRIDE), ...marshall(override, { removeUndefinedValues: true }) };
}

/** Fails with an error that names table and key where an item is none that this version reads. */
export function toEndpoint(item: Item, tableName: string, overrideItem?: Item): Endpoint {
  const key = item[TABLE.partitionKey]?.S;
  const { spec, version, createdAt, lastModifiedAt } = unmarshalled(item);
  if (isSpec(spec, key) && isNumber(version) && isNumber(createdAt) && isNumber(lastModifiedAt)) {
    const override = overrideItem && toOverride(overrideItem, tableName);
    return { ...spec, version, createdAt, lastModifiedAt, ...(override && { override }) };
  }
  throw unreadable(item, tableName, 'endpoint', 'remove the item and deploy the endpoint again');
}

/** A pause or a limit that somebody set and that cannot be read must not be left out in silence. */
function toOverride(item: Item, tableName: string): EndpointOverride {
  const { settings, paused, version } = unmarshalled(item);
  if (isObject(settings) && Object.values(settings).every(isSetting) && isNumber(version)) {
    if (paused === undefined) return { settings, version };
    if (isMark(paused)) return { settings, paused, version };
  }
  throw unreadable(item, tableName, 'override of an endpoint', 'remove the item and set again what it set');
}

function unreadable(item: Item, tableName: string, what: string, wayOut: string): UnreadableEndpointError {
  const { [TABLE.partitionKey]: pk, [TABLE.sortKey]: sk } = item;
  return new UnreadableEndpointError(
    `the item ${TABLE.partitionKey} = "${pk?.S}", ${TABLE.sortKey} = "${sk?.S}" of table ${tableName} is no ${what} that this ` +
      `version of nexus-lambda reads: members are missing or of another type; update nexus-lambda here, or ${wayOut}`,
  );
}

function isSetting(value: unknown): value is OverriddenSetting {
  return isMark(value) && isNumber(members(value).value);
}

function isMark(value: unknown): value is OverrideMark {
  const { author, reason, at, expiresAt = 0 } = members(value);
  return typeof author === 'string' && typeof reason === 'string' && isNumber(at) && isNumber(expiresAt);
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
