import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createServiceHandler } from 'nexus-lambda';
import { queuedDelivery } from 'nexus-lambda/aws';
import { HandlerError, OperationError, operation, service, serviceHandler } from 'nexus-rpc';

/** An operation that does not work the first times; `key` tells one from another. */
interface Times {
  readonly key: string;
  readonly times: number;
}

/** An operation whose runs are written down in a file. */
interface Counted {
  readonly file: string;
  readonly id: string;
  /** How many of its runs kill their process. */
  readonly kills: number;
}

/** What the suite on queued delivery calls. */
const warehouse = service('warehouse', {
  store: operation<{ item: string }, { stored: string }>(),
  direct: operation<void, string>(),
  fail: operation<void, void>(),
  /** Fails so often before it succeeds. */
  stumble: operation<Times, string>(),
  /** Ends its process so often before it succeeds. */
  crash: operation<Times, string>(),
  /** Returns in which of its runs it got to its end. */
  count: operation<Counted, { readonly id: string; readonly run: number }>(),
  /** Goes on until it is told not to, and says why it was. */
  wait: operation<void, void>(),
});

/** How often this was asked: a file, since the process that asked before may be gone. */
function countOf(key: string): number {
  const file = join(tmpdir(), `warehouse-${key}`);
  appendFileSync(file, '.');
  return statSync(file).size;
}

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
        const count = countOf(key);
        if (count <= times) throw new HandlerError('UNAVAILABLE', `not yet (${count})`);
        return `after ${count}`;
      },
      async crash(_ctx, { key, times }) {
        const count = countOf(key);
        if (count <= times) process.exit(1);
        return `after ${count}`;
      },
      async count(_ctx, { file, id, kills }) {
        appendFileSync(file, `${id} start\n`);
        const run = readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line === `${id} start`).length;
        await setTimeout(20);
        if (run <= kills) process.kill(process.pid, 'SIGKILL');
        appendFileSync(file, `${id} end\n`);
        return { id, run };
      },
      async wait({ abortSignal }) {
        await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
        throw new OperationError('canceled', `stopped: ${(abortSignal.reason as Error).message}`);
      },
    }),
  ],
});
