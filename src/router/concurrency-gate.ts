import { MAX_TIMEOUT_MS } from './caller.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import type { Admitted, Gate, Refused } from './gate.ts';
import type { Clock, Endpoint, LimitStore, SlotLease } from './ports.ts';
import type { EndpointSettings } from './settings.ts';
import { CLOCKS_DIFFER_MS, freeSlots, partsToTry, type SlotPart } from './slots.ts';
import type { StoreReach } from './store-reach.ts';

export interface ConcurrencyGateDeps {
  readonly store: Pick<LimitStore, 'heldSlots' | 'takeSlot' | 'freeSlot'>;
  readonly reach: StoreReach;
  readonly clock: Clock;
  readonly random: () => number;
  /** A new one with each call, such as a UUID. */
  readonly newHolder: () => string;
  readonly emit: EmitFlowEvent;
  /** The settings that hold now. Default: those that the endpoint was deployed with. */
  readonly settingsOf?: (endpoint: Endpoint, now: number) => EndpointSettings;
  /** How long a slot stays with a delivery that never ends. Default: {@link SLOT_LEASE_MS}. */
  readonly leaseMs?: number;
}

/** As long as a direct delivery takes at most, and a margin for its way to the handler and for clocks that differ. */
export const SLOT_LEASE_MS = MAX_TIMEOUT_MS + CLOCKS_DIFFER_MS;

/** Slots of a part that one start tries to take: each that fails was taken by another one since it was seen free. */
const MAX_TRIES = 3;

/** An environment that found no slot does not look again before this, and four times as long when it finds none again. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

const HEADROOM_EVERY_MS = 1_000;

/** One start that looks for a slot. */
interface Search {
  readonly name: string;
  readonly concurrency: number;
  /** The last one that it asked for. */
  tried?: SlotLease;
}

interface Kept {
  refusals: number;
  pausedUntil: number;
  toldAt?: number;
}

/**
 * Lets so many operations of an endpoint run at the same time, over all environments. Where the store cannot be reached,
 * starts are let through.
 */
export function createConcurrencyGate(deps: ConcurrencyGateDeps): Gate {
  const { store, reach, clock, random, newHolder, emit } = deps;
  const { leaseMs = SLOT_LEASE_MS, settingsOf = ({ settings = {} }) => settings } = deps;
  const seen = new Map<string, Kept>();

  function keptOf(name: string): Kept {
    const kept = seen.get(name) ?? { refusals: 0, pausedUntil: 0 };
    seen.set(name, kept);
    return kept;
  }

  async function takeSlot(search: Search, signal: AbortSignal): Promise<SlotLease | undefined> {
    const parts = partsToTry(`${search.name}#slots`, search.concurrency, random());
    for (const part of parts) {
      const lease = await takeSlotOf(part, search, signal);
      if (lease !== undefined) return lease;
    }
    return undefined;
  }

  async function takeSlotOf(part: SlotPart, search: Search, signal: AbortSignal): Promise<SlotLease | undefined> {
    const { name, concurrency } = search;
    const free = freeSlots(part, await store.heldSlots(part.part, clock.now(), signal), random());
    tellHeadroom(name, concurrency, Math.max(0, free.length - 1) / (part.end - part.first));
    for (const slot of free.slice(0, MAX_TRIES)) {
      const lease = { part: part.part, slot, holder: newHolder() };
      search.tried = lease;
      const now = clock.now();
      if (await store.takeSlot(lease, { now, until: now + leaseMs }, signal)) return lease;
    }
    return undefined;
  }

  /** What is free in the part that was looked into stands for all. */
  function tellHeadroom(endpoint: string, limit: number, share: number): void {
    const kept = keptOf(endpoint);
    const now = clock.now();
    if (kept.toldAt !== undefined && Math.abs(now - kept.toldAt) < HEADROOM_EVERY_MS) return;
    kept.toldAt = now;
    emit({ kind: 'headroom', endpoint, of: 'concurrency', left: Math.round(share * limit), limit });
  }

  function admittedWith(lease: SlotLease): Admitted {
    let ended = false;
    return {
      kind: 'admitted',
      slot: {
        lease,
        leave() {
          ended = true;
        },
      },
      async ended() {
        if (ended) return;
        ended = true;
        await reach.call((signal) => store.freeSlot(lease, signal), { isOwed: true });
      },
    };
  }

  function refusal(name: string, concurrency: number, retryAfterMs: number): Refused {
    const operations = concurrency === 1 ? 'one operation runs' : `${concurrency} operations run`;
    const message = `endpoint "${name}": ${operations} already, which is its limit; its owner may raise concurrency`;
    return { kind: 'refused', reason: 'concurrency', retryAfterMs, message };
  }

  return {
    async admit({ endpoint, kind }) {
      const { name } = endpoint;
      const { concurrency } = settingsOf(endpoint, clock.now());
      if (kind !== 'start' || concurrency === undefined) return FREE;
      const kept = keptOf(name);
      const pauseMs = kept.pausedUntil - clock.now();
      // A clock that was set back must not keep it closed.
      if (pauseMs > 0 && pauseMs <= LONGEST_PAUSE_MS) return refusal(name, concurrency, pauseMs);
      const search: Search = { name, concurrency };
      const answered = await reach.call((signal) => takeSlot(search, signal));
      // A slot whose answer did not come in time may have been taken.
      if (answered === undefined) return search.tried ? admittedWith(search.tried) : FREE;
      if (answered.value !== undefined) {
        kept.refusals = 0;
        return admittedWith(answered.value);
      }
      const longest = Math.min(FIRST_PAUSE_MS * 4 ** kept.refusals++, LONGEST_PAUSE_MS);
      const waitMs = Math.ceil(longest * (0.5 + 0.5 * random()));
      kept.pausedUntil = clock.now() + waitMs;
      return refusal(name, concurrency, waitMs);
    },
  };
}

const FREE: Admitted = { kind: 'admitted', ended: async () => {} };
