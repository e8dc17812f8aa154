import { describeCircuitStore } from '../contract/circuit-store.contract.ts';
import { MemoryCircuits } from './memory-circuits.ts';

describeCircuitStore('the store of simulations', async () => {
  const circuits = new MemoryCircuits();
  return { circuits, registry: circuits.registry };
});
