import { createNexusServiceClient } from '@temporalio/workflow';
import { operation, service } from 'nexus-rpc';

const shop = service('shop', { order: operation<number, number>() });

/** Places an order, and waits for it as long as it takes. */
export async function order(number: number): Promise<number> {
  const client = createNexusServiceClient({ service: shop, endpoint: 'shop' });
  return client.executeOperation('order', number, { scheduleToCloseTimeout: '1 hour' });
}
