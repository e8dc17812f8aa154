import { statusOf } from '../router/circuit.ts';
import { resetByHand } from '../router/circuit-transitions.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import type { CircuitStore, Clock, EndpointRegistry } from '../router/ports.ts';

interface CircuitDeps {
  readonly registry: Pick<EndpointRegistry, 'get'>;
  readonly store: CircuitStore;
  readonly clock: Clock;
  /** Told where it was not closed before. */
  readonly emit: EmitFlowEvent;
}

/**
 * Lets requests through again, since another version of the handler serves: what was saved may be what mends it. A circuit
 * that somebody opened stays open.
 */
export async function closeCircuit(endpoint: string, { registry, store, clock, emit }: CircuitDeps): Promise<void> {
  const { circuit } = (await registry.get(endpoint)) ?? {};
  if (circuit === undefined || (circuit.status === 'open' && circuit.tripped !== undefined)) return;
  const closed = resetByHand(circuit, clock.now());
  // Where a request was faster, the next version or the next probe closes it.
  if (closed === undefined || (await store.write(endpoint, closed)).kind !== 'written') return;
  const from = statusOf(circuit, clock.now());
  if (from !== 'closed') emit({ kind: 'circuit-changed', endpoint, from, to: 'closed', why: 'another version serves' });
}
