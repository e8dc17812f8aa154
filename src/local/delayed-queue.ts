/** Messages in memory, each handled once its time has come. What it holds is lost with the process: the store has it all. */
export interface DelayedQueue<T> {
  /** Where the message has not to wait, it is being handled on return. */
  send(message: T, delayMs: number): void;
  /** Whether a message of this key waits in it, or is being handled. */
  holds(key: string): boolean;
  /** Handles no more messages, and resolves when those under way are done. */
  close(): Promise<void>;
}

export interface DelayedQueueOptions<T> {
  /** Rejects where the message is to come again. */
  readonly handle: (message: T) => Promise<void>;
  readonly keyOf: (message: T) => string;
  /** How many messages are handled at the same time. */
  readonly concurrency: number;
  readonly onError: (error: unknown) => void;
}

/** How long a message that could not be handled waits. */
const AGAIN_MS = 1_000;

export function createDelayedQueue<T>(options: DelayedQueueOptions<T>): DelayedQueue<T> {
  const { handle, keyOf, concurrency, onError } = options;
  /** Messages that are not done, by their keys. */
  const held = new Map<string, number>();
  const timers = new Set<NodeJS.Timeout>();
  const ready: T[] = [];
  const running = new Set<Promise<void>>();
  let closed = false;

  function hold(message: T, by: 1 | -1): void {
    const key = keyOf(message);
    const count = (held.get(key) ?? 0) + by;
    if (count > 0) held.set(key, count);
    else held.delete(key);
  }

  function send(message: T, delayMs: number): void {
    if (closed) return;
    hold(message, 1);
    wait(message, delayMs);
  }

  function wait(message: T, delayMs: number): void {
    if (closed) return;
    if (delayMs > 0) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        wait(message, 0);
      }, delayMs);
      timers.add(timer);
    } else {
      ready.push(message);
      next();
    }
  }

  function next(): void {
    while (!closed && running.size < concurrency) {
      const message = ready.shift();
      if (message === undefined) return;
      const run = handle(message)
        .then(
          () => hold(message, -1),
          (error: unknown) => {
            onError(error);
            wait(message, AGAIN_MS);
          },
        )
        .finally(() => {
          running.delete(run);
          next();
        });
      running.add(run);
    }
  }

  return {
    send,
    holds: (key) => held.has(key),
    async close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
