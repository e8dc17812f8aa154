import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drift,
  effectiveSettings,
  isPaused,
  overrideInEffect,
  pauseInEffect,
} from '../../src/router/effective-settings.ts';
import type { EndpointOverride } from '../../src/router/override.ts';
import { type EndpointSettings, SETTINGS } from '../../src/router/settings.ts';

const NAMES = Object.keys(SETTINGS) as (keyof EndpointSettings)[];
const NOW = 1_000_000;
const mark = { author: 'iam:arn:aws:iam::1:role/OnCall', reason: 'incident 42', at: NOW - 60_000 };

const TIME = fc.integer({ min: NOW - 1_000, max: NOW + 1_000 });
const MARK = fc.record(
  { author: fc.string(), reason: fc.string(), at: TIME, expiresAt: TIME },
  { requiredKeys: ['author', 'reason', 'at'] },
);
const VALUE = fc.integer({ min: 1, max: 3 });
const SETTINGS_OF = fc.dictionary(fc.constantFrom(...NAMES), VALUE) as fc.Arbitrary<EndpointSettings>;
const OVERRIDE = fc.record(
  {
    settings: fc.dictionary(
      fc.constantFrom(...NAMES),
      fc.tuple(MARK, VALUE).map(([one, value]) => ({ ...one, value })),
    ),
    paused: MARK,
    version: fc.integer({ min: 1, max: 9 }),
  },
  { requiredKeys: ['settings', 'version'] },
) as fc.Arbitrary<EndpointOverride>;
const ENDPOINT = fc.record({ settings: SETTINGS_OF, override: OVERRIDE }, { requiredKeys: [] });

describe('the settings in effect', () => {
  it('are those of the deploy where nothing is set at run time', () => {
    expect(effectiveSettings({}, NOW)).toEqual({});
    const settings = { burst: 5, requestsPerSecond: 1 };
    expect(effectiveSettings({ settings }, NOW)).toEqual(settings);
    expect(effectiveSettings({ settings, override: { settings: {}, version: 1 } }, NOW)).toEqual(settings);
  });

  it('are those of run time where there are, and those of the deploy beside them', () => {
    const override = { settings: { requestsPerSecond: { value: 9, ...mark } }, version: 1 };
    const settings = { burst: 5, requestsPerSecond: 1 };
    expect(effectiveSettings({ settings, override }, NOW)).toEqual({ burst: 5, requestsPerSecond: 9 });
    expect(effectiveSettings({ override }, NOW)).toEqual({ requestsPerSecond: 9 });
  });

  it('are those of run time until the millisecond in which each expires', () => {
    const override: EndpointOverride = {
      settings: {
        requestsPerSecond: { value: 9, ...mark, expiresAt: NOW },
        retryAttempts: { value: 3, ...mark, expiresAt: NOW + 1_000 },
      },
      version: 1,
    };
    const at = (now: number) => effectiveSettings({ settings: { requestsPerSecond: 1 }, override }, now);
    expect(at(NOW - 1)).toEqual({ requestsPerSecond: 9, retryAttempts: 3 });
    expect(at(NOW)).toEqual({ requestsPerSecond: 1, retryAttempts: 3 });
    expect(at(NOW + 1_000)).toEqual({ requestsPerSecond: 1 });
  });

  it('have, of each setting, the value of run time that has not expired, or else the declared one', () => {
    fc.assert(
      fc.property(ENDPOINT, TIME, (endpoint, now) => {
        const effective = effectiveSettings(endpoint, now);
        for (const name of NAMES) {
          const entry = endpoint.override?.settings[name];
          const holds = entry !== undefined && (entry.expiresAt ?? Number.POSITIVE_INFINITY) > now;
          expect(effective[name]).toBe(holds ? entry.value : endpoint.settings?.[name]);
        }
      }),
    );
  });

  it('are the same, as is the pause, once all that has expired is taken out', () => {
    fc.assert(
      fc.property(ENDPOINT, TIME, (endpoint, now) => {
        const { override } = endpoint;
        const left = { ...endpoint, ...(override && { override: overrideInEffect(override, now) }) };
        expect(effectiveSettings(left, 0)).toEqual(effectiveSettings(endpoint, now));
        expect(pauseInEffect(left, 0)).toEqual(pauseInEffect(endpoint, now));
        expect(left.override?.version).toBe(override?.version);
      }),
    );
  });
});

describe('drift', () => {
  it('names what differs from the deploy, both values, and who, why, since when and until when', () => {
    const override: EndpointOverride = {
      settings: {
        retryAttempts: { value: 3, ...mark, expiresAt: NOW + 1 },
        requestsPerSecond: { value: 9, ...mark, author: 'local' },
      },
      version: 4,
    };
    expect(drift({ settings: { requestsPerSecond: 1 }, override }, NOW)).toEqual([
      {
        setting: 'requestsPerSecond',
        declared: 1,
        effective: 9,
        author: 'local',
        reason: 'incident 42',
        since: mark.at,
      },
      {
        setting: 'retryAttempts',
        effective: 3,
        author: mark.author,
        reason: 'incident 42',
        since: mark.at,
        until: NOW + 1,
      },
    ]);
  });

  it('compares with the default where the deploy declares nothing', () => {
    const overrides = (value: number) => ({ settings: { circuitFailures: { value, ...mark } }, version: 1 });
    expect(drift({ override: overrides(7) }, NOW)).toMatchObject([{ declared: 5, effective: 7 }]);
    expect(drift({ override: overrides(5) }, NOW)).toEqual([]);
  });

  it('is over once the deploy declares the same', () => {
    const override = { settings: { burst: { value: 7, ...mark } }, version: 1 };
    expect(drift({ settings: { burst: 6 }, override }, NOW)).toHaveLength(1);
    expect(drift({ settings: { burst: 7 }, override }, NOW)).toEqual([]);
  });

  it('is there exactly where the settings in effect are others than the declared ones', () => {
    fc.assert(
      fc.property(ENDPOINT, TIME, (endpoint, now) => {
        const of = (settings: EndpointSettings, name: keyof EndpointSettings) =>
          settings[name] ?? SETTINGS[name].default;
        const effective = effectiveSettings(endpoint, now);
        const others = NAMES.filter((name) => of(effective, name) !== of(endpoint.settings ?? {}, name));
        const drifting = drift(endpoint, now);
        expect(drifting.map(({ setting }) => setting)).toEqual(others);
        for (const one of drifting) {
          expect(one.effective).toBe(effective[one.setting]);
          expect(one.declared).toBe(of(endpoint.settings ?? {}, one.setting));
        }
      }),
    );
  });
});

it('is paused until it is resumed or the pause expires', () => {
  const paused = { ...mark, expiresAt: NOW };
  const endpoint = { override: { settings: {}, paused, version: 1 } };
  expect(pauseInEffect(endpoint, NOW - 1)).toEqual(paused);
  expect([NOW - 1, NOW].map((now) => isPaused(endpoint, now))).toEqual([true, false]);
  expect(isPaused({ override: { settings: {}, paused: mark, version: 1 } }, Number.MAX_SAFE_INTEGER)).toBe(true);
  expect(isPaused({ override: { settings: {}, version: 2 } }, NOW)).toBe(false);
  expect(isPaused({}, NOW)).toBe(false);
});
