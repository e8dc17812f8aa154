import { describe, expect, it } from 'vitest';
import { EndpointExistsError, EndpointNotFoundError, EndpointVersionError } from '../../src/router/errors.ts';
import type { EndpointRegistry, EndpointSpec } from '../../src/router/ports.ts';
import { describeEndpointOverrides } from './endpoint-overrides.contract.ts';

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

  const deployed: EndpointSpec = {
    ...spec,
    previousServices: [{ name: 'orders', operations: [] }],
    callers: ['basic:shop', 'iam:*'],
    functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:Shop:live',
    owner: 'arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop#Entry',
    settings: { requestsPerSecond: 0.5, burst: 3, retryMaxMs: 86_400_000 },
    queued: ['orders/place'],
    promotable: ['orders/cancel order'],
    deduplicate: true,
  };

  async function setUp() {
    const clock = new ManualClock();
    return { clock, registry: await open(clock) };
  }

  describeEndpointOverrides(adapter, setUp);

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

    it('returns what a deploy says of an endpoint, after its creation and after a change', async () => {
      const { registry } = await setUp();
      const { version: _, createdAt, lastModifiedAt: __, ...created } = await registry.create(deployed);
      expect(created).toEqual(deployed);
      expect(await registry.get('shop')).toEqual({ ...deployed, version: 1, createdAt, lastModifiedAt: createdAt });
      const changed: EndpointSpec = { ...deployed, previousServices: [], callers: [], settings: {}, description: '' };
      const updated = await registry.update(changed, 1);
      expect(updated).toEqual({ ...changed, version: 2, createdAt, lastModifiedAt: createdAt });
      expect(await registry.get('shop')).toEqual(updated);
      expect(await registry.list()).toEqual([updated]);
    });

    it.each(['description', 'previousServices', 'callers', 'functionArn', 'owner', 'settings'] as const)(
      'forgets the %s that an update leaves out, or gives as undefined',
      async (member) => {
        const { registry } = await setUp();
        const { [member]: _, ...without } = deployed;
        await registry.create(deployed);
        expect(await registry.update(without, 1)).not.toHaveProperty(member);
        expect(await registry.get('shop')).not.toHaveProperty(member);
        await registry.update(deployed, 2);
        await registry.update({ ...deployed, [member]: undefined }, 3);
        expect(await registry.get('shop')).toMatchObject({ ...without, version: 4 });
        expect(await registry.get('shop')).not.toHaveProperty(member);
      },
    );

    it('keeps names of services and operations as they are', async () => {
      const { registry } = await setUp();
      const operations = ['__proto__', 'constructor', 'a/b', 'größe', '价格', ' ', '\n'];
      const services = [{ name: '__proto__', operations }];
      await registry.create({ ...spec, services });
      expect((await registry.get('shop'))?.services).toEqual(services);
    });

    it('returns undefined for a name that is not there', async () => {
      const { registry } = await setUp();
      expect(await registry.get('shop')).toBeUndefined();
      expect(await registry.get('__proto__')).toBeUndefined();
    });

    it('returns undefined for what cannot be a name, however long', async () => {
      const { registry } = await setUp();
      expect(await registry.get('')).toBeUndefined();
      expect(await registry.get('x'.repeat(10_000))).toBeUndefined();
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

    it.each([0, 2, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300])(
      'fails when version %s is updated or deleted where 1 is stored',
      async (version) => {
        const { registry } = await setUp();
        await registry.create(spec);
        await expect(registry.update(spec, version)).rejects.toThrow(EndpointVersionError);
        await expect(registry.delete('shop', version)).rejects.toThrow(EndpointVersionError);
        expect(await registry.get('shop')).toMatchObject({ version: 1 });
      },
    );

    it('fails when what is not there is updated or deleted', async () => {
      const { registry } = await setUp();
      await expect(registry.update(spec, 1)).rejects.toThrow(EndpointNotFoundError);
      await expect(registry.delete('shop', 1)).rejects.toThrow(EndpointNotFoundError);
      await expect(registry.delete('', 1)).rejects.toThrow(EndpointNotFoundError);
      await expect(registry.delete('x'.repeat(10_000), 1)).rejects.toThrow(EndpointNotFoundError);
    });

    it('says which version is stored where another was given', async () => {
      const { registry } = await setUp();
      await registry.create(spec);
      await registry.update(spec, 1);
      await expect(registry.update(spec, 1)).rejects.toMatchObject({ endpoint: 'shop', given: 1, stored: 2 });
      await expect(registry.delete('shop', 3)).rejects.toMatchObject({ endpoint: 'shop', given: 3, stored: 2 });
    });

    it('fails when a change cannot be stored, and keeps what was', async () => {
      const { registry } = await setUp();
      await registry.create(deployed);
      const wrong = [
        { callers: ['basic:*'] },
        { settings: { burst: 0 } },
        { target: { namespace: '', taskQueue: 'q' } },
      ];
      for (const members of wrong) {
        await expect(registry.update({ ...deployed, ...members }, 1)).rejects.toThrow(TypeError);
      }
      expect(await registry.get('shop')).toMatchObject({ ...deployed, version: 1 });
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
