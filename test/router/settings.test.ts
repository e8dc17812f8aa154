import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EndpointSettings, SETTINGS, settingsProblems } from '../../src/router/settings.ts';

const NAMES = Object.keys(SETTINGS) as (keyof EndpointSettings)[];

/** The problems of one setting, with those that it needs beside it. */
function problemsOf(name: string, value: unknown): string[] {
  return settingsProblems({ requestsPerSecond: 1, requestsPerSecondPerCaller: 1, [name]: value });
}

it('has nothing against no settings, nor against members that are undefined', () => {
  expect(settingsProblems({})).toEqual([]);
  expect(settingsProblems(Object.fromEntries(NAMES.map((name) => [name, undefined])))).toEqual([]);
});

it("has Temporal's own numbers as the defaults of circuit and retries, and no limit by default", () => {
  expect(Object.fromEntries(NAMES.map((name) => [name, SETTINGS[name].default]))).toEqual({
    requestsPerSecond: undefined,
    burst: undefined,
    requestsPerSecondPerCaller: undefined,
    burstPerCaller: undefined,
    concurrency: undefined,
    circuitFailures: 5,
    circuitOpenMs: 60_000,
    retryInitialMs: 1_000,
    retryMaxMs: 3_600_000,
    retryAttempts: undefined,
    poisonAttempts: 5,
  });
});

const HOUR_MS = 3_600_000;

describe.each<[keyof EndpointSettings, number, number, 'whole numbers' | 'numbers']>([
  ['requestsPerSecond', 0.01, 100_000, 'numbers'],
  ['burst', 1, 100_000, 'whole numbers'],
  ['requestsPerSecondPerCaller', 0.01, 100_000, 'numbers'],
  ['burstPerCaller', 1, 100_000, 'whole numbers'],
  ['concurrency', 1, 100_000, 'whole numbers'],
  ['circuitFailures', 1, 1_000, 'whole numbers'],
  ['circuitOpenMs', 1_000, HOUR_MS, 'whole numbers'],
  ['retryInitialMs', 100, HOUR_MS, 'whole numbers'],
  ['retryMaxMs', 1_000, 24 * HOUR_MS, 'whole numbers'],
  ['retryAttempts', 1, 1_000_000, 'whole numbers'],
  ['poisonAttempts', 1, 1_000, 'whole numbers'],
])('%s', (name, min, max, kind) => {
  const beside: EndpointSettings = {
    requestsPerSecond: 1,
    requestsPerSecondPerCaller: 1,
    retryInitialMs: 100,
    retryMaxMs: 24 * HOUR_MS,
  };
  const problems = (value: number) => settingsProblems({ ...beside, [name]: value });

  it(`takes ${kind} from ${min} to ${max}, both of them`, () => {
    for (const value of [min, min + 1, max]) expect(problems(value)).toEqual([]);
    expect(problems(min + 0.5)).toHaveLength(kind === 'numbers' ? 0 : 1);
  });

  it('takes nothing beyond them, and says what was given and what is taken', () => {
    for (const value of [min - 0.001, min - 1, max + 1, -min, 0]) {
      const taken = `it takes a ${kind.slice(0, -1)} from ${min} to ${max} (${SETTINGS[name].unit})`;
      expect(problems(value)).toContain(`${name} is ${value}; ${taken}`);
    }
  });
});

it.each<[unknown, string]>([
  ['5', '"5"'],
  [null, 'null'],
  [true, 'true'],
  [[5], '[5]'],
  [{}, '{}'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [5n, '5'],
])('takes no %s as a number', (value, shown) => {
  expect(problemsOf('concurrency', value)).toEqual([
    `concurrency is ${shown}; it takes a whole number from 1 to 100000 (operations at a time)`,
  ]);
});

it.each(['circuitFailure', 'toString', '__proto__', ''])('knows no setting %j, and says which there are', (name) => {
  const settings = JSON.parse(`{${JSON.stringify(name)}: 5}`);
  expect(settingsProblems(settings)).toEqual([`there is no setting "${name}"; there is ${NAMES.join(', ')}`]);
});

it.each([
  ['burst', 'requestsPerSecond'],
  ['burstPerCaller', 'requestsPerSecondPerCaller'],
])('takes %s only with %s, which it belongs to', (burst, rate) => {
  const problem = `${burst} is set without ${rate}, which it belongs to; set both or none`;
  expect(settingsProblems({ [burst]: 5 })).toEqual([problem]);
  expect(settingsProblems({ [burst]: 5, [rate]: 1 })).toEqual([]);
});

it.each<[EndpointSettings, string[]]>([
  [{ retryInitialMs: 2_000, retryMaxMs: 1_999 }, ['retryInitialMs is 2000, more than retryMaxMs, 1999; lower it']],
  [{ retryInitialMs: 2_000, retryMaxMs: 2_000 }, []],
  [{ retryInitialMs: 3_600_000 }, []],
  [{ retryMaxMs: 1_000 }, []],
])('of the first and the longest time between retries, %j, the first is the shorter', (settings, problems) => {
  expect(settingsProblems(settings)).toEqual(problems);
});

it('names every problem, each in a line of its own', () => {
  const problems = settingsProblems({ concurrency: 0, poisonAttempts: 0.5, burst: 1 });
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual(['concurrency', 'poisonAttempts', 'burst']);
});

it('finds a problem exactly where a number is out of its range or in pieces', () => {
  const number = fc.oneof(fc.integer({ min: -10, max: 100_000_000 }), fc.double());
  fc.assert(
    fc.property(fc.constantFrom(...NAMES), number, (name, value) => {
      const { min, max, whole } = SETTINGS[name];
      const legal = value >= min && value <= max && (!whole || Math.floor(value) === value);
      const ofName = problemsOf(name, value).filter((problem) => problem.startsWith(`${name} is ${value};`));
      expect(ofName).toHaveLength(legal ? 0 : 1);
    }),
  );
});
