import type { Endpoint } from './ports.ts';
import { SETTINGS } from './settings.ts';

/** The settings of an endpoint's circuit, with their defaults. */
export interface CircuitSettings {
  /** Consecutive failures that open it. */
  readonly threshold: number;
  /** Milliseconds that it is open before a probe. */
  readonly openMs: number;
}

export function circuitSettings({ settings = {} }: Pick<Endpoint, 'settings'>): CircuitSettings {
  const {
    circuitFailures: threshold = SETTINGS.circuitFailures.default ?? 5,
    circuitOpenMs: openMs = SETTINGS.circuitOpenMs.default ?? 60_000,
  } = settings;
  return { threshold, openMs };
}
