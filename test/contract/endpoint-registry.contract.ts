import { describe, expect, it } from 'vitest';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from '../../src/router/errors.ts';
import type { EndpointRegistry, EndpointSpec } from '../../src/router/ports.ts';

/** A clock that stands where a test puts it. */
export class ManualClock {
  nowMs = Date.UTC(2026, 0, 1);

  now(): number {
    return this.nowMs;
  }
}

/** What every adapter of the EndpointRegistry port does. `open` makes an empty one that reads this clock. */
export function describeEndpointRegistry(
  adapter: string,
  open: (clock: ManualClock) => Promise<EndpointRegistry>,
): void {
  const spec: EndpointSpec = {
    name: 'shop',
    description: 'what the shop sells',
    target: { namespace: 'default', taskQueue: 'shop' },
    services: [{ name: 'orders', operations: ['place', 'cancel order'] }],
  };

  async function setUp() {
    const clock = new ManualClock();
    return { clock, registry: await open(clock) };
  }

  describe(`the endpoint registry on ${adapter}`, () => {
    it('returns what was created, as version 1', async () => {
      const { clock, registry } = await setUp();
      const created = await registry.create(spec);
      expect(created).toEqual({ ...spec, version: 1, createdAt: clock.nowMs, lastModifiedAt: clock.nowMs });
      expect(await registry.get('shop')).toEqual(created);
    });

    it('keeps an endpoint without a description without one', async () => {
      const { registry } = await setUp();
      const { description: _, ...plain } = spec;
      await registry.create(plain);
      expect(await registry.get('shop')).not.toHaveProperty('description');
    });

    it('returns undefined for a name that is not there', async () => {
      const { registry } = await setUp();
      expect(await registry.get('shop')).toBeUndefined();
      expect(await registry.get('__proto__')).toBeUndefined();
    });

    it('tells names apart by case', async () => {
      const { registry } = await setUp();
      await registry.create(spec);
      expect(await registry.get('Shop')).toBeUndefined();
    });

    it('lists all endpoints by name', async () => {
      const { registry } = await setUp();
      expect(await registry.list()).toEqual([]);
      for (const name of ['shop', 'bank', 'post']) await registry.create({ ...spec, name });
      expect((await registry.list()).map(({ name }) => name)).toEqual(['bank', 'post', 'shop']);
    });

    it('fails when a name is created twice, and keeps the first', async () => {
      const { registry } = await setUp();
      await registry.create(spec);
      await expect(registry.create({ ...spec, services: [] })).rejects.toThrow(EndpointExistsError);
      expect(await registry.get('shop')).toMatchObject({ version: 1, services: spec.services });
    });

    it('counts the version and moves the time of change with every update', async () => {
      const { clock, registry } = await setUp();
      const { createdAt } = await registry.create(spec);
      clock.nowMs += 5;
      const changed = { ...spec, target: { namespace: 'other', taskQueue: 'bank' }, services: [] };
      const updated = await registry.update(changed, 1);
      expect(updated).toEqual({ ...changed, version: 2, createdAt, lastModifiedAt: createdAt + 5 });
      expect(await registry.get('shop')).toEqual(updated);
    });

    it.each([0, 2, 1.5])('fails when version %s is updated or deleted where 1 is stored', async (version) => {
      const { registry } = await setUp();
      await registry.create(spec);
      await expect(registry.update(spec, version)).rejects.toThrow(EndpointVersionError);
      await expect(registry.delete('shop', version)).rejects.toThrow(EndpointVersionError);
      expect(await registry.get('shop')).toMatchObject({ version: 1 });
    });

    it('fails when what is not there is updated or deleted', async () => {
      const { registry } = await setUp();
      await expect(registry.update(spec, 1)).rejects.toThrow(EndpointNotFoundError);
      await expect(registry.delete('shop', 1)).rejects.toThrow(EndpointNotFoundError);
    });

    it('lets one of several concurrent updates of a version win', async () => {
      const { registry } = await setUp();
      await registry.create(spec);
      const updates = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => registry.update({ ...spec, description: `change ${n}` }, 1)),
      );
      expect(updates.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await registry.get('shop')).toMatchObject({ version: 2 });
    });

    it('lets one of several concurrent creates of a name win', async () => {
      const { registry } = await setUp();
      const creates = await Promise.allSettled(Array.from({ length: 10 }, () => registry.create(spec)));
      expect(creates.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('forgets a deleted endpoint, and starts again from version 1', async () => {
      const { registry } = await setUp();
      await registry.create(spec);
      await registry.update(spec, 1);
      await registry.delete('shop', 2);
      expect(await registry.get('shop')).toBeUndefined();
      expect(await registry.create(spec)).toMatchObject({ version: 1 });
    });

    it.each(['ab', 'a1', 'A-b-9', 'x'.repeat(200)])('takes the name %s', async (name) => {
      const { registry } = await setUp();
      expect(await registry.create({ ...spec, name })).toMatchObject({ name });
    });

    it.each(['', 'a', '1a', '-a', 'a-', 'a_b', 'a b', 'a/b', 'é1', 'ab\n', 'x'.repeat(201)])(
      'fails when the name is %j',
      async (name) => {
        const { registry } = await setUp();
        await expect(registry.create({ ...spec, name })).rejects.toThrow(TypeError);
        expect(await registry.list()).toEqual([]);
      },
    );

    it.each([
      { namespace: '', taskQueue: 'shop' },
      { namespace: 'default', taskQueue: '' },
    ])('fails when the target is %j', async (target) => {
      const { registry } = await setUp();
      await expect(registry.create({ ...spec, target })).rejects.toThrow(TypeError);
    });
  });
}
