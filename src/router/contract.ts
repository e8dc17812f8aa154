import type { ServiceContract } from '../nexus/message.ts';
import { quote } from '../nexus/quote.ts';
import type { EndpointSpec } from './ports.ts';

/** What {@link gateVerdict} decides by. */
export interface GateQuestion {
  /** The operations of the handler that a deploy wants to let serve. */
  readonly candidate: readonly ServiceContract[];
  /** What the registry holds of the endpoint; none before its first deploy. */
  readonly entry: Pick<EndpointSpec, 'services' | 'previousServices'> | undefined;
  /** Lets operations disappear. */
  readonly allowBreakingChange: boolean;
}

/** Whether a handler may serve an endpoint. */
export type GateVerdict =
  | { readonly passes: true }
  | {
      readonly passes: false;
      /** What was found and what to change; long lists of operations are cut. */
      readonly message: string;
      /** All operations that callers would lose, as `service/operation`. */
      readonly removed: readonly string[];
    };

/** Beyond this many a list helps nobody; and the reason of a failed deploy has room for so many bytes of them. */
const MAX_OPERATIONS_LISTED = 20;
const MAX_LIST_BYTES = 800;

/** The operations, as `service/operation`, that callers of `recorded` would not find in `candidate`. */
export function removedOperations(
  recorded: readonly ServiceContract[],
  candidate: readonly ServiceContract[],
): string[] {
  return recorded.flatMap(({ name, operations }) => {
    // By both names: as one text, operation "c" of service "a/b" is the same as operation "b/c" of service "a".
    const kept = new Set(candidate.filter((service) => service.name === name).flatMap((service) => service.operations));
    return operations.filter((operation) => !kept.has(operation)).map((operation) => `${name}/${operation}`);
  });
}

/** Whether both have the same services with the same operations, in whatever order. */
export function isSameContract(one: readonly ServiceContract[], other: readonly ServiceContract[]): boolean {
  return isPartOf(one, other) && isPartOf(other, one);
}

/**
 * Whether a handler may take over an endpoint: its callers lose no operation, or whoever deploys says that they may. What
 * served last, or before the last change, always may, so that a rollback never fails here. A handler without a service
 * never may, nor one with two operations that a gateway cannot tell apart.
 */
export function gateVerdict({ candidate, entry, allowBreakingChange }: GateQuestion): GateVerdict {
  if (candidate.length === 0) {
    const message = 'it serves no service; pass at least one to createServiceHandler({ services: […] })';
    return { passes: false, message, removed: removedOperations(entry?.services ?? [], candidate) };
  }
  const { services = [], previousServices = [] } = entry ?? {};
  if (entry && (isSameContract(candidate, services) || isSameContract(candidate, previousServices)))
    return { passes: true };
  const [twins] = indistinguishable(candidate);
  if (twins !== undefined) {
    const message = `a gateway hands paths on decoded, where these cannot be told apart: ${listed(twins)}; rename one`;
    return { passes: false, message, removed: [] };
  }
  const removed = removedOperations(services, candidate);
  if (removed.length === 0 || allowBreakingChange) return { passes: true };
  const operations = removed.length === 1 ? 'an operation' : `${removed.length} operations`;
  const message =
    `it no longer has ${operations} that callers may use: ${listed(removed)}; keep what callers use (to them a ` +
    'renamed operation is a removed one), or set allowBreakingChange of the endpoint for this deploy';
  return { passes: false, message, removed };
}

/**
 * Operations that have one path once it is decoded, such as `c` of service `a/b` and `b/c` of service `a`. Each is named by
 * its escaped path.
 */
function indistinguishable(contract: readonly ServiceContract[]): string[][] {
  const byPath = new Map<string, string[]>();
  for (const { name, operations } of contract) {
    for (const operation of operations) {
      const path = `${name}/${operation}`;
      const escaped = `${encodeURIComponent(name)}/${encodeURIComponent(operation)}`;
      byPath.set(path, [...(byPath.get(path) ?? []), escaped]);
    }
  }
  return [...byPath.values()].filter((paths) => paths.length > 1);
}

function isPartOf(part: readonly ServiceContract[], whole: readonly ServiceContract[]): boolean {
  const services = new Set(whole.map(({ name }) => name));
  return part.every(({ name }) => services.has(name)) && removedOperations(part, whole).length === 0;
}

function listed(operations: readonly string[]): string {
  const shown: string[] = [];
  let bytes = 0;
  for (const operation of operations.slice(0, MAX_OPERATIONS_LISTED)) {
    const quoted = quote(operation);
    bytes += new TextEncoder().encode(quoted).length;
    if (bytes > MAX_LIST_BYTES) break;
    shown.push(quoted);
  }
  const more = operations.length - shown.length;
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`;
}
