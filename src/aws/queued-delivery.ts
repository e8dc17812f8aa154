import type { QueueSide } from '../handler/queue-side.ts';

/**
 * For `createServiceHandler({ queue: queuedDelivery() })`: lets the function take operations that its endpoint queues
 * (`queuedOperations` of `addEndpoint`). What it needs for that is loaded by the first message, so direct calls of the
 * same function start as fast as without it.
 */
export function queuedDelivery(): QueueSide {
  return {
    async consume(event, context, handle) {
      const { consumeBatch } = await import('./queue-consumer.ts');
      return consumeBatch(event, { context, handle });
    },
  };
}
