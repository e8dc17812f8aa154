import { appendFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createServiceHandler } from 'nexus-lambda';
import { queuedDelivery } from 'nexus-lambda/aws';
import { OperationError, operation, service, serviceHandler } from 'nexus-rpc';

interface Dish {
  /** Tells one from another. */
  readonly key: string;
  readonly seconds: number;
}

/** What the suite on deadline promotion calls. */
const kitchen = service('kitchen', {
  roast: operation<Dish, { seconds: number; run: number }>(),
  /** Ends its process the first time. */
  drop: operation<Dish, { run: number }>(),
  /** Goes on until it is told not to, and says why it was. */
  simmer: operation<void, void>(),
});

/** How often this was run: a file, since the process that ran before may be gone. */
function countOf(key: string): number {
  const file = join(tmpdir(), `kitchen-${key}`);
  appendFileSync(file, '.');
  return statSync(file).size;
}

export const handler = createServiceHandler({
  queue: queuedDelivery(),
  services: [
    serviceHandler(kitchen, {
      async roast(_ctx, { key, seconds }) {
        const run = countOf(key);
        await setTimeout(seconds * 1_000);
        return { seconds, run };
      },
      async drop(_ctx, { key, seconds }) {
        const run = countOf(key);
        if (run > 1) return { run };
        await setTimeout(seconds * 1_000);
        return process.exit(1);
      },
      async simmer({ abortSignal }) {
        await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
        throw new OperationError('canceled', `stopped: ${(abortSignal.reason as Error).message}`);
      },
    }),
  ],
});
