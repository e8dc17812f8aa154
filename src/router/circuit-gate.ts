import { admission } from './circuit.ts';
import { circuitSettings } from './circuit-settings.ts';
import { failureSeen, probeEnded, probeTaken, successSeen } from './circuit-transitions.ts';
import { circuitRefusal } from './closed-endpoint.ts';
import type { Admitted, Arrival, DeliveryResult, Gate } from './gate.ts';
import {
  createKnownCircuits,
  type Decide,
  isLongAgo,
  type KnownCircuit,
  type KnownCircuitsDeps,
} from './known-circuits.ts';
import type { Endpoint } from './ports.ts';

export interface CircuitGateDeps extends KnownCircuitsDeps {
  /** A new one with every call, over all environments. */
  readonly newId: () => string;
}

/** A streak is raised by one environment once in so long. */
const RAISE_EVERY_MS = 1_000;

/** What changes a streak only can be left to the next request. */
const MOST_RAISES = 3;

/** A direct request takes 30 s at most, and its answer has to be written down. */
const DIRECT_LEASE_MS = 35_000;

/** An attempt of a queue may take minutes: others are not to wait for it that long. */
const LONGEST_PROBE_MS = 60_000;

/**
 * The circuit of each endpoint, as one environment of the router keeps it; {@link StoredCircuit} says by which rules. It
 * takes the view of the registry that comes with a request, and what it wrote or found itself, whichever is newer: no read,
 * and no write where nothing fails. A failure is written once a second at most, but for the one that opens the circuit.
 *
 * It never rejects. While the store cannot be written, each environment goes on with the last circuit that it knows, as if
 * it were alone: its own failures open it, and it makes its own probe. One that knows nothing lets everything through.
 */
export function createCircuitGate(deps: CircuitGateDeps): Gate {
  const { clock, newId } = deps;
  const knownOf = createKnownCircuits(deps);

  /** @param since a success after this time says more than the failure, where that is earlier than now */
  async function failed(
    endpoint: Endpoint,
    known: KnownCircuit,
    { since, ...given }: { beganAt: number; message: string; since?: number },
  ) {
    const at = clock.now();
    if (since !== undefined && since <= known.own.succeededAt) return;
    const settings = circuitSettings(endpoint, at);
    const failure = { at, shared: false, ...(since !== undefined && { since }) };
    const failures = [...known.own.failures, failure].slice(-settings.threshold);
    known.own = { ...known.own, failures };
    const mayRaise = isLongAgo(known.raisedAt, RAISE_EVERY_MS, at);
    if (mayRaise) known.raisedAt = at;
    const decide: Decide = (circuit, attempt) => {
      const next = failureSeen(circuit, { at, ...given }, { own: { ...known.own, failures }, ...settings });
      return next?.status === 'open' || (mayRaise && attempt <= MOST_RAISES) ? next : undefined;
    };
    if (!(await known.change(decide, given.message))) return;
    const shared = known.own.failures.map((one) => (failures.includes(one) ? { ...one, shared: true } : one));
    known.own = { ...known.own, failures: shared };
  }

  async function succeeded(known: KnownCircuit, beganAt: number): Promise<void> {
    const success = rememberSuccess(known, beganAt);
    const decide: Decide = (circuit, attempt) => (attempt <= MOST_RAISES ? successSeen(circuit, success) : undefined);
    if (decide(known.newest(), 1) !== undefined) await known.change(decide, 'a request succeeded');
    else if (known.isUnshared()) await known.publish();
  }

  function rememberSuccess(known: KnownCircuit, beganAt: number) {
    const at = clock.now();
    const successMs = at - beganAt;
    known.own = { failures: [], succeededAt: at, successMs };
    return { at, successMs };
  }

  function letThrough(endpoint: Endpoint, known: KnownCircuit): Admitted {
    const beganAt = clock.now();
    return {
      kind: 'admitted',
      // It is known from now on: others had no time before to end a streak with it.
      crashed: ({ since, message }) => failed(endpoint, known, { since, beganAt: clock.now(), message }),
      async ended(result) {
        if (result.kind === 'failed') await failed(endpoint, known, { beganAt, message: result.message });
        if (result.kind === 'succeeded') await succeeded(known, beganAt);
      },
    };
  }

  /** The circuit is open whatever crashed; and a probe that did is no failure, but lost with its lease. */
  function asProbe(endpoint: Endpoint, known: KnownCircuit, id: string): Admitted {
    const beganAt = clock.now();
    return {
      kind: 'admitted',
      async ended(result) {
        const now = clock.now();
        if (result.kind === 'succeeded') rememberSuccess(known, beganAt);
        const end = { id, result, beganAt, now, openMs: circuitSettings(endpoint, now).openMs };
        await known.change((circuit) => probeEnded(circuit, end), whyOf(result));
      },
    };
  }

  return {
    async admit({ endpoint, leaseMs = DIRECT_LEASE_MS }: Arrival) {
      const known = knownOf(endpoint);
      if (known.newest().status === 'closed') return letThrough(endpoint, known);
      const { openMs } = circuitSettings(endpoint, clock.now());
      const id = newId();
      const decide: Decide = (circuit) => {
        const now = clock.now();
        const isDue = circuit.status === 'open' && admission(circuit, now, openMs).kind === 'probe';
        return isDue ? probeTaken(circuit, { id, now, leaseMs: Math.min(leaseMs, LONGEST_PROBE_MS) }) : undefined;
      };
      if (await known.change(decide, 'a probe is due')) return asProbe(endpoint, known, id);
      const circuit = known.newest();
      return circuit.status === 'closed'
        ? letThrough(endpoint, known)
        : circuitRefusal(endpoint.name, circuit, clock.now(), openMs);
    },
  };
}

function whyOf(result: DeliveryResult): string {
  switch (result.kind) {
    case 'succeeded':
      return 'the probe succeeded';
    case 'failed':
      return result.message;
    case 'unjudged':
      return 'the probe said nothing about the handler';
    case 'not-reached':
      return 'the probe did not reach the handler';
  }
}
