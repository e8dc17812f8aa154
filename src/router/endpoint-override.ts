import { effectiveSettings } from './effective-settings.ts';
import type { OverrideSpec } from './override.ts';
import type { Endpoint } from './ports.ts';
import { settingsProblems } from './settings.ts';

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
