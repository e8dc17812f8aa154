import { admission, type StoredCircuit, statusOf } from './circuit.ts';
import { circuitSettings } from './circuit-settings.ts';
import { pauseInEffect } from './effective-settings.ts';
import type { Endpoint } from './ports.ts';

/**
 * An ordinary incident is over by then. Until it is, whoever resumes or resets an endpoint finds its queue read: nobody
 * waits for AWS to begin with it again.
 */
export const CLOSED_FIRST_MS = 15 * 60_000;

/** A round of the reconciler, and what AWS takes to begin again. */
export const AHEAD_MS = 2 * 60_000;

/** What is closed for less is read on: it would have to be read again before AWS has stopped, which takes a round as well. */
export const WORTH_MS = 5 * 60_000;

/** Whether a queue is to be read, and why, as a sentence without its end. */
export interface QueueReading {
  readonly read: boolean;
  readonly why: string;
}

/** What keeps an endpoint from being served. */
interface Closing {
  readonly since: number;
  /** Milliseconds that it goes on; infinite where it does until somebody ends it. */
  readonly leftMs: number;
  readonly what: string;
}

/**
 * Whether the queue of these endpoints is to be read. It is not where every one of them is closed for long: paused, or with
 * an open circuit. Each message that is received meanwhile would only be sent again.
 *
 * It is read again {@link AHEAD_MS} before the first of them is to be served. Before one that is read is left alone, they
 * have been closed for {@link CLOSED_FIRST_MS}, and are so for {@link WORTH_MS} more; one that is not read already needs
 * neither, so that whoever extends a pause does not have all that waits received for nothing.
 *
 * @param endpoints all that the queue is known to have; where there is none, it is read
 * @param isRead whether it is now
 * @param now milliseconds since the epoch
 */
export function queueReading(endpoints: readonly Endpoint[], isRead: boolean, now: number): QueueReading {
  const [closedMs, leftMs] = isRead ? [CLOSED_FIRST_MS, WORTH_MS] : [Number.NEGATIVE_INFINITY, AHEAD_MS];
  const reasons: string[] = [];
  for (const endpoint of endpoints) {
    const closings = closingsOf(endpoint, now, leftMs);
    const long = closings.find((one) => now - one.since >= closedMs && one.leftMs > leftMs);
    if (long === undefined) {
      const what = closings[0]?.what;
      return { read: true, why: what === undefined ? `"${endpoint.name}" is served` : `${what}; not for long` };
    }
    reasons.push(long.what);
  }
  if (reasons.length === 0) return { read: true, why: 'no endpoint is known to use it' };
  return { read: false, why: reasons.join('; ') };
}

function closingsOf(endpoint: Endpoint, now: number, aheadMs: number): Closing[] {
  const { name, circuit } = endpoint;
  const closings: Closing[] = [];
  const pause = pauseInEffect(endpoint, now);
  if (pause !== undefined) {
    const { at, expiresAt = Number.POSITIVE_INFINITY, reason } = pause;
    closings.push({ since: at, leftMs: expiresAt - now, what: `"${name}" is paused: ${reason}` });
  }
  if (circuit?.status === 'open') {
    const { tripped, openedAt } = circuit;
    const [since, how] = tripped ? [tripped.at, `open by hand: ${tripped.reason}`] : [openedAt, 'open'];
    // The setting may be one of run time, which ends before.
    const openMs = Math.min(...[now, now + aheadMs].map((at) => circuitSettings(endpoint, at).openMs));
    closings.push({ since, leftMs: leftOf(circuit, now, openMs), what: `the circuit of "${name}" is ${how}` });
  }
  return closings;
}

/** Milliseconds to the next probe; none while one is on its way, whose end is likely to be soon. */
function leftOf(circuit: StoredCircuit, now: number, openMs: number): number {
  if (circuit.status === 'open' && circuit.nextProbeAt === undefined) return Number.POSITIVE_INFINITY;
  const admitted = admission(circuit, now, openMs);
  return admitted.kind === 'refused' && statusOf(circuit, now) === 'open' ? admitted.retryAfterMs : 0;
}
