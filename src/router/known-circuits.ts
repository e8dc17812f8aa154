import { AT_REST, isProbeLost, type StoredCircuit, statusOf } from './circuit.ts';
import type { OwnResults } from './circuit-transitions.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import type { CircuitStore, Clock, Endpoint } from './ports.ts';

export interface KnownCircuitsDeps {
  readonly store: CircuitStore;
  readonly clock: Clock;
  /** Told of every transition. */
  readonly emit: EmitFlowEvent;
  /** What the view of the registry has read last. Left out where a request has what is stored when it comes. */
  readonly latest?: (endpoint: string) => Endpoint | undefined;
  /** Told of writes that failed, once in five seconds at most. */
  readonly onUnwritten: (endpoint: string, error: unknown) => void;
}

/** Decides by what is known, in the first attempt and in those after somebody else wrote; `undefined` leaves it. */
export type Decide = (circuit: StoredCircuit, attempt: number) => StoredCircuit | undefined;

/** What one environment knows of the circuit of one endpoint. */
export interface KnownCircuit {
  /** By the view that a request came with, by the last one, or by what this environment wrote or found itself. */
  newest(): StoredCircuit;
  /**
   * Decides and writes until nobody was in between. False where nothing was decided.
   *
   * What cannot be written holds for this environment, until it learns of a write that came after the one it was made from.
   */
  change(decide: Decide, why: string): Promise<boolean>;
  /** Whether the last change could not be written, and is known here alone. */
  isUnshared(): boolean;
  /** Writes what could not be written when it was decided, unless somebody wrote since. To be called as requests succeed. */
  publish(): Promise<void>;
  /** Of this environment alone. */
  own: OwnResults;
  /** When this environment last wrote a failure. */
  raisedAt: number;
}

/** How long a request waits for a write. */
const WRITE_MS = 500;

/** A write that failed is not tried again for this long: a table that is down must not cost every request its wait. */
const WRITE_AGAIN_MS = 5_000;

/** All that fail at the same time may want to open it, and each learns by its write what the others wrote. */
const MOST_ATTEMPTS = 10;

const UNSHARED = ' (known to this environment alone: the store of circuits could not be written)';

const NEVER = Number.NEGATIVE_INFINITY;

/** A clock that was set back must not put anything off. */
export function isLongAgo(time: number, ms: number, now: number): boolean {
  return now < time || now - time >= ms;
}

/** What this environment knows of the endpoint that a request came with. It holds what exists only. */
export function createKnownCircuits(deps: KnownCircuitsDeps): (endpoint: Endpoint) => KnownCircuit {
  const { store, clock, emit, latest, onUnwritten } = deps;
  const all = new Map<
    string,
    { readonly createdAt: number; readonly known: KnownCircuit; see(view: Endpoint): void }
  >();
  let unwrittenAt = NEVER;

  function create({ name, createdAt }: Endpoint) {
    /** Where it could not be written, it has the version of the stored one that it was made from. */
    let circuit: StoredCircuit = AT_REST;
    let unshared = false;

    function see(view: Endpoint | undefined): void {
      const seen = view?.createdAt === createdAt ? view.circuit : undefined;
      if (seen === undefined || seen.version <= circuit.version) return;
      circuit = seen;
      unshared = false;
    }

    function newest(): StoredCircuit {
      see(latest?.(name));
      return circuit;
    }

    function learn(stored: StoredCircuit = AT_REST): void {
      circuit = stored;
      unshared = false;
    }

    async function publish(): Promise<void> {
      const own = newest();
      if (!unshared) return;
      const next = { ...own, version: own.version + 1 };
      const written = await write(name, next);
      if (written?.kind === 'conflict') learn(written.stored);
      else if (written !== undefined && circuit === own) learn(next);
    }

    async function change(decide: Decide, why: string): Promise<boolean> {
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
        const read = newest();
        const next = decide(read, attempt);
        if (next === undefined) return false;
        const written = await write(name, next);
        if (written?.kind === 'conflict') {
          learn(written.stored);
        } else if (written !== undefined || circuit === read) {
          circuit = written === undefined ? { ...next, version: read.version } : next;
          unshared = written === undefined;
          announce(name, read, next, written === undefined ? why + UNSHARED : why);
          return true;
        }
      }
      return false;
    }

    const own: OwnResults = { failures: [], succeededAt: NEVER, successMs: 0 };
    return { createdAt, see, known: { newest, change, isUnshared: () => unshared, publish, own, raisedAt: NEVER } };
  }

  /** `undefined` where the store cannot be written. */
  async function write(endpoint: string, next: StoredCircuit) {
    if (!isLongAgo(unwrittenAt, WRITE_AGAIN_MS, clock.now())) return undefined;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${WRITE_MS} ms`)), WRITE_MS);
    try {
      return await store.write(endpoint, next, late.signal);
    } catch (error) {
      unwrittenAt = clock.now();
      onUnwritten(endpoint, error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  function announce(endpoint: string, read: StoredCircuit, next: StoredCircuit, why: string): void {
    const now = clock.now();
    const from = statusOf(read, now);
    const to = statusOf(next, now);
    if (isProbeLost(read, now)) {
      const lost = 'the probe did not end in its time';
      emit({ kind: 'circuit-changed', endpoint, from: 'probing', to: 'open', why: lost });
    }
    if (from !== to) emit({ kind: 'circuit-changed', endpoint, from, to, why });
  }

  return (endpoint) => {
    let entry = all.get(endpoint.name);
    if (entry?.createdAt !== endpoint.createdAt) {
      entry = create(endpoint); // another one may have had this name before
      all.set(endpoint.name, entry);
    }
    entry.see(endpoint);
    return entry.known;
  };
}
