import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { useTemporal } from './use-temporal.ts';
import { closeCart } from './workflows/carts.ts';
import { serverVersions } from './world.ts';

describe.concurrent.each(serverVersions)('a synchronous handler called by the %s server', (version) => {
  const temporal = useTemporal(version);

  it('starts a workflow with a signal, and sends it Signals, Updates and Queries', async () => {
    const endpoint = await temporal.createEndpoint(temporal.world.shopUrl);
    const id = `cart-${randomUUID()}`;
    const send = (operation: string, input: object) =>
      temporal.resultOf({ endpoint, service: 'carts', operation }, { id, ...input });

    expect(await send('open', { label: 'opened' })).toBe(id);
    expect(await send('label', { label: 'urgent' })).toBeUndefined();
    expect(await send('add', { item: 'an apple' })).toBe(1);
    expect(await send('add', { item: 'a pear' })).toBe(2);
    const cart = { labels: ['opened', 'urgent'], items: ['an apple', 'a pear'] };
    expect(await send('show', {})).toEqual(cart);
    expect(await send('open', { label: 'opened again' })).toBe(id);

    const handle = temporal.client.workflow.getHandle(id);
    await handle.signal(closeCart);
    expect(await handle.result()).toEqual({ ...cart, labels: [...cart.labels, 'opened again'] });
  });
});
