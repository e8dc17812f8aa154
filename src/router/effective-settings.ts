import type { EndpointOverride, OverriddenSetting, OverrideMark } from './override.ts';
import type { Endpoint } from './ports.ts';
import { type EndpointSettings, SETTINGS } from './settings.ts';

type Layers = Pick<Endpoint, 'settings' | 'override'>;

/**
 * The settings that hold now: those set at run time where they are and have not expired, else those that the deploy
 * declares. One that neither has is absent, and has the default of `SETTINGS`.
 *
 * A deploy may declare something that a setting of run time does not go with, such as no `requestsPerSecond` where `burst`
 * is overridden: each is then used as it is.
 *
 * @param now milliseconds since the epoch
 */
export function effectiveSettings({ settings = {}, override }: Layers, now: number): EndpointSettings {
  if (override === undefined) return settings;
  const values = entriesInEffect(override, now).map(([name, { value }]) => [name, value]);
  return values.length === 0 ? settings : { ...settings, ...Object.fromEntries(values) };
}

/** The pause that holds now, if one does. */
export function pauseInEffect({ override }: Pick<Layers, 'override'>, now: number): OverrideMark | undefined {
  return override?.paused !== undefined && isInEffect(override.paused, now) ? override.paused : undefined;
}

/** Whether nothing of the endpoint is to be delivered now. */
export function isPaused(endpoint: Pick<Layers, 'override'>, now: number): boolean {
  return pauseInEffect(endpoint, now) !== undefined;
}

/** What is left of an override once all that has expired is taken out. */
export function overrideInEffect(override: EndpointOverride, now: number): EndpointOverride {
  const { version, paused } = override;
  return {
    settings: Object.fromEntries(entriesInEffect(override, now)),
    ...(paused !== undefined && isInEffect(paused, now) && { paused }),
    version,
  };
}

/** A setting that holds another value than the deploy declares. */
export interface Drift {
  readonly setting: keyof EndpointSettings;
  /** Of the deploy, or else the default; absent: no limit. */
  readonly declared?: number;
  readonly effective: number;
  readonly author: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly until?: number;
}

/** The settings that hold another value than the deploy declares, in the order of `SETTINGS`. */
export function drift({ settings = {}, override }: Layers, now: number): Drift[] {
  if (override === undefined) return [];
  const overridden = new Map(entriesInEffect(override, now));
  return SETTING_NAMES.flatMap((setting) => {
    const declared = settings[setting] ?? SETTINGS[setting].default;
    const entry = overridden.get(setting);
    if (entry === undefined || entry.value === declared) return [];
    const { value, author, reason, at, expiresAt } = entry;
    return {
      setting,
      ...(declared !== undefined && { declared }),
      effective: value,
      author,
      reason,
      since: at,
      ...(expiresAt !== undefined && { until: expiresAt }),
    };
  });
}

const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof EndpointSettings)[];

function entriesInEffect({ settings }: EndpointOverride, now: number): [keyof EndpointSettings, OverriddenSetting][] {
  const entries = Object.entries(settings) as [keyof EndpointSettings, OverriddenSetting][];
  return entries.filter(([, entry]) => isInEffect(entry, now));
}

function isInEffect({ expiresAt }: OverrideMark, now: number): boolean {
  return expiresAt === undefined || now < expiresAt;
}
