import type { DatabaseSync } from 'node:sqlite';
import type { StoredCircuit } from '../router/circuit.ts';
import type { CircuitStore } from '../router/ports.ts';

/** Keeps the circuit of each endpoint in the embedded store, beside what else is known of it. */
export function createSqliteCircuitStore(db: Pick<DatabaseSync, 'prepare'>): CircuitStore {
  const select = db.prepare('SELECT circuit FROM endpoint WHERE name = ?');
  const replace = db.prepare(
    `UPDATE endpoint SET circuit = $circuit WHERE name = $endpoint AND ifnull(circuit ->> 'version', 0) = $before`,
  );

  return {
    async write(endpoint, circuit) {
      const written = replace.run({ endpoint, circuit: JSON.stringify(circuit), before: circuit.version - 1 });
      if (written.changes === 1) return { kind: 'written' };
      const json = select.get(endpoint)?.circuit;
      if (typeof json !== 'string') return { kind: 'conflict' };
      return { kind: 'conflict', stored: JSON.parse(json) as StoredCircuit };
    },
  };
}
