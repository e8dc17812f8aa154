import type { StoredCircuit } from '../../src/router/circuit.ts';
import type { CircuitStore, Endpoint, EndpointRegistry, EndpointSpec } from '../../src/router/ports.ts';

/** Endpoints and their circuits in memory, for hours of simulation; the contract of the adapters holds for the circuits. */
export class MemoryCircuits implements CircuitStore {
  readonly registry: Pick<EndpointRegistry, 'create' | 'update' | 'delete' | 'get' | 'list'>;
  private readonly endpoints = new Map<string, Endpoint>();

  constructor() {
    const put = async (spec: EndpointSpec, version: number) => {
      const endpoint = { ...this.endpoints.get(spec.name), ...spec, version, createdAt: 0, lastModifiedAt: 0 };
      this.endpoints.set(spec.name, endpoint);
      return endpoint;
    };
    this.registry = {
      create: (spec) => put(spec, 1),
      update: (spec, version) => put(spec, version + 1),
      delete: async (name) => void this.endpoints.delete(name),
      get: async (name) => this.endpoints.get(name),
      list: async () => [...this.endpoints.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  }

  async write(name: string, circuit: StoredCircuit): ReturnType<CircuitStore['write']> {
    const endpoint = this.endpoints.get(name);
    const stored = endpoint?.circuit;
    if (endpoint === undefined || (stored?.version ?? 0) !== circuit.version - 1) {
      return { kind: 'conflict', ...(stored && { stored }) };
    }
    this.endpoints.set(name, { ...endpoint, circuit });
    return { kind: 'written' };
  }
}
