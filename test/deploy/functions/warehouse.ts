import { createServiceHandler } from 'nexus-lambda';
import { queuedDelivery } from 'nexus-lambda/aws';
import { HandlerError, OperationError, operation, service, serviceHandler } from 'nexus-rpc';

/** What the suite on queued delivery calls. */
const warehouse = service('warehouse', {
  store: operation<{ item: string }, { stored: string }>(),
  direct: operation<void, string>(),
  fail: operation<void, void>(),
  /** Fails so often before it succeeds, by what the function's environment remembers. */
  stumble: operation<{ key: string; times: number }, string>(),
  crash: operation<void, void>(),
});

const stumbled = new Map<string, number>();

export const handler = createServiceHandler({
  queue: queuedDelivery(),
  services: [
    serviceHandler(warehouse, {
      store: async (_ctx, { item }) => ({ stored: item }),
      direct: async () => 'direct',
      async fail() {
        throw new OperationError('failed', 'no room', { cause: new Error('all shelves are full') });
      },
      async stumble(_ctx, { key, times }) {
        const count = (stumbled.get(key) ?? 0) + 1;
        stumbled.set(key, count);
        if (count <= times) throw new HandlerError('UNAVAILABLE', `not yet (${count})`);
        return `after ${count}`;
      },
      async crash() {
        process.exit(1);
      },
    }),
  ],
});
