import { InvalidArgumentError } from 'commander';

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

const AGE = /^(?=.)(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/;

/** Milliseconds of `90s`, `10m`, `2h`, `3d`, or of several together, the greatest first: `1d12h`. */
export function parseAge(text: string): number {
  const match = AGE.exec(text);
  if (match === null) throw new InvalidArgumentError('Give a time such as 90s, 10m, 2h, 3d or 1h30m.');
  return UNITS.reduce((sum, [, ms], index) => sum + Number(match[index + 1] ?? 0) * ms, 0);
}

/** The reverse, of whole seconds: no more than the two greatest units, `2h5m` for two hours and 305 seconds. */
export function formatAge(ms: number): string {
  let left = Math.max(0, ms);
  const greatest = UNITS.findIndex(([, unitMs]) => left >= unitMs);
  if (greatest < 0) return '0s';
  const parts = UNITS.slice(greatest, greatest + 2).map(([unit, unitMs]) => {
    const count = Math.floor(left / unitMs);
    left -= count * unitMs;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.join('');
}
