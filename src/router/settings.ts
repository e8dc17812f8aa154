/**
 * What an endpoint's owner may set about the flow of its requests. A deploy declares them; absent members have the
 * defaults of {@link SETTINGS}.
 */
export interface EndpointSettings {
  /** Starts a second that are let through, over all callers. */
  readonly requestsPerSecond?: number;
  /** Starts that may come at once after a quiet time. */
  readonly burst?: number;
  /** Starts a second of any one caller. */
  readonly requestsPerSecondPerCaller?: number;
  /** Starts of one caller that may come at once after a quiet time. */
  readonly burstPerCaller?: number;
  /** Operations that run at the same time. */
  readonly concurrency?: number;
  /** Consecutive failures that open the circuit. */
  readonly circuitFailures?: number;
  /** Milliseconds that an open circuit stays closed to requests before one probe. */
  readonly circuitOpenMs?: number;
  /** Milliseconds before the first retry of a queued operation; doubles with each one. */
  readonly retryInitialMs?: number;
  /** Longest time between two retries of a queued operation, in milliseconds. */
  readonly retryMaxMs?: number;
  /** Attempts of a queued operation after which it fails. */
  readonly retryAttempts?: number;
  /** Attempts of a queued operation that ended with their environment after which it is taken out as poison. */
  readonly poisonAttempts?: number;
}

interface Setting {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
  /** Absent: no limit. */
  readonly default?: number;
  readonly unit: string;
}

const HOUR_MS = 3_600_000;

/** The one definition of names, ranges and defaults, for the constructs, the registry and the runtime alike. */
export const SETTINGS: Readonly<Record<keyof EndpointSettings, Setting>> = {
  requestsPerSecond: { min: 0.01, max: 100_000, whole: false, unit: 'starts a second' },
  burst: { min: 1, max: 100_000, whole: true, unit: 'starts' },
  requestsPerSecondPerCaller: { min: 0.01, max: 100_000, whole: false, unit: 'starts a second of one caller' },
  burstPerCaller: { min: 1, max: 100_000, whole: true, unit: 'starts of one caller' },
  // Lambda's own ceiling for what an account can be raised to is in the tens of thousands.
  concurrency: { min: 1, max: 100_000, whole: true, unit: 'operations at a time' },
  // Temporal's own circuit breaker opens after more than five, and after a minute lets one request through.
  circuitFailures: { min: 1, max: 1_000, whole: true, default: 5, unit: 'consecutive failures' },
  circuitOpenMs: { min: 1_000, max: HOUR_MS, whole: true, default: 60_000, unit: 'milliseconds' },
  // Temporal's own retry policy of Nexus operations.
  retryInitialMs: { min: 100, max: HOUR_MS, whole: true, default: 1_000, unit: 'milliseconds' },
  retryMaxMs: { min: 1_000, max: 24 * HOUR_MS, whole: true, default: HOUR_MS, unit: 'milliseconds' },
  retryAttempts: { min: 1, max: 1_000_000, whole: true, unit: 'attempts' },
  poisonAttempts: { min: 1, max: 1_000, whole: true, default: 5, unit: 'attempts that crashed' },
};

/** Each burst, and the rate that it belongs to. */
const BURSTS = [
  ['burst', 'requestsPerSecond'],
  ['burstPerCaller', 'requestsPerSecondPerCaller'],
] as const;

/** What is wrong with settings, one line each; none where they can be stored. */
export function settingsProblems(settings: EndpointSettings): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(settings) as [string, unknown][]) {
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name as keyof EndpointSettings] : undefined;
    if (setting === undefined) {
      problems.push(`there is no setting "${name}"; there is ${Object.keys(SETTINGS).join(', ')}`);
    } else if (value !== undefined && !isInRange(value, setting)) {
      const { min, max, whole, unit } = setting;
      problems.push(
        `${name} is ${show(value)}; it takes ${whole ? 'a whole number' : 'a number'} from ${min} to ${max} (${unit})`,
      );
    }
  }
  for (const [burst, rate] of BURSTS) {
    if (settings[burst] !== undefined && settings[rate] === undefined) {
      problems.push(`${burst} is set without ${rate}, which it belongs to; set both or none`);
    }
  }
  const { retryInitialMs, retryMaxMs } = settings;
  const [initialMs, maxMs] = [
    retryInitialMs ?? SETTINGS.retryInitialMs.default ?? 0,
    retryMaxMs ?? SETTINGS.retryMaxMs.default ?? 0,
  ];
  if (initialMs > maxMs) problems.push(`retryInitialMs is ${initialMs}, more than retryMaxMs, ${maxMs}; lower it`);
  return problems;
}

function isInRange(value: unknown, { min, max, whole }: Setting): boolean {
  return typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value));
}

/** JSON has neither NaN nor Infinity. */
function show(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}
