import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EndpointSettings, SETTINGS, settingsProblems } from '../../src/router/settings.ts';

const NAMES = Object.keys(SETTINGS) as (keyof EndpointSettings)[];

/** The problems of one setting, with those that it needs beside it. */
function problemsOf(name: string, value: unknown): string[] {
  return settingsProblems({ ...(name === 'burst' && { requestsPerSecond: 1 }), [name]: value });
}

it('has nothing against no settings, nor against members that are undefined', () => {
  expect(settingsProblems({})).toEqual([]);
  expect(settingsProblems(Object.fromEntries(NAMES.map((name) => [name, undefined])))).toEqual([]);
});

it("has Temporal's own numbers as the defaults of circuit and retries, and no limit by default", () => {
  expect(Object.fromEntries(NAMES.map((name) => [name, SETTINGS[name].default]))).toEqual({
    requestsPerSecond: undefined,
    burst: undefined,
    concurrency: undefined,
    circuitFailures: 5,
    circuitOpenMs: 60_000,
    retryInitialMs: 1_000,
    retryMaxMs: 3_600_000,
    retryAttempts: undefined,
    poisonAttempts: 5,
  });
});

describe.each(NAMES)('%s', (name) => {
  const { min, max, whole, unit, default: byDefault } = SETTINGS[name];
  const retries = { retryInitialMs: { retryMaxMs: 3_600_000 }, retryMaxMs: { retryInitialMs: 100 } };
  const problems = (value: number) =>
    settingsProblems({
      ...(name === 'burst' && { requestsPerSecond: 1 }),
      ...(name in retries && retries[name as keyof typeof retries]),
      [name]: value,
    });

  it('takes its default and both ends of its range', () => {
    for (const value of [min, max, ...(byDefault === undefined ? [] : [byDefault])]) {
      expect(problems(value)).toEqual([]);
    }
  });

  it('takes nothing beyond them, and says what was given and what is taken', () => {
    for (const value of [min - (whole ? 1 : 0.001), max + 1]) {
      expect(problems(value)).toEqual([expect.stringContaining(`${name} is ${value}; it takes `)]);
      expect(problems(value)[0]).toContain(`from ${min} to ${max} (${unit})`);
    }
  });

  it(whole ? 'takes whole numbers only' : 'takes fractions', () => {
    const expected = whole ? [expect.stringContaining('it takes a whole number')] : [];
    expect(problems(min + 0.5)).toEqual(expected);
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

it('takes burst only with the rate that it belongs to', () => {
  expect(settingsProblems({ burst: 5 })).toEqual([expect.stringContaining('burst is set without requestsPerSecond')]);
  expect(settingsProblems({ burst: 5, requestsPerSecond: 1 })).toEqual([]);
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
