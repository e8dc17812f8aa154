import type { QueueSide } from '../handler/queue-side.ts';

/**
 * For `createServiceHandler({ queue: queuedDelivery() })`: lets the function take operations that its endpoint queues
 * (`queuedOperations` of `addEndpoint`), and go on past the time of a caller with those that it promotes
 * (`promotableOperations`). What it needs for that is loaded by the first message, or the first call that takes so long:
 * direct calls of the same function start as fast as without it.
 */
export function queuedDelivery(): QueueSide {
  return {
    async consume(event, context, handle) {
      const { consumeBatch } = await import('./queue-consumer.ts');
      return consumeBatch(event, { context, handle });
    },
    async pastCutOff(invocation, context, handle) {
      const { pastCutOff } = await import('./past-cut-off.ts');
      return pastCutOff(invocation, { context, handle });
    },
  };
}
