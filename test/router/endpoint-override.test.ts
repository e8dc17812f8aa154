import { describe, expect, it } from 'vitest';
import { checkOverride, fullVersion } from '../../src/router/endpoint-override.ts';
import type { OverrideSpec } from '../../src/router/override.ts';

const mark = { author: 'local', reason: 'incident 42', at: 1_000 };
const shop = { name: 'shop', settings: { requestsPerSecond: 10 } };

it('counts the versions of spec and override as one', () => {
  expect(fullVersion({ version: 3 })).toBe(3);
  expect(fullVersion({ version: 3, override: { settings: {}, version: 4 } })).toBe(7);
});

describe('an override', () => {
  it('is taken where its values are, beside those of the deploy', () => {
    checkOverride(shop, { settings: {} }, 1_000);
    checkOverride(shop, { settings: { burst: { value: 5, ...mark } }, paused: { ...mark, expiresAt: 2_000 } }, 1_000);
  });

  it.each<[string, OverrideSpec, RegExp]>([
    [
      'a value out of range',
      { settings: { burst: { value: 0, ...mark } } },
      /burst is 0; it takes a whole number from 1/,
    ],
    [
      'no such setting',
      { settings: { bursts: { value: 1, ...mark } } as never },
      /there is no setting "bursts"; there is req/,
    ],
    [
      'a value that does not go with the deploy’s',
      { settings: { retryMaxMs: { value: 1_000, ...mark } } },
      /more than retryMaxMs/,
    ],
    ['no author', { settings: {}, paused: { ...mark, author: '' } }, /needs an author/],
    ['an empty reason', { settings: { burst: { value: 5, ...mark, reason: ' ' } } }, /needs a reason/],
    ['a time that is none', { settings: {}, paused: { ...mark, expiresAt: Number.NaN } }, /whole milliseconds/],
  ])('is refused with %s, naming the endpoint', (_, override, message) => {
    const read = { name: 'shop', settings: { requestsPerSecond: 10, retryInitialMs: 2_000 } };
    expect(() => checkOverride(read, override, 1_000)).toThrow(TypeError);
    expect(() => checkOverride(read, override, 1_000)).toThrow(message);
    expect(() => checkOverride(read, override, 1_000)).toThrow(/^endpoint "shop": /);
  });

  it('is not refused for what an expiry left: it must not keep anybody from a pause', () => {
    const requestsPerSecond = { value: 5, ...mark, expiresAt: 2_000 };
    const burst = { value: 5, ...mark };
    const read = { name: 'shop', override: { settings: { requestsPerSecond, burst }, version: 1 } };
    checkOverride(read, { settings: { burst }, paused: mark }, 2_000);
    expect(() => checkOverride(read, { settings: { burst } }, 1_999)).toThrow(/burst is set without/);
  });

  it('is not refused for what was wrong before: a deploy must not keep anybody from a pause', () => {
    const burst = { value: 5, ...mark };
    const read = { name: 'shop', settings: {}, override: { settings: { burst }, version: 1 } };
    checkOverride(read, { settings: { burst }, paused: mark }, 1_000);
    expect(() => checkOverride({ name: 'shop', settings: {} }, { settings: { burst } }, 1_000)).toThrow(
      /burst is set without/,
    );
  });
});
