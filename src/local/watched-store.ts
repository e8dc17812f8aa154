import type { OperationStore } from '../operations/ports.ts';

/** A store that tells of its writes. */
export interface WatchedStore<Store> {
  readonly store: Store;
  /** Resolves as soon as the record of this token is written, and after `ms` at the latest. */
  changed(token: string, ms: number): Promise<void>;
}

/** The same store, as the only way that leads to it: a write past it is not told of. */
export function watchStore<Store extends OperationStore>(store: Store): WatchedStore<Store> {
  const waiting = new Map<string, Set<() => void>>();

  function tell(token: string): void {
    for (const wake of waiting.get(token) ?? []) wake();
  }

  return {
    store: {
      ...store,
      async update(read, next) {
        const written = await store.update(read, next);
        if (written) tell(next.token);
        return written;
      },
    },
    changed: (token, ms) =>
      new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          const others = waiting.get(token);
          others?.delete(wake);
          if (others?.size === 0) waiting.delete(token);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        waiting.set(token, (waiting.get(token) ?? new Set()).add(wake));
      }),
  };
}
