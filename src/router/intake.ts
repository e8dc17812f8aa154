import type { Operations } from '../operations/operations.ts';
import type { WakeUp } from '../operations/ports.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { unseenCrash } from '../operations/unseen-crash.ts';
import type { EmitFlowEvent } from './flow-event.ts';
import { type DeliveryResult, type Gate, type Refused, spreadOut } from './gate.ts';
import type { Clock, Endpoint } from './ports.ts';

export interface IntakeDeps {
  /** What is known of an endpoint; `undefined` where it is gone, or nobody can say. */
  readonly endpointOf: (name: string) => Promise<Endpoint | undefined>;
  readonly gate: Gate;
  readonly operations: Pick<Operations, 'defer'>;
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  readonly emit: EmitFlowEvent;
}

/** A message of a task queue, with what its operation is known by before its record is read. */
export interface IncomingWakeUp extends WakeUp {
  readonly endpoint: string;
  readonly principal: string;
  /** Milliseconds that its attempt may take. */
  readonly leaseMs: number;
}

/** Lets attempts of queued operations begin, or has them wait, before they are claimed. */
export interface Intake {
  /**
   * Calls `attempt` where its endpoint's gate lets it through, and tells the gate how it ended: what `attempt` says by
   * `ended`, or nothing where it ran nobody. One that is not let through waits in the queue, without a claim.
   */
  take<T>(message: IncomingWakeUp, attempt: (told: AttemptTold) => Promise<T>): Promise<T | undefined>;
}

/** What an attempt says of itself. */
export interface AttemptTold {
  /**
   * Is to be called with the record as it was claimed, before the handler runs: where nobody saw that the attempt before
   * crashed, the gate is told now. Never rejects.
   */
  began(record: OperationRecord): Promise<void>;
  /** Takes how it ended, and the signal that would have told it to stop: then it says nothing about the handler. */
  ended(result: AttemptResult, canceled: AbortSignal): void;
}

/** How long a backlog over a rate is spread: a token is there in no time, and is for one of those that wait. */
const RATE_SPREAD_MS = 20_000;

/**
 * What waits for a probe comes each time to wait on, and the first that comes makes the probe: the longer the handler has
 * failed, the less is gained by coming often. This share of that time at most is added to it for the last of them.
 */
const OUTAGE_SHARE = 1 / 30;
const LONGEST_OUTAGE_SPREAD_MS = 600_000;

function waitMs(refused: Refused, now: number, random: number): number {
  const { reason, retryAfterMs, since = now } = refused;
  if (reason === 'rate') return Math.ceil(retryAfterMs + RATE_SPREAD_MS * random);
  const outageMs = Math.min((now - since) * OUTAGE_SHARE, LONGEST_OUTAGE_SPREAD_MS);
  return Math.max(spreadOut(retryAfterMs, random), Math.ceil(retryAfterMs + outageMs * random));
}

export function createIntake({ endpointOf, gate, operations, clock, random, emit }: IntakeDeps): Intake {
  return {
    async take(message, attempt) {
      const { principal, leaseMs, reason } = message;
      // A message that was moved back from where dead letters are only takes its operation up again.
      const endpoint = reason === undefined ? await endpointOf(message.endpoint) : undefined;
      const admission = endpoint && (await gate.admit({ endpoint, principal, kind: 'start', leaseMs }));
      if (admission?.kind === 'refused') {
        const now = clock.now();
        await operations.defer(message, now + waitMs(admission, now, random()));
        emit({ kind: 'deferred', endpoint: message.endpoint, reason: admission.reason, principal });
        return undefined;
      }
      let result: DeliveryResult = { kind: 'not-reached' };
      try {
        return await attempt({
          async began(record) {
            result = { kind: 'unjudged' };
            const crash = unseenCrash(record);
            if (crash !== undefined) await admission?.crashed?.(crash);
          },
          ended(how, canceled) {
            if (!canceled.aborted) result = resultOfAttempt(how);
          },
        });
      } finally {
        await admission?.ended(result);
      }
    },
  };
}

/** What the end of an attempt says about its handler, as of a direct delivery. */
function resultOfAttempt(result: AttemptResult): DeliveryResult {
  switch (result.kind) {
    case 'ended':
    case 'handed-over':
      return { kind: 'succeeded' };
    case 'failed':
      return result.retryable ? { kind: 'failed', message: result.message } : { kind: 'succeeded' };
    case 'crashed':
      return { kind: 'failed', message: 'the environment of the handler crashed, or ran out of memory' };
  }
}
