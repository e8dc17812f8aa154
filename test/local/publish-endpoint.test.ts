import { expect, it, onTestFinished } from 'vitest';
import { publishEndpoint } from '../../src/local/publish-endpoint.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';

const SPEC = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [{ name: 'orders', operations: ['place'] }],
};

function openRegistry() {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  return createSqliteEndpointRegistry(store.db, { now: () => 0 });
}

it('creates an endpoint once, and leaves one alone that says the same', async () => {
  const registry = openRegistry();
  await publishEndpoint(registry, SPEC);
  expect(await publishEndpoint(registry, SPEC)).toMatchObject({ version: 1 });
});

it('updates target and services, and keeps the description and other endpoints', async () => {
  const registry = openRegistry();
  await registry.create({ ...SPEC, name: 'bank' });
  await registry.create({ ...SPEC, description: 'what the shop sells' });
  const changed = { ...SPEC, services: [], target: { namespace: 'default', taskQueue: 'other' } };
  expect(await publishEndpoint(registry, changed)).toMatchObject({
    ...changed,
    description: 'what the shop sells',
    version: 2,
  });
  expect((await registry.list()).map(({ name }) => name)).toEqual(['bank', 'shop']);
});

it('updates which operations are queued, promoted, and absorbed where they fail', async () => {
  const registry = openRegistry();
  await publishEndpoint(registry, { ...SPEC, queued: ['orders/place'] });
  const changed = { ...SPEC, promotable: ['orders/place'], absorbFailures: ['orders/place'] };
  const published = await publishEndpoint(registry, changed);
  expect(published).toMatchObject({ ...changed, version: 2 });
  expect(published).not.toHaveProperty('queued');
  expect(await publishEndpoint(registry, changed)).toEqual(published);
  const told = await publishEndpoint(registry, { ...SPEC, promotable: ['orders/place'] });
  expect(told).toMatchObject({ version: 3 });
  expect(told).not.toHaveProperty('absorbFailures');
});
