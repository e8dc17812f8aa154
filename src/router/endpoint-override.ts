import { effectiveSettings } from './effective-settings.ts';
import type { Endpoint } from './ports.ts';
import { type EndpointSettings, settingsProblems } from './settings.ts';

/** Who set something at run time, why, and for how long. */
export interface OverrideMark {
  /** The principal that asked for it. */
  readonly author: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds since the epoch; from then on, what the deploy declares holds again. Absent: until somebody takes it back. */
  readonly expiresAt?: number;
}

/** A setting's value at run time. */
export interface OverriddenSetting extends OverrideMark {
  readonly value: number;
}

/**
 * What people set of an endpoint at run time, over what its deploy declares. Each setting has its own author and expiry: a
 * pause of ten minutes must not end a limit that somebody else set for the day.
 */
export interface EndpointOverride {
  readonly settings: Readonly<Partial<Record<keyof EndpointSettings, OverriddenSetting>>>;
  /** Present where nothing is to be delivered. */
  readonly paused?: OverrideMark;
  /** 1 when first written, one more with every change; what is taken back leaves an empty override with the next version. */
  readonly version: number;
}

/** An override without what the registry adds. */
export type OverrideSpec = Omit<EndpointOverride, 'version'>;

/**
 * The endpoint's version with that of its override: one more with every change of either, so that it names one state of
 * both.
 */
export function fullVersion({ version, override }: Pick<Endpoint, 'version' | 'override'>): number {
  return version + (override?.version ?? 0);
}

/**
 * Fails with a TypeError that says what is wrong where an endpoint cannot be overridden so. What a deploy or an expiry left
 * wrong is no reason: it must not keep anybody from a pause.
 *
 * @param read the endpoint as it is
 * @param now milliseconds since the epoch
 */
export function checkOverride(
  read: Pick<Endpoint, 'name' | 'settings' | 'override'>,
  next: OverrideSpec,
  now: number,
): void {
  const before = settingsProblems(effectiveSettings(read, now));
  const after = Object.entries(next.settings).map(([name, { value }]) => [name, value] as const);
  const problems = settingsProblems({ ...read.settings, ...Object.fromEntries(after) }).filter(
    (problem) => !before.includes(problem),
  );
  const marks = [...Object.values(next.settings), ...(next.paused === undefined ? [] : [next.paused])];
  if (marks.some(({ author }) => author === '')) problems.push('an override needs an author');
  if (marks.some(({ reason }) => reason.trim() === '')) problems.push('an override needs a reason');
  if (marks.some(({ at, expiresAt = at }) => !Number.isSafeInteger(at) || !Number.isSafeInteger(expiresAt))) {
    problems.push('the times of an override are whole milliseconds since the epoch');
  }
  if (problems.length > 0) throw new TypeError(`endpoint "${read.name}": ${problems.join('; ')}`);
}
