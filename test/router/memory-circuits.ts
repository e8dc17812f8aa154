import { isDeepStrictEqual } from 'node:util';
import type { StoredCircuit } from '../../src/router/circuit.ts';
import type { CircuitStore, CircuitWrite } from '../../src/router/ports.ts';

/** Circuits in memory, for simulations of hours; the contract suite holds it to what the adapters do. */
export class MemoryCircuits implements CircuitStore {
  private readonly stored = new Map<string, StoredCircuit>();

  get(endpoint: string): StoredCircuit | undefined {
    return this.stored.get(endpoint);
  }

  delete(endpoint: string): void {
    this.stored.delete(endpoint);
  }

  async write(endpoint: string, circuit: StoredCircuit): Promise<CircuitWrite> {
    const stored = this.stored.get(endpoint);
    if ((stored?.version ?? 0) !== circuit.version - 1) {
      if (isDeepStrictEqual(stored, circuit)) return { kind: 'written' };
      return { kind: 'conflict', ...(stored && { stored }) };
    }
    this.stored.set(endpoint, circuit);
    return { kind: 'written' };
  }
}
