import { AT_REST, statusOf } from './circuit.ts';
import { type CircuitSettings, circuitSettings } from './circuit-settings.ts';
import type { CircuitStatus } from './flow-event.ts';
import type { Endpoint } from './ports.ts';

/** What the management API shows of a circuit, as JSON. Times are ISO 8601 in UTC. */
export interface CircuitDescription {
  readonly endpoint: string;
  /** `closed` lets requests through, `open` refuses them, `probing` has let one through to see. */
  readonly status: CircuitStatus;
  /** Failures in a row: those until now, or those that opened it. */
  readonly streak: number;
  /** When the first of them was; of one that is open, when it opened. */
  readonly since?: string;
  readonly lastFailure?: { readonly at: string; readonly message: string };
  /** Of one that is open: when one request is let through. Absent where somebody opened it by hand. */
  readonly nextProbeAt?: string;
  /** Of one that is probing: when another one is let through if this one does not end. */
  readonly probeUntil?: string;
  /** Who opened it by hand, why and when: it stays open until somebody resets it. */
  readonly tripped?: { readonly by: string; readonly reason: string; readonly at: string };
  readonly settings: {
    /** Failures in a row that open it. */
    readonly circuitFailures: CircuitSettings['threshold'];
    /** Milliseconds from there to the next probe. */
    readonly circuitOpenMs: CircuitSettings['openMs'];
  };
}

export function describeCircuit(endpoint: Endpoint, now: number): CircuitDescription {
  const { name, circuit = AT_REST } = endpoint;
  const { threshold: circuitFailures, openMs: circuitOpenMs } = circuitSettings(endpoint, now);
  const { streak, lastFailure } = circuit;
  const status = statusOf(circuit, now);
  const open = circuit.status === 'open' ? circuit : undefined;
  const since = circuit.status === 'open' ? circuit.openedAt : circuit.since;
  const { nextProbeAt, probe, tripped } = open ?? {};
  return {
    endpoint: name,
    status,
    streak,
    ...(since !== undefined && { since: iso(since) }),
    ...(lastFailure && { lastFailure: { ...lastFailure, at: iso(lastFailure.at) } }),
    ...(status === 'open' && nextProbeAt !== undefined && { nextProbeAt: iso(nextProbeAt) }),
    ...(status === 'probing' && probe && { probeUntil: iso(probe.leaseUntil) }),
    ...(tripped && { tripped: { ...tripped, at: iso(tripped.at) } }),
    settings: { circuitFailures, circuitOpenMs },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
