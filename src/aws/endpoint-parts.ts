import type { Endpoint } from '../router/ports.ts';
import { CIRCUIT, toCircuit } from './circuit-item.ts';
import { TABLE } from './contract.ts';
import { type Item, OVERRIDE, SPEC, toEndpoint } from './endpoint-item.ts';

/** Endpoints of the items of their partitions; what has no spec is none. Fails as `toEndpoint` does. */
export function toEndpoints(items: readonly Item[], tableName: string): Endpoint[] {
  const circuits = partsOf(items, CIRCUIT);
  const overrides = partsOf(items, OVERRIDE);
  return [...partsOf(items, SPEC)].map(([key, item]) => {
    const circuitItem = circuits.get(key);
    const circuit = circuitItem && toCircuit(circuitItem);
    return { ...toEndpoint(item, tableName, overrides.get(key)), ...(circuit && { circuit }) };
  });
}

/** The items of one part, by the keys of their endpoints. */
function partsOf(items: readonly Item[], part: string): Map<string, Item> {
  const parts = items.filter(({ [TABLE.sortKey]: sortKey }) => sortKey?.S === part);
  return new Map(parts.map((item) => [item[TABLE.partitionKey]?.S ?? '', item]));
}
