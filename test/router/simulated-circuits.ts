import type { OpenCircuit, StoredCircuit } from '../../src/router/circuit.ts';
import { createCircuitGate } from '../../src/router/circuit-gate.ts';
import { createEndpointView } from '../../src/router/endpoint-view.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { DeliveryResult } from '../../src/router/gate.ts';
import type { CircuitStore, EndpointRegistry } from '../../src/router/ports.ts';

/** Time that passes as fast as what happens in it is computed. What happens within one tick happens at the same time. */
export class SimulatedTime {
  nowMs = Date.UTC(2026, 0, 1);
  private readonly tickMs: number;
  private readonly due = new Map<number, (() => void)[]>();

  constructor(tickMs = 5) {
    this.tickMs = tickMs;
  }

  now(): number {
    return this.nowMs;
  }

  at(ms: number, run: () => void): void {
    const tick = Math.max(Math.round(ms / this.tickMs), this.nowMs / this.tickMs + 1);
    const others = this.due.get(tick);
    if (others === undefined) this.due.set(tick, [run]);
    else others.push(run);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.nowMs + ms, resolve));
  }

  /** Everything that happens within so many milliseconds. */
  async pass(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      this.nowMs += this.tickMs;
      const tick = this.nowMs / this.tickMs;
      const runs = this.due.get(tick);
      if (runs === undefined) continue;
      this.due.delete(tick);
      for (const run of runs) run();
      await settled(); // all that follows from it at once
    }
  }

  /** Lets time pass until this has happened. */
  async until<T>(happening: Promise<T>): Promise<T> {
    let isOver = false;
    const over = happening.finally(() => {
      isOver = true;
    });
    await settled();
    while (!isOver) await this.pass(this.tickMs);
    return over;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Numbers from 0 to 1 that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a request that begins now ends, and after how many milliseconds; a crash takes its environment along. */
export interface Delivery {
  readonly ends: 'well' | 'badly' | 'unjudged' | 'with a crash';
  readonly ms: number;
}

const RESULTS = {
  well: { kind: 'succeeded' },
  badly: { kind: 'failed', message: 'the bank is down' },
  unjudged: { kind: 'unjudged' },
} as const satisfies Record<string, DeliveryResult>;

export interface FleetOptions {
  readonly time: SimulatedTime;
  readonly random: () => number;
  readonly environments: number;
  /** Where the endpoint `shop` is, and its circuit. */
  readonly table: { readonly circuits: CircuitStore; readonly registry: Pick<EndpointRegistry, 'get'> };
  readonly deliver: () => Delivery;
}

interface Write {
  readonly at: number;
  readonly environment: number;
  readonly circuit: StoredCircuit;
  readonly isWritten: boolean;
}

/** Environments of the router with one endpoint, each with its own view of it, and one request at a time. */
export class Fleet {
  readonly events: (FlowEvent & { readonly kind: 'circuit-changed'; readonly at: number })[] = [];
  readonly writes: Write[] = [];
  readonly counts = { reads: 0, well: 0, badly: 0, unjudged: 0, 'with a crash': 0, refused: 0, unknown: 0 };
  /** While the table cannot be reached. */
  isDown = false;
  /** As it is in the table. */
  stored: StoredCircuit | undefined;
  /** Requests that are being delivered. */
  readonly running = new Set<Delivery>();
  /** Called where a delivery begins. */
  onDelivery: () => void = () => {};
  private readonly options: FleetOptions;
  private readonly environments: ReturnType<Fleet['createEnvironment']>[];
  private ids = 0;

  constructor(options: FleetOptions) {
    this.options = options;
    this.environments = Array.from({ length: options.environments }, (_, index) => this.createEnvironment(index));
  }

  get open(): OpenCircuit | undefined {
    return this.stored?.status === 'open' ? this.stored : undefined;
  }

  /** When it opened after being closed, each time. */
  get openedAt(): number[] {
    return this.events.filter(({ from, to }) => from === 'closed' && to === 'open').map(({ at }) => at);
  }

  /** An answer of the table takes some milliseconds, before and after it is made. */
  private async roundTrip<T>(act: () => Promise<T>): Promise<T> {
    const { time, random } = this.options;
    await time.sleep(1 + random() * 4);
    if (this.isDown) throw new Error('the table is down');
    const result = await act();
    await time.sleep(1 + random() * 4);
    return result;
  }

  private createEnvironment(environment: number) {
    const { time, table } = this.options;
    const view = createEndpointView({
      registry: {
        get: (name) => {
          this.counts.reads++;
          return this.roundTrip(() => table.registry.get(name));
        },
      },
      clock: time,
      onStale: () => {},
    });
    const gate = createCircuitGate({
      store: {
        write: (endpoint, circuit) =>
          this.roundTrip(async () => {
            const result = await table.circuits.write(endpoint, circuit);
            const isWritten = result.kind === 'written';
            if (isWritten) this.stored = circuit;
            this.writes.push({ at: time.now(), environment, circuit, isWritten });
            return result;
          }),
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
  async request(index: number): Promise<Delivery['ends'] | 'refused' | 'unknown'> {
    const { view, gate } = this.environments[index]!;
    const { time, deliver } = this.options;
    const readsBefore = this.counts.reads;
    const endpoint = await view.get('shop').catch(() => undefined);
    if (endpoint === undefined) {
      this.counts.unknown++; // a new environment, while the table cannot be reached
      return 'unknown';
    }
    const admission = await gate.admit({ endpoint, principal: 'basic:shop', kind: 'start' });
    let ends: Delivery['ends'] | 'refused' = 'refused';
    if (admission.kind === 'admitted') {
      const delivery = deliver();
      ends = delivery.ends;
      this.running.add(delivery);
      this.onDelivery();
      await time.sleep(delivery.ms);
      this.running.delete(delivery);
      if (ends !== 'with a crash') await admission.ended(RESULTS[ends]);
    }
    this.counts[ends]++;
    if (ends === 'with a crash') this.environments[index] = this.createEnvironment(index);
    else if (this.counts.reads !== readsBefore) await view.settle();
    return ends;
  }

  /**
   * Lets every environment have one request after the other, at random times: so many a second over all. One whose request
   * takes longer than its turn is late for the next.
   */
  load(requestsPerSecond: number): void {
    const { time, random } = this.options;
    const meanMs = (this.environments.length * 1_000) / requestsPerSecond;
    const serve = async (index: number) => {
      for (let due = time.now(); ; ) {
        due -= Math.log(1 - random()) * meanMs;
        await time.sleep(due - time.now());
        await this.request(index);
      }
    };
    for (const index of this.environments.keys()) void serve(index);
  }
}
