import { formatAge } from './age.ts';

/** Where and when something is shown. */
export interface Shown {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Minutes that local time is ahead of UTC, at a time. */
  readonly offsetAt: (ms: number) => number;
  /** Characters of a line; undefined where it is no terminal. */
  readonly width?: number | undefined;
}

/** As the terminal of this process shows it. */
export function shownHere({ columns }: { readonly columns?: number }): Shown {
  return { now: Date.now(), offsetAt: (ms) => -new Date(ms).getTimezoneOffset(), width: columns };
}

/** Local time with its zone and the distance to now: `2026-01-31T10:30:05+01:00 (2h5m ago)`. */
export function formatMoment(time: string, { now, offsetAt }: Shown): string {
  const ms = Date.parse(time);
  return `${formatLocalTime(ms, offsetAt(ms))} (${formatDistance(ms, now)})`;
}

/** ISO 8601 to the second. */
export function formatLocalTime(ms: number, offsetMinutes: number): string {
  const shifted = new Date(ms + offsetMinutes * 60_000).toISOString();
  const distance = Math.abs(offsetMinutes);
  const zone = [Math.floor(distance / 60), distance % 60].map((part) => String(part).padStart(2, '0')).join(':');
  return `${shifted.slice(0, -'.000Z'.length)}${offsetMinutes < 0 ? '-' : '+'}${zone}`;
}

/** `in 37s`, `2h5m ago`, `now`. */
export function formatDistance(ms: number, now: number): string {
  const age = formatAge(Math.abs(ms - now));
  if (age === '0s') return 'now';
  return ms > now ? `in ${age}` : `${age} ago`;
}

/** Columns with their heads, the last one cut where a line would be longer than `width`. Empty for no rows. */
export function formatTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  { width }: Pick<Shown, 'width'>,
): string {
  if (rows.length === 0) return '';
  const lines = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? '')].length)));
  return lines.map((line) => cut(line.map(padded(widths)).join('  ').trimEnd(), width)).join('\n');
}

/** Names and what belongs to them, one under the other. */
export function formatFields(fields: readonly (readonly [name: string, text: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields
    .map(([name, text]) => `${name.padEnd(width)}  ${text.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}`)
    .join('\n');
}

/** Text of somebody else: it must neither make a second line nor steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

function padded(widths: readonly number[]) {
  return (text: string, column: number) => text + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...text].length));
}

function cut(line: string, width: number | undefined): string {
  const characters = [...line];
  return width === undefined || characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`;
}
