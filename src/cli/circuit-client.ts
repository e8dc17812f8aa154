import type { CircuitDescription } from '../router/circuit-description.ts';
import type { AskManagement } from './management-client.ts';

/** What is asked about circuits. Fails with a `ManagementCommandError`. */
export interface CircuitClient {
  list(): Promise<{ readonly circuits: readonly CircuitDescription[] }>;
  describe(endpoint: string): Promise<CircuitDescription>;
  trip(endpoint: string, reason: string): Promise<CircuitDescription>;
  reset(endpoint: string): Promise<CircuitDescription>;
}

export function createCircuitClient(ask: AskManagement): CircuitClient {
  const at = (endpoint: string) => `/circuits/${encodeURIComponent(endpoint)}`;
  return {
    list: () => ask('GET', '/circuits'),
    describe: (endpoint) => ask('GET', at(endpoint)),
    trip: (endpoint, reason) => ask('POST', `${at(endpoint)}/trip`, { query: { reason } }),
    reset: (endpoint) => ask('POST', `${at(endpoint)}/reset`),
  };
}
