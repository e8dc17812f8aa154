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

/** Each goes with any value of the others. */
const NAMES = ['requestsPerSecond', 'concurrency', 'retryAttempts'] as const;

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

it('changes and deploys, in any order, leave what each of them set, until it expires or is taken back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const store = openEphemeralStore();
      const clock = new ManualClock();
      const registry = createSqliteEndpointRegistry(store.db, clock);
      const writes = createEndpointWrites({ registry, clock });
      const model = new Model();
      await registry.create(spec);
      let version = 1;
      for (const taken of steps) {
        const read = (await registry.get('shop'))!;
        switch (taken.kind) {
          case 'set':
            await writes.update(
              'shop',
              { settings: taken.settings, reason: 'r', expiresInMs: taken.expiresInMs },
              'local',
            );
            break;
          case 'unset':
            await writes.update(
              'shop',
              { settings: Object.fromEntries(taken.names.map((name) => [name, null])) },
              'local',
            );
            break;
          case 'unset all':
            await writes.update('shop', { settings: null }, 'local');
            break;
          case 'pause':
            await writes.pause('shop', { reason: 'r', expiresInMs: taken.expiresInMs }, 'local');
            break;
          case 'resume':
            await writes.resume('shop', {});
            break;
          case 'deploy':
            await registry.update({ ...spec, settings: taken.settings }, read.version);
            break;
          case 'pass':
            clock.nowMs += taken.ms;
        }
        model.take(taken, clock.nowMs);
        const endpoint = (await registry.get('shop'))!;
        const expected = model.at(clock.nowMs);
        expect(effectiveSettings(endpoint, clock.nowMs)).toEqual(expected.settings);
        expect(isPaused(endpoint, clock.nowMs)).toBe(expected.paused);
        const wrote = taken.kind === 'resume' ? isPaused(read, clock.nowMs) : taken.kind !== 'pass';
        if (wrote) version++;
        expect(fullVersion(endpoint)).toBe(version);
      }
      store.close();
    }),
  );
});
