import { admission, type OpenCircuit } from './circuit.ts';
import { circuitSettings } from './circuit-settings.ts';
import { pauseInEffect } from './effective-settings.ts';
import type { Refused } from './gate.ts';
import type { Endpoint } from './ports.ts';

/** A pause ends when somebody says so: asking again once a minute finds that out, at no cost to anybody. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Where somebody else was faster in every attempt to be the probe. */
const CONTENDED_AGAIN_MS = 1_000;

/** What is said of requests to a paused endpoint; `undefined` where it is not paused now. */
export function pauseRefusal(endpoint: Pick<Endpoint, 'name' | 'override'>, now: number): Refused | undefined {
  const pause = pauseInEffect(endpoint, now);
  if (pause === undefined) return undefined;
  const { reason, expiresAt } = pause;
  const until = expiresAt === undefined ? '' : ` until ${iso(expiresAt)}`;
  return {
    kind: 'refused',
    reason: 'paused',
    retryAfterMs: Math.min(expiresAt === undefined ? MAX_RETRY_AFTER_MS : expiresAt - now, MAX_RETRY_AFTER_MS),
    message: `endpoint "${endpoint.name}" is paused${until}: ${reason}`,
  };
}

/**
 * What is said of requests while a circuit is open. A caller learns that it failed, and not with what: the message of a
 * failure is for whoever made that call, and for whoever may manage the circuit.
 */
export function circuitRefusal(endpoint: string, circuit: OpenCircuit, now: number, openMs: number): Refused {
  const decided = admission(circuit, now, openMs);
  const retryAfterMs = decided.kind === 'refused' ? decided.retryAfterMs : CONTENDED_AGAIN_MS;
  const { tripped, openedAt, streak } = circuit;
  const why =
    tripped === undefined
      ? `after ${streak} ${streak === 1 ? 'failure' : 'failures in a row'}`
      : `by hand: ${tripped.reason}`;
  const next =
    tripped === undefined
      ? `the next request is let through at ${iso(now + retryAfterMs)}`
      : 'no request is let through until somebody resets it';
  return {
    kind: 'refused',
    reason: 'circuit',
    retryAfterMs,
    ...(tripped === undefined && { since: openedAt }),
    message: `the circuit of endpoint "${endpoint}" is open since ${iso(openedAt)}, ${why}; ${next}`,
  };
}

/** Why nothing that waits for an endpoint begins now, as its callers are told; `undefined` where it does. */
export function blockedReason(endpoint: Endpoint, now: number): string | undefined {
  const { name, circuit } = endpoint;
  const paused = pauseRefusal(endpoint, now);
  if (paused !== undefined) return paused.message;
  if (circuit?.status !== 'open') return undefined;
  return circuitRefusal(name, circuit, now, circuitSettings(endpoint, now).openMs).message;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
