import type { Clock } from '../../src/router/ports.ts';

/** A clock that goes on only where a test lets time pass, and the waiting that goes by it. */
export class SimulatedTime implements Clock {
  nowMs = Date.UTC(2026, 0, 1);
  readonly #alarms = new Set<{ readonly at: number; readonly ring: () => void }>();

  now(): number {
    return this.nowMs;
  }

  wait(ms: number): Promise<void> {
    return new Promise((ring) => this.#alarms.add({ at: this.nowMs + ms, ring }));
  }

  /** Lets everything happen that happens within so many milliseconds, each at its time. */
  async pass(ms: number): Promise<void> {
    const until = this.nowMs + ms;
    for (;;) {
      await settled();
      const due = [...this.#alarms].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#alarms.delete(due);
      this.nowMs = due.at;
      due.ring();
    }
    this.nowMs = until;
  }
}

/** Resolves when everything that waits for nothing but promises has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
