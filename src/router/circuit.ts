import type { CircuitStatus } from './flow-event.ts';

/**
 * The circuit of an endpoint as it is stored; one that was never written is {@link AT_REST}. Times are milliseconds since
 * the epoch.
 *
 * **What opens it.** A streak is failures without a success known in between, over all environments of the router. Each
 * environment adds its own to it, once a second at most, and the first success in an environment that knows of a streak
 * ends it. With `circuitFailures` of 5 it opens
 *
 * 1. at once, where one environment saw five in a row itself; or
 * 2. where the streak has five, and a delivery fails that began when the streak was a second old, or as old as a success
 *    takes: nobody ended it while others had the time to succeed.
 *
 * So a caller that calls one by one opens it with its fifth failure, and an outage that all environments see opens it
 * within two seconds. Counting to five alone would not do: at 1,000 requests a second of which 1 % fail, five environments
 * often fail within the 50 ms before one of them succeeds again, some 60 times an hour. An environment whose own last
 * success is younger than the streak knows that it is none, and begins a new one.
 *
 * Calls one by one that Lambda spreads over several environments open it with the fifth failure, too, where a second lies
 * between the first and the fifth, and between two in the same environment; else with the first one that an environment
 * sees after that second.
 *
 * **What closes it.** After `circuitOpenMs` one request of the whole fleet is let through as a probe, which has a lease: a
 * probe that never ends keeps no other from being made. Its success closes the circuit, its failure opens it anew. One that
 * outlives its lease closes it as well, if nothing failed since it began.
 */
export type StoredCircuit = ClosedCircuit | OpenCircuit;

interface Members {
  /** 0 of one that was never written, one more with every write. */
  readonly version: number;
  readonly lastFailure?: CircuitFailure;
}

export interface CircuitFailure {
  readonly at: number;
  /** Shortened where it is long. */
  readonly message: string;
}

export interface ClosedCircuit extends Members {
  readonly status: 'closed';
  /** Failures without a success known in between. */
  readonly streak: number;
  /** When the first of them came; absent where there is none. */
  readonly since?: number;
  /** When a success or a person last ended a streak, or closed the circuit. */
  readonly clearedAt?: number;
  /** Milliseconds that this success took. */
  readonly successMs?: number;
}

export interface OpenCircuit extends Members {
  readonly status: 'open';
  /** Failures that opened it. */
  readonly streak: number;
  readonly openedAt: number;
  /** When one request is let through; absent where it is open by hand: then none is before somebody resets it. */
  readonly nextProbeAt?: number;
  readonly probe?: Probe;
  readonly tripped?: Tripped;
}

/** The one request that is let through. */
interface Probe {
  readonly id: string;
  /** From then on it counts as lost, and another may be made. */
  readonly leaseUntil: number;
}

/** Who opened it by hand, and why. */
export interface Tripped {
  readonly by: string;
  readonly reason: string;
  readonly at: number;
}

/** Of an endpoint that never failed. */
export const AT_REST: ClosedCircuit = { status: 'closed', version: 0, streak: 0 };

/** What clocks of two machines differ by at most; a time further ahead than any setting is of a clock that was wrong. */
const CLOCK_SKEW_MS = 5_000;

/** No function of Lambda runs longer. */
export const LONGEST_LEASE_MS = 900_000;

/** Whether nothing is known of failures: what an environment need not look at often. */
export function isAtRest(circuit: StoredCircuit = AT_REST): boolean {
  return circuit.status === 'closed' && circuit.streak === 0;
}

/** A probe whose lease is over leaves the circuit open. */
export function statusOf(circuit: StoredCircuit, now: number): CircuitStatus {
  if (circuit.status === 'closed') return 'closed';
  return circuit.probe !== undefined && !isLeaseOver(circuit.probe, now) ? 'probing' : 'open';
}

/** Whether a probe was made that never ended. */
export function isProbeLost(circuit: StoredCircuit, now: number): boolean {
  return circuit.status === 'open' && circuit.probe !== undefined && isLeaseOver(circuit.probe, now);
}

/** What becomes of a request. */
export type CircuitAdmission =
  | { readonly kind: 'through' }
  /** If nobody else is faster: `probeTaken` is to be written first. */
  | { readonly kind: 'probe' }
  /** Milliseconds until it may be tried again. */
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

export function admission(circuit: StoredCircuit, now: number, openMs: number): CircuitAdmission {
  if (circuit.status === 'closed') return { kind: 'through' };
  const { nextProbeAt, probe } = circuit;
  if (nextProbeAt === undefined) return { kind: 'refused', retryAfterMs: openMs };
  if (probe !== undefined && !isLeaseOver(probe, now)) {
    // Its end is likely to be soon, and nobody is told of it.
    return { kind: 'refused', retryAfterMs: Math.min(probe.leaseUntil - now, openMs) };
  }
  const waitMs = nextProbeAt - now;
  // Further ahead than the setting: it was lowered since, or a clock was wrong.
  return waitMs <= 0 || waitMs > openMs + CLOCK_SKEW_MS ? { kind: 'probe' } : { kind: 'refused', retryAfterMs: waitMs };
}

function isLeaseOver({ leaseUntil }: Probe, now: number): boolean {
  return leaseUntil <= now || leaseUntil - now > LONGEST_LEASE_MS + CLOCK_SKEW_MS;
}
