import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { effectiveSettings, isPaused } from '../../src/router/effective-settings.ts';
import { fullVersion } from '../../src/router/endpoint-override.ts';
import { createEndpointWrites } from '../../src/router/endpoint-writes.ts';
import type { EndpointSpec } from '../../src/router/ports.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

/** Burst is refused without the rate. */
const NAMES = ['requestsPerSecond', 'burst', 'retryAttempts'] as const;

const settings = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 3 }), {
  noNullPrototype: true,
  minKeys: 1,
});
const expiresInMs = fc.option(fc.integer({ min: 1_000, max: 5_000 }), { nil: undefined });

type Step =
  | { readonly kind: 'set'; readonly settings: EndpointSettings; readonly expiresInMs: number | undefined }
  | { readonly kind: 'unset'; readonly names: readonly (typeof NAMES)[number][] }
  | { readonly kind: 'unset all' | 'resume' }
  | { readonly kind: 'pause'; readonly expiresInMs: number | undefined }
  | { readonly kind: 'deploy'; readonly settings: EndpointSettings }
  | { readonly kind: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('set'), settings, expiresInMs }),
  fc.record({ kind: fc.constant('unset'), names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }) }),
  fc.record({ kind: fc.constantFrom('unset all', 'resume') }),
  fc.record({ kind: fc.constant('pause'), expiresInMs }),
  fc.record({ kind: fc.constant('deploy'), settings }),
  fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 0, max: 4_000 }) }),
) as fc.Arbitrary<Step>;

const spec: EndpointSpec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };

/** What holds, told without layers: the declared values, and what hides each of them until when. */
class Model {
  declared: EndpointSettings = {};
  readonly hidden = new Map<string, { readonly value: number; readonly until: number }>();
  pausedUntil = Number.NEGATIVE_INFINITY;

  take(taken: Step, now: number): void {
    switch (taken.kind) {
      case 'set':
        for (const [name, value] of Object.entries(taken.settings)) {
          this.hidden.set(name, { value, until: now + (taken.expiresInMs ?? Number.POSITIVE_INFINITY) });
        }
        break;
      case 'unset':
        for (const name of taken.names) this.hidden.delete(name);
        break;
      case 'unset all':
        this.hidden.clear();
        break;
      case 'pause':
        this.pausedUntil = now + (taken.expiresInMs ?? Number.POSITIVE_INFINITY);
        break;
      case 'resume':
        this.pausedUntil = Number.NEGATIVE_INFINITY;
        break;
      case 'deploy':
        this.declared = taken.settings;
    }
  }

  at(now: number) {
    const held = [...this.hidden].filter(([, { until }]) => now < until).map(([name, { value }]) => [name, value]);
    return { settings: { ...this.declared, ...Object.fromEntries(held) }, paused: now < this.pausedUntil };
  }
}

/** An endpoint, and what takes a step on it. */
async function setUp() {
  const store = openEphemeralStore();
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(store.db, clock);
  const writes = createEndpointWrites({ registry, clock });
  await registry.create(spec);
  const read = async () => (await registry.get('shop'))!;
  const unset = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, null]));

  async function take(taken: Step): Promise<unknown> {
    switch (taken.kind) {
      case 'set': {
        const { settings: values, expiresInMs: within } = taken;
        return writes.update('shop', { settings: values, reason: 'r', expiresInMs: within }, 'local');
      }
      case 'unset':
        return writes.update('shop', { settings: unset(taken.names) }, 'local');
      case 'unset all':
        return writes.update('shop', { settings: null }, 'local');
      case 'pause':
        return writes.pause('shop', { reason: 'r', expiresInMs: taken.expiresInMs }, 'local');
      case 'resume':
        return writes.resume('shop', {});
      case 'deploy':
        return registry.update({ ...spec, settings: taken.settings }, (await read()).version);
      case 'pass':
        clock.nowMs += taken.ms;
    }
  }
  return { clock, read, take, close: store.close };
}

it('changes and deploys, in any order, leave what each of them set, until it expires or is taken back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { clock, read, take, close } = await setUp();
      const model = new Model();
      let version = 1;
      for (const taken of steps) {
        const before = await read();
        const refused = await take(taken).then(
          () => false,
          (error: Error) => {
            expect(error.message).toContain('burst is set without requestsPerSecond');
            return true;
          },
        );
        if (refused) expect(['set', 'unset', 'deploy']).toContain(taken.kind);
        else model.take(taken, clock.nowMs);
        const endpoint = await read();
        const expected = model.at(clock.nowMs);
        expect(effectiveSettings(endpoint, clock.nowMs)).toEqual(expected.settings);
        expect(isPaused(endpoint, clock.nowMs)).toBe(expected.paused);
        const wrote = taken.kind === 'resume' ? isPaused(before, clock.nowMs) : taken.kind !== 'pass' && !refused;
        if (wrote) version++;
        expect(fullVersion(endpoint)).toBe(version);
      }
      close();
    }),
  );
});
