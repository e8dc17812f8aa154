import type { Endpoint } from '../router/ports.ts';
import { CIRCUIT, toCircuit } from './circuit-item.ts';
import { TABLE } from './contract.ts';
import { type Item, SPEC, toEndpoint } from './endpoint-item.ts';

/** Endpoints of the items of their partitions; what has no spec is none. Fails as `toEndpoint` does. */
export function toEndpoints(items: readonly Item[], tableName: string): Endpoint[] {
  const circuits = new Map(items.filter(isPart(CIRCUIT)).map((item) => [nameOf(item), toCircuit(item)]));
  return items.filter(isPart(SPEC)).map((item) => {
    const circuit = circuits.get(nameOf(item));
    return { ...toEndpoint(item, tableName), ...(circuit && { circuit }) };
  });
}

function isPart(part: string) {
  return ({ [TABLE.sortKey]: sortKey }: Item) => sortKey?.S === part;
}

function nameOf({ [TABLE.partitionKey]: key }: Item): string | undefined {
  return key?.S;
}
