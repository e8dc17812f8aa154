import { describe, expect, it } from 'vitest';
import { EndpointNotFoundError, EndpointVersionError } from '../../src/router/errors.ts';
import type { OverrideSpec } from '../../src/router/override.ts';
import type { EndpointRegistry, EndpointSpec } from '../../src/router/ports.ts';
import type { ManualClock } from './endpoint-registry.contract.ts';

const spec: EndpointSpec = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  owner: 'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop#Entry',
  settings: { requestsPerSecond: 100, burst: 20 },
};

const mark = { author: 'iam:arn:aws:iam::111122223333:role/OnCall', reason: 'größer – "#42"', at: 1_760_000_000_000 };

const throttled: OverrideSpec = { settings: { requestsPerSecond: { value: 0.5, ...mark } } };
const all: OverrideSpec = {
  settings: {
    requestsPerSecond: { value: 0.5, ...mark, expiresAt: mark.at + 3_600_000 },
    retryAttempts: { value: 3, ...mark },
  },
  paused: { ...mark, expiresAt: mark.at + 60_000 },
};

/** What every adapter of the EndpointRegistry port does with what is set at run time. */
export function describeEndpointOverrides(
  adapter: string,
  setUp: () => Promise<{ registry: EndpointRegistry; clock: ManualClock }>,
) {
  async function created() {
    const { registry, clock } = await setUp();
    return { registry, clock, shop: await registry.create(spec) };
  }

  describe(`overrides in the endpoint registry on ${adapter}`, () => {
    it('come with their endpoint, by its name and in the list, beside the spec', async () => {
      const { registry, shop } = await created();
      expect(shop).not.toHaveProperty('override');
      await registry.create({ ...spec, name: 'bank' });
      const overridden = await registry.override(shop, all);
      expect(overridden).toEqual({ ...shop, override: { ...all, version: 1 } });
      expect(await registry.get('shop')).toEqual(overridden);
      const [bank, listed] = await registry.list();
      expect(listed).toEqual(overridden);
      expect(bank).not.toHaveProperty('override');
    });

    it('replace what was set before, and count their own version', async () => {
      const { registry, shop } = await created();
      const first = await registry.override(shop, all);
      const second = await registry.override(first, throttled);
      expect(second.override).toEqual({ ...throttled, version: 2 });
      const emptied = await registry.override(second, { settings: {} });
      expect(emptied).toEqual({ ...shop, override: { settings: {}, version: 3 } });
      expect(await registry.get('shop')).toEqual(emptied);
    });

    it('survive a deploy, which does not see them, and say so themselves', async () => {
      const { registry, clock, shop } = await created();
      await registry.override(shop, all);
      clock.nowMs += 5;
      const deployed = { ...spec, settings: { requestsPerSecond: 7 }, description: 'as deployed' };
      // The custom resource writes what its properties say, and knows of nothing else.
      await registry.update(deployed, 1);
      expect(await registry.get('shop')).toEqual({
        ...deployed,
        version: 2,
        createdAt: shop.createdAt,
        lastModifiedAt: clock.nowMs,
        override: { ...all, version: 1 },
      });
    });

    it('are gone with their endpoint: one that is created later begins without', async () => {
      const { registry, shop } = await created();
      await registry.override(shop, all);
      await registry.delete('shop', 1);
      expect(await registry.list()).toEqual([]);
      const again = await registry.create(spec);
      expect(await registry.get('shop')).toEqual(again);
      expect((await registry.override(again, throttled)).override).toEqual({ ...throttled, version: 1 });
    });

    it('stay where a delete is refused', async () => {
      const { registry, shop } = await created();
      await registry.override(shop, all);
      await expect(registry.delete('shop', 7)).rejects.toThrow(EndpointVersionError);
      expect((await registry.get('shop'))?.override).toEqual({ ...all, version: 1 });
    });

    it('fail where somebody overrode the endpoint since it was read, with both versions', async () => {
      const { registry, shop } = await created();
      const first = await registry.override(shop, throttled);
      const second = await registry.override(first, all);
      for (const [read, given] of [
        [shop, 1],
        [first, 2],
      ] as const) {
        const attempt = registry.override(read, { settings: {} });
        await expect(attempt).rejects.toThrow(EndpointVersionError);
        await expect(attempt).rejects.toMatchObject({ endpoint: 'shop', given, stored: 3 });
      }
      expect(await registry.get('shop')).toEqual(second);
    });

    it('fail where a deploy changed the endpoint since it was read, with both versions', async () => {
      const { registry, shop } = await created();
      const read = await registry.override(shop, throttled);
      await registry.update(spec, 1);
      await registry.update(spec, 2);
      await expect(registry.override(read, all)).rejects.toMatchObject({ given: 2, stored: 4 });
      await expect(registry.override(shop, all)).rejects.toMatchObject({ given: 1, stored: 4 });
      expect((await registry.get('shop'))?.override).toEqual({ ...throttled, version: 1 });
    });

    it('fail where there is no such endpoint any more', async () => {
      const { registry, shop } = await created();
      const read = await registry.override(shop, throttled);
      await registry.delete('shop', 1);
      for (const gone of [shop, read]) {
        await expect(registry.override(gone, all)).rejects.toThrow(EndpointNotFoundError);
      }
      expect(await registry.get('shop')).toBeUndefined();
    });

    it('fail where they cannot be used, and leave what was', async () => {
      const { registry, shop } = await created();
      const read = await registry.override(shop, throttled);
      await expect(registry.override(read, { settings: { burst: { value: 0, ...mark } } })).rejects.toThrow(TypeError);
      expect(await registry.get('shop')).toEqual(read);
    });

    it('let one of several concurrent changes win', async () => {
      const { registry, shop } = await created();
      const changes = await Promise.allSettled(Array.from({ length: 10 }, () => registry.override(shop, throttled)));
      expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const failures = changes.flatMap((change) => (change.status === 'rejected' ? [change.reason] : []));
      for (const failure of failures) expect(failure).toMatchObject({ given: 1, stored: 2 });
      expect((await registry.get('shop'))?.override?.version).toBe(1);
    });
  });
}
