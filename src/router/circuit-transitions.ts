import {
  type CircuitFailure,
  type ClosedCircuit,
  isAtRest,
  type OpenCircuit,
  type StoredCircuit,
  type Tripped,
} from './circuit.ts';
import type { DeliveryResult } from './gate.ts';

// What becomes of a circuit: each of these takes it as it is, and returns it as it is to be written, of the next version.

/** What one environment saw itself since its own last success, the oldest first. */
export interface OwnResults {
  readonly failures: readonly {
    readonly at: number;
    /** A success after this time ends the streak that it is of. Default: `at`. */
    readonly since?: number;
    /** Whether the stored streak has it. */
    readonly shared: boolean;
  }[];
  /** When its own last success was; minus infinity before the first. */
  readonly succeededAt: number;
  /** Milliseconds that it took. */
  readonly successMs: number;
}

/** An item of DynamoDB below 1 KB takes one unit to write. */
const MAX_MESSAGE_LENGTH = 500;

/**
 * How old a streak is when a delivery begins whose failure shows that it is none by chance: as old as a success takes,
 * since failures are often the faster ones, but no younger or older than this.
 */
const SETTLED_MS = { min: 1_000, max: 30_000 } as const;

/** A probe that says nothing about the handler is made again after so long. */
const PROBE_AGAIN_MS = 1_000;

/**
 * A delivery failed that was let through while the circuit was closed; `undefined` where that changes nothing.
 *
 * @param own with this failure as its last
 * @param threshold consecutive failures that open it
 */
export function failureSeen(
  circuit: StoredCircuit,
  failure: CircuitFailure & { readonly beganAt: number },
  { own, threshold, openMs }: { readonly own: OwnResults; readonly threshold: number; readonly openMs: number },
): StoredCircuit | undefined {
  if (circuit.status === 'open') return undefined;
  const { at, beganAt } = failure;
  const mine = sinceCleared(own, circuit);
  // By another machine's clock it came before the success, or it is of before.
  if (mine.at(-1) !== own.failures.at(-1)) return undefined;
  const isStreak = circuit.since !== undefined && circuit.since > own.succeededAt;
  const streak = isStreak ? circuit.streak + mine.filter(({ shared }) => !shared).length : mine.length;
  const since = (isStreak ? circuit.since : mine[0]?.at) ?? at;
  const members = { version: circuit.version + 1, streak, lastFailure: excerpt(failure) };
  if (mine.length >= threshold || (streak >= threshold && beganAt - since >= settledMs(own, circuit))) {
    return { ...members, status: 'open', openedAt: at, nextProbeAt: at + openMs };
  }
  return { ...circuit, ...members, since };
}

function settledMs(own: OwnResults, { successMs = 0 }: ClosedCircuit): number {
  return Math.min(Math.max(SETTLED_MS.min, own.successMs, successMs), SETTLED_MS.max);
}

/** A success somewhere else ends the environment's own streak as well. */
function sinceCleared({ failures, succeededAt }: OwnResults, { clearedAt }: ClosedCircuit): OwnResults['failures'] {
  if (clearedAt === undefined || clearedAt <= succeededAt) return failures;
  return failures.filter(({ at, since = at }) => since > clearedAt);
}

/** A delivery succeeded that was let through while the circuit was closed; `undefined` where that changes nothing. */
export function successSeen(
  circuit: StoredCircuit,
  { at, successMs }: { readonly at: number; readonly successMs: number },
): StoredCircuit | undefined {
  if (circuit.status === 'open' || circuit.since === undefined || circuit.since > at) return undefined;
  return { ...closed(circuit, at), successMs };
}

/** A request is let through as the probe, where `admission` says so. */
export function probeTaken(
  circuit: OpenCircuit,
  { id, now, leaseMs }: { readonly id: string; readonly now: number; readonly leaseMs: number },
): OpenCircuit {
  return { ...circuit, version: circuit.version + 1, probe: { id, leaseUntil: now + leaseMs } };
}

export interface ProbeEnd {
  readonly id: string;
  readonly result: DeliveryResult;
  readonly beganAt: number;
  readonly now: number;
  readonly openMs: number;
}

/**
 * The probe of this id ended; `undefined` where that changes nothing.
 *
 * One that another was made after says no more than that it succeeded, where nothing has failed since it began: attempts that
 * all take longer than the lease of a probe would else never close the circuit.
 */
export function probeEnded(
  circuit: StoredCircuit,
  { id, result, beganAt, now, openMs }: ProbeEnd,
): StoredCircuit | undefined {
  if (circuit.status === 'closed') return undefined;
  const isLatest = circuit.probe?.id === id;
  if (!isLatest && !(result.kind === 'succeeded' && isUncontradicted(circuit, beganAt))) return undefined;
  const { probe: _, ...open } = circuit;
  const version = circuit.version + 1;
  switch (result.kind) {
    case 'succeeded':
      return { ...closed(circuit, now), successMs: now - beganAt };
    case 'failed': {
      const lastFailure = excerpt({ at: now, message: result.message });
      return { ...open, version, lastFailure, nextProbeAt: now + openMs };
    }
    case 'unjudged':
    case 'not-reached':
      return { ...open, version, nextProbeAt: now + Math.min(PROBE_AGAIN_MS, openMs) };
  }
}

/** Whether nothing has failed, and nobody opened it by hand, since a probe began. */
function isUncontradicted({ tripped, openedAt, lastFailure }: OpenCircuit, beganAt: number): boolean {
  return tripped === undefined && Math.max(openedAt, lastFailure?.at ?? openedAt) <= beganAt;
}

/** Somebody opens it by hand: it stays open until somebody resets it. `undefined` where it is open by hand already. */
export function trippedByHand(circuit: StoredCircuit, { by, reason, at }: Tripped): OpenCircuit | undefined {
  if (circuit.status === 'open' && circuit.tripped !== undefined) return undefined;
  const { streak, lastFailure } = circuit;
  return {
    status: 'open',
    version: circuit.version + 1,
    streak,
    openedAt: circuit.status === 'open' ? circuit.openedAt : at,
    tripped: { by, reason, at },
    ...(lastFailure && { lastFailure }),
  };
}

/** Somebody closes it by hand; `undefined` where there is nothing to close or to forget. */
export function resetByHand(circuit: StoredCircuit, now: number): ClosedCircuit | undefined {
  return isAtRest(circuit) ? undefined : closed(circuit, now);
}

/** What failed last stays to be seen. */
function closed({ version, lastFailure }: StoredCircuit, clearedAt: number): ClosedCircuit {
  return { status: 'closed', version: version + 1, streak: 0, clearedAt, ...(lastFailure && { lastFailure }) };
}

function excerpt({ at, message }: CircuitFailure): CircuitFailure {
  const isLong = message.length > MAX_MESSAGE_LENGTH;
  return { at, message: isLong ? `${message.slice(0, MAX_MESSAGE_LENGTH - 1)}…` : message };
}
