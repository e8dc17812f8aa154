import { effectiveSettings } from './effective-settings.ts';
import type { Endpoint } from './ports.ts';
import { SETTINGS } from './settings.ts';

/** The settings of an endpoint's circuit, with their defaults. */
export interface CircuitSettings {
  /** Consecutive failures that open it. */
  readonly threshold: number;
  /** Milliseconds that it is open before a probe. */
  readonly openMs: number;
}

export function circuitSettings(endpoint: Pick<Endpoint, 'settings' | 'override'>, now: number): CircuitSettings {
  const {
    circuitFailures: threshold = SETTINGS.circuitFailures.default ?? 5,
    circuitOpenMs: openMs = SETTINGS.circuitOpenMs.default ?? 60_000,
  } = effectiveSettings(endpoint, now);
  return { threshold, openMs };
}
