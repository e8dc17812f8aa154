import { operation, service } from 'nexus-rpc';

/** Values as they come and go. */
export const echo = service('echo', {
  /** Gives back what it is given. */
  echo: operation<unknown, unknown>(),
  /** Says what the handler sees: `undefined`, `null`, the name of a class, or `typeof`. */
  kindOf: operation<unknown, string>(),
  /** Says where it runs, logs a line that holds `marker`, and counts. */
  whereAmI: operation<{ marker: string }, Whereabouts>(),
});

export interface Whereabouts {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly endpoint: string;
}

/** What can go wrong. Attempts are counted by `key`, so that every test has its own. */
export const trouble = service('trouble', {
  /** Throws an OperationError whose cause is an ApplicationFailure with details. */
  refuse: operation<{ state: 'failed' | 'canceled' }, never>(),
  /** Throws a non-retryable ApplicationFailure with details. */
  breakDown: operation<void, never>(),
  /** Throws a HandlerError at the first attempt; returns the number of attempts after that. */
  stumble: operation<Stumble, { attempts: number }>(),
  /** Waits at the first attempt until it is aborted; then returns how that was. */
  dawdle: operation<{ key: string }, Dawdled>(),
  /** How often an operation was attempted with this key. */
  attempts: operation<{ key: string }, number>(),
});

export interface Stumble {
  readonly key: string;
  readonly type: string;
  readonly retryableOverride?: boolean;
}

export interface Dawdled {
  readonly attempts: number;
  /** Name and message of the reason that the first attempt's abort signal gave. */
  readonly abortedWith: string;
  /** Milliseconds from the first attempt's start to its `ctx.requestDeadline`. */
  readonly deadlineAfterMs: number;
}

/** Operations that a workflow carries out. */
export const shipping = service('shipping', {
  /** Ships `item` by a workflow of that id; fails where it is broken. */
  ship: operation<{ id: string; item: string; broken?: boolean }, string>(),
  /** Starts a workflow of that id that runs until it is released, or joins the one that runs. */
  hold: operation<{ id: string }, string>(),
  /** Ships after asking the warehouse, by another operation at another endpoint. */
  order: operation<{ id: string; item: string; warehouse: string }, string>(),
});

/** Messages to a workflow that runs. */
export const carts = service('carts', {
  /** Signal, with start. */
  open: operation<{ id: string; label: string }, string>(),
  /** Signal. */
  label: operation<{ id: string; label: string }, void>(),
  /** Update. */
  add: operation<{ id: string; item: string }, number>(),
  /** Query. */
  show: operation<{ id: string }, Cart>(),
});

export interface Cart {
  readonly labels: readonly string[];
  readonly items: readonly string[];
}

/** The other side of `order`. */
export const stock = service('stock', {
  reserve: operation<{ id: string; item: string }, string>(),
});
