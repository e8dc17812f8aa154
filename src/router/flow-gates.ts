import type { Logger } from '../handler/logger.ts';
import { createCircuitGate } from './circuit-gate.ts';
import { createConcurrencyGate } from './concurrency-gate.ts';
import { effectiveSettings } from './effective-settings.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import { type Gate, gates } from './gate.ts';
import { createPauseGate } from './pause-gate.ts';
import type { CircuitStore, Clock, Endpoint, LimitStore } from './ports.ts';
import { createRateGate } from './rate-gate.ts';
import { createStoreReach } from './store-reach.ts';

export interface FlowGatesDeps {
  readonly circuits: CircuitStore;
  readonly limits: LimitStore;
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  /** A new one with every call, over all environments, such as a UUID. */
  readonly newId: () => string;
  readonly logger: Logger;
  readonly emit: EmitFlowEvent;
  /** What the view of the registry has read last. Left out where a request has what is stored when it comes. */
  readonly latest?: (endpoint: string) => Endpoint | undefined;
}

/** What lets requests through to their handlers, in one environment. */
export interface FlowGates {
  /** Of requests that are delivered directly. */
  readonly direct: Gate;
  /** Of attempts that a queue delivers: how many run at a time is the queue's own limit. */
  readonly queued: Gate;
}

/**
 * Makes the gates in the order in which they are asked: a pause costs nothing, an open circuit must not cost tokens, and a
 * start that is over a rate must not hold a slot.
 */
export function createFlowGates(deps: FlowGatesDeps): FlowGates {
  const { circuits, limits: store, logger, clock, newId } = deps;
  const limitDeps = { ...deps, store, reach: createStoreReach(deps), settingsOf: effectiveSettings };
  const circuit = createCircuitGate({
    ...deps,
    store: circuits,
    onUnwritten: (endpoint, error) =>
      logger.warn('a circuit could not be written; this environment goes by its own failures', { endpoint, error }),
  });
  const pause = createPauseGate({ clock });
  const rate = createRateGate(limitDeps);
  return {
    direct: gates(pause, circuit, rate, createConcurrencyGate({ ...limitDeps, newHolder: newId })),
    queued: gates(pause, circuit, rate),
  };
}
