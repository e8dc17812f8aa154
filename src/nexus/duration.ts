const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const DURATION = /^([+-]?)(0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** The longest time that a Go server can mean: 2^63 nanoseconds, 292 years. */
const MAX_DURATION_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a timeout header, fractional where it says so: `250ms`, `1.5s`, `2m` of the Nexus specification, and
 * Go's durations (`1m30s`, `59.998123s`, `-5s`), which Temporal up to 1.30 sends in `Operation-Timeout`. Negative means
 * that the time is over. `undefined` where the text is neither.
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  const [, sign, parts] = match;
  let ms = 0;
  for (const [, count, unit] of (parts as string).matchAll(PART)) ms += Number(count) * (UNIT_MS[unit as string] ?? 0);
  if (ms > MAX_DURATION_MS) return undefined;
  return sign === '-' && ms > 0 ? -ms : ms;
}

/**
 * A timeout as the Nexus specification writes it: `1500ms`. Parts of a millisecond are rounded up, since `0ms` is no
 * timeout at all to Temporal.
 *
 * @throws RangeError for a negative time, and for one that a Go server cannot hold.
 */
export function formatDuration(ms: number): string {
  if (!(ms >= 0 && ms <= MAX_DURATION_MS)) {
    throw new RangeError(`a timeout takes 0 to ${MAX_DURATION_MS} milliseconds; ${ms} was given`);
  }
  return `${Math.ceil(ms)}ms`;
}
