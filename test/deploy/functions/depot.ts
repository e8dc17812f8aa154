import { appendFileSync, readFileSync } from 'node:fs';
import { createServiceHandler } from 'nexus-lambda';
import { queuedDelivery } from 'nexus-lambda/aws';
import { HandlerError, operation, service, serviceHandler } from 'nexus-rpc';

interface Load {
  /** Where its runs are written down, a line each: the process that ran before may be gone. */
  readonly file: string;
  readonly id: string;
  /** How many of its runs fail. */
  readonly failures: number;
}

/** What the suite on flow control calls. */
const depot = service('depot', { lift: operation<Load, string>(), haul: operation<Load, string>() });

async function move(_ctx: unknown, { file, id, failures }: Load): Promise<string> {
  appendFileSync(file, `${id}\n`);
  const runs = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line === id).length;
  if (runs <= failures) throw new HandlerError('UNAVAILABLE', `the crane is stuck: ${id}`);
  return id;
}

export const handler = createServiceHandler({
  queue: queuedDelivery(),
  services: [serviceHandler(depot, { lift: move, haul: move })],
});
