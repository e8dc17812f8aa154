import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { StoredCircuit } from '../router/circuit.ts';
import { CIRCUIT_ATTRIBUTES, TABLE } from './contract.ts';
import { type Item, partitionKey } from './endpoint-item.ts';

/** Sort key of an endpoint's circuit, beside its spec. */
export const CIRCUIT = 'circuit';

const { circuit: CIRCUIT_ATTRIBUTE, version: VERSION_ATTRIBUTE, writeId: WRITE_ID_ATTRIBUTE } = CIRCUIT_ATTRIBUTES;

export function circuitKey(endpoint: string): Item {
  return { [TABLE.partitionKey]: { S: partitionKey(endpoint) }, [TABLE.sortKey]: { S: CIRCUIT } };
}

/**
 * Sets all of a circuit where the one before it is stored.
 *
 * @param writeId tells a write whose answer was lost from one of somebody else, which may be of the same circuit
 */
export function circuitUpdate(circuit: StoredCircuit, writeId: string) {
  const isFirst = circuit.version === 1;
  return {
    UpdateExpression: 'SET #circuit = :circuit, #version = :version, #writeId = :writeId',
    ConditionExpression: isFirst ? 'attribute_not_exists(#version)' : '#version = :before',
    ExpressionAttributeNames: {
      '#circuit': CIRCUIT_ATTRIBUTE,
      '#version': VERSION_ATTRIBUTE,
      '#writeId': WRITE_ID_ATTRIBUTE,
    },
    ExpressionAttributeValues: {
      ':circuit': { M: marshall(circuit) },
      ':version': { N: String(circuit.version) },
      ':writeId': { S: writeId },
      ...(!isFirst && { ':before': { N: String(circuit.version - 1) } }),
    },
  };
}

/** Whether this write is the last one that took effect. */
export function isOfWrite(item: Item, writeId: string): boolean {
  return item[WRITE_ID_ATTRIBUTE]?.S === writeId;
}

/** `undefined` where the item holds none that this version reads: its endpoint is to be served all the same. */
export function toCircuit(item: Item): StoredCircuit | undefined {
  try {
    const { [CIRCUIT_ATTRIBUTE]: circuit } = unmarshall(item);
    return isCircuit(circuit) ? circuit : undefined;
  } catch {
    return undefined; // a number that JavaScript has not
  }
}

function isCircuit(value: unknown): value is StoredCircuit {
  const { status, version, streak, lastFailure, ...others } = Object(value) as Record<string, unknown>;
  if (!isNumber(version) || !isNumber(streak) || !isOptional(lastFailure, isFailure)) return false;
  const { since, clearedAt, successMs, openedAt, nextProbeAt, probe, tripped } = others;
  return status === 'closed'
    ? [since, clearedAt, successMs].every((one) => isOptional(one, isNumber))
    : status === 'open' &&
        isNumber(openedAt) &&
        isOptional(nextProbeAt, isNumber) &&
        isOptional(probe, isProbe) &&
        isOptional(tripped, isTripped);
}

function isFailure(value: unknown): boolean {
  const { at, message } = Object(value) as Record<string, unknown>;
  return isNumber(at) && typeof message === 'string';
}

function isProbe(value: unknown): boolean {
  const { id, leaseUntil } = Object(value) as Record<string, unknown>;
  return typeof id === 'string' && isNumber(leaseUntil);
}

function isTripped(value: unknown): boolean {
  const { by, reason, at } = Object(value) as Record<string, unknown>;
  return typeof by === 'string' && typeof reason === 'string' && isNumber(at);
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
