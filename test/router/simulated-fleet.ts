import { setImmediate } from 'node:timers/promises';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Admitted, Gate, Refused } from '../../src/router/gate.ts';
import type { Clock, Endpoint, LimitStore } from '../../src/router/ports.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import type { StoreReach } from '../../src/router/store-reach.ts';

/** What becomes of a call of the store: it is made, or repeated since its first answer was lost, or nothing ever answers. */
export type Fate = 'made' | 'repeated' | 'lost' | 'made, answer lost';

interface Call {
  readonly atMs: number;
  readonly go: () => Promise<void>;
}

/** What a gate is made of, in one environment. */
export interface EnvironmentDeps {
  readonly store: LimitStore;
  readonly reach: StoreReach;
  readonly clock: Clock;
  readonly random: () => number;
  readonly emit: (event: FlowEvent) => void;
}

export interface FleetOptions {
  readonly environments: number;
  readonly settings: EndpointSettings;
  readonly createGate: (deps: EnvironmentDeps) => Gate;
  readonly random: () => number;
  /** By how much the clock of an environment is off. Default: not at all. */
  readonly skewMs?: (environment: number) => number;
  /** How long the next call of the store takes. Default: no time. */
  readonly latencyMs?: () => number;
  readonly fate?: () => Fate;
}

export const NOW = Date.UTC(2026, 0, 1);

/** Environments of the router before one store in SQLite, and a clock that the test moves. */
export class SimulatedFleet {
  now = NOW;
  writes = 0;
  readonly events: FlowEvent[] = [];
  readonly endpoint: Endpoint;
  private readonly database = openEphemeralStore();
  readonly store = createSqliteLimitStore(this.database.db);
  private readonly gates: readonly Gate[];
  private readonly lost = new Map<number, number>();
  private readonly calls: Call[] = [];
  private readonly options: FleetOptions;

  constructor(options: FleetOptions) {
    this.options = options;
    const { environments, settings, createGate, random, skewMs = () => 0 } = options;
    const target = { namespace: 'default', taskQueue: 'shop' };
    this.endpoint = { name: 'shop', target, services: [], settings, version: 1, createdAt: NOW, lastModifiedAt: NOW };
    this.gates = Array.from({ length: environments }, (_, environment) =>
      createGate({
        store: this.remoteStore(),
        reach: { call: (ask) => this.reached(environment, ask) },
        clock: { now: () => this.now + skewMs(environment) },
        random,
        emit: (event) => this.events.push(event),
      }),
    );
  }

  /** A start at one of the environments. */
  start(environment: number, principal = 'basic:shop'): Promise<Admitted | Refused> {
    return this.gates[environment]!.admit({ endpoint: this.endpoint, principal, kind: 'start' });
  }

  /** Moves the clock, and lets calls of the store happen when they are due. */
  async advance(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      await setImmediate();
      const next = this.calls.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.calls.splice(this.calls.indexOf(next), 1);
      this.now = Math.max(this.now, next.atMs);
      await next.go();
    }
    this.now = until;
  }

  /** Without a limit of time, which the tests of `StoreReach` are about: here a call that is lost fails at once. */
  private async reached<T>(environment: number, ask: (signal: AbortSignal) => Promise<T>) {
    try {
      return { value: await ask(new AbortController().signal) };
    } catch {
      this.lost.set(environment, this.unanswered(environment) + 1);
      return undefined;
    }
  }

  /** How often the store did not answer one environment. */
  unanswered(environment: number): number {
    return this.lost.get(environment) ?? 0;
  }

  private call<T>(act: () => Promise<T>): Promise<T> {
    const { latencyMs = () => 0, fate = () => 'made' as const } = this.options;
    const answer = Promise.withResolvers<T>();
    const becomes = fate();
    const go = async () => {
      if (becomes === 'lost') return answer.reject(new Error('lost'));
      const value = await act();
      if (becomes === 'made, answer lost') return answer.reject(new Error('the answer is lost'));
      answer.resolve(becomes === 'repeated' ? await act() : value);
    };
    this.calls.push({ atMs: this.now + latencyMs(), go });
    return answer.promise;
  }

  /** The store as whatever runs elsewhere reaches it. */
  remoteStore(): LimitStore {
    const { store } = this;
    const write = <T>(act: () => Promise<T>) => {
      this.writes++;
      return this.call(act);
    };
    return {
      takeTokens: (limit, ask) => write(() => store.takeTokens(limit, ask)),
      heldSlots: (part, now) => this.call(() => store.heldSlots(part, now)),
      takeSlot: (lease, times) => write(() => store.takeSlot(lease, times)),
      extendSlot: (lease, until) => write(() => store.extendSlot(lease, until)),
      freeSlot: (lease) => write(() => store.freeSlot(lease)),
    };
  }

  close(): void {
    this.database.close();
  }
}

/** Numbers from 0 up to 1 that follow from a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
