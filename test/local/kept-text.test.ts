import { expect, it } from 'vitest';
import { keptText } from '../../src/local/kept-text.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { SHOP } from '../router/shop.ts';

const URL = 'http://127.0.0.1:8000';
const MARK = { author: 'local', reason: 'incident\n42', at: 0 };
const PAUSED: Endpoint = { ...SHOP, override: { version: 2, settings: {}, paused: { ...MARK, expiresAt: 60_000 } } };
const LIMITED: Endpoint = { ...SHOP, override: { version: 2, settings: { requestsPerSecond: { value: 2, ...MARK } } } };
const OPEN = { status: 'open', version: 3, streak: 5, openedAt: 0, nextProbeAt: 60_000 } as const;
const TRIPPED: Endpoint = {
  ...SHOP,
  circuit: { status: 'open', version: 1, streak: 0, openedAt: 0, tripped: { by: 'local', reason: 'a drill', at: 0 } },
};

it.each<[string, Endpoint, readonly string[]]>([
  [
    'a pause, and what ends it',
    PAUSED,
    [
      'paused by local since 1970-01-01T00:00:00.000Z until 1970-01-01T00:01:00.000Z: incident 42',
      '  to end it: nexus-lambda endpoint resume --name shop --url http://127.0.0.1:8000',
    ],
  ],
  [
    'a circuit that somebody opened, and what closes it',
    TRIPPED,
    [
      'circuit open by hand, by local since 1970-01-01T00:00:00.000Z: a drill',
      '  to close it: nexus-lambda circuit reset shop --url http://127.0.0.1:8000',
    ],
  ],
  ['a setting', LIMITED, ['requestsPerSecond is 2, by local since 1970-01-01T00:00:00.000Z: incident 42']],
])('says what holds from before: %s', (_what, endpoint, lines) => {
  expect(keptText(endpoint, { now: 1, url: URL }).split('\n')).toEqual([
    'kept from before, and holds:',
    ...lines.map((line) => `  ${line}`),
  ]);
});

it('says nothing of what has ended, of a circuit that failures opened, or where nothing is set', () => {
  expect(keptText(PAUSED, { now: 60_000, url: URL })).toBe('');
  expect(keptText({ ...SHOP, circuit: OPEN }, { now: 1, url: URL })).toBe('');
  expect(keptText(SHOP, { now: 1, url: URL })).toBe('');
});
