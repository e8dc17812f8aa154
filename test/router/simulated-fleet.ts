import type { StoredCircuit } from '../../src/router/circuit.ts';
import { createCircuitGate } from '../../src/router/circuit-gate.ts';
import { createEndpointView } from '../../src/router/endpoint-view.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { CircuitStore, Endpoint } from '../../src/router/ports.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';

/** What happens within so many milliseconds happens at the same time, and an hour is computed in seconds. */
const TICK_MS = 5;

/** Time that passes as fast as what happens in it is computed. */
export class SimulatedTime {
  nowMs = Date.UTC(2026, 0, 1);
  private readonly due = new Map<number, (() => void)[]>();

  now(): number {
    return this.nowMs;
  }

  at(ms: number, run: () => void): void {
    const time = Math.max(this.nowMs + TICK_MS, Math.round(ms / TICK_MS) * TICK_MS);
    const others = this.due.get(time);
    if (others === undefined) this.due.set(time, [run]);
    else others.push(run);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.nowMs + ms, resolve));
  }

  /** Everything that happens within so many milliseconds. */
  async pass(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      this.nowMs += TICK_MS;
      const runs = this.due.get(this.nowMs);
      if (runs === undefined) continue;
      this.due.delete(this.nowMs);
      for (const run of runs) run();
      await new Promise(setImmediate); // all that follows from it at once
    }
  }
}

/** Random numbers from 0 to 1 that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface FleetOptions {
  readonly time: SimulatedTime;
  readonly random: () => number;
  readonly environments: number;
  /** Circuits, and what the registry reads of them. */
  readonly circuits: CircuitStore & { get(endpoint: string): StoredCircuit | undefined };
  readonly settings?: EndpointSettings;
  /** How a request that begins now ends, and after how many milliseconds. */
  readonly handler: () => { readonly fails: boolean; readonly ms: number };
}

/** Environments of the router with one endpoint, each with its own view of it and one request at a time. */
export class Fleet {
  readonly events: (FlowEvent & { readonly kind: 'circuit-changed'; readonly at: number })[] = [];
  /** Writes that were tried, and those that took effect. */
  readonly writes: { readonly at: number; readonly environment: number; readonly written: boolean }[] = [];
  readonly counts = { reads: 0, succeeded: 0, failed: 0, refused: 0 };
  /** While the table cannot be reached. */
  isDown = false;
  /** Requests that are let through now, while the stored circuit is open. */
  private readonly options: FleetOptions;
  private readonly environments: ReturnType<Fleet['createEnvironment']>[];
  private ids = 0;

  constructor(options: FleetOptions) {
    this.options = options;
    this.environments = Array.from({ length: options.environments }, (_, index) => this.createEnvironment(index));
  }

  get circuit(): StoredCircuit | undefined {
    return this.options.circuits.get('shop');
  }

  private get endpoint(): Endpoint {
    const { settings } = this.options;
    const target = { namespace: 'default', taskQueue: 'shop' };
    const spec = { name: 'shop', target, services: [], version: 1, createdAt: 0, lastModifiedAt: 0 };
    const { circuit } = this;
    return { ...spec, ...(settings && { settings }), ...(circuit && { circuit }) };
  }

  /** An answer of the table takes some milliseconds, before and after it is made. */
  private async roundTrip<T>(act: () => T): Promise<T> {
    const { time, random } = this.options;
    await time.sleep(1 + random() * 4);
    if (this.isDown) throw new Error('the table is down');
    const result = act();
    await time.sleep(1 + random() * 4);
    return result;
  }

  private createEnvironment(index: number) {
    const { time, circuits } = this.options;
    const view = createEndpointView({
      registry: {
        get: () => {
          this.counts.reads++;
          return this.roundTrip(() => this.endpoint);
        },
      },
      clock: time,
      onStale: () => {},
    });
    const gate = createCircuitGate({
      store: {
        write: async (endpoint, circuit) => {
          const at = time.now();
          const result = await await this.roundTrip(() => circuits.write(endpoint, circuit));
          this.writes.push({ at, environment: index, written: result.kind === 'written' });
          return result;
        },
      },
      clock: time,
      emit: (event) => {
        if (event.kind === 'circuit-changed') this.events.push({ ...event, at: time.now() });
      },
      newId: () => `probe-${this.ids++}`,
      latest: view.latest,
      onUnwritten: () => {},
    });
    return { view, gate };
  }

  /** One request in the environment of this number; resolves to how it ended. */
  async request(index: number): Promise<'succeeded' | 'failed' | 'refused'> {
    const { view, gate } = this.environments[index]!;
    const { time, handler } = this.options;
    const endpoint = (await view.get('shop'))!;
    const admission = await gate.admit({ endpoint, principal: 'basic:shop', kind: 'start' });
    let result: 'succeeded' | 'failed' | 'refused' = 'refused';
    if (admission.kind === 'admitted') {
      const { fails, ms } = handler();
      await time.sleep(ms);
      result = fails ? 'failed' : 'succeeded';
      await admission.ended(fails ? { kind: 'failed', message: 'the handler is down' } : { kind: 'succeeded' });
    }
    await view.settle();
    this.counts[result]++;
    return result;
  }

  /**
   * Lets every environment have one request after the other, at random times: so many a second over all. An environment
   * whose request takes longer than its turn is late for the next ones.
   */
  load(requestsPerSecond: number): void {
    const { time, random } = this.options;
    const meanMs = (this.environments.length * 1_000) / requestsPerSecond;
    const next = (index: number, due: number) => {
      const then = due - Math.log(1 - random()) * meanMs;
      time.at(Math.max(then, time.now()), () => void this.request(index).then(() => next(index, then)));
    };
    for (const index of this.environments.keys()) next(index, time.now());
  }

  transitions(): string[] {
    return this.events.map(({ from, to }) => `${from} → ${to}`);
  }
}
