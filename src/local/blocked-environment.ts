import { setImmediate, setTimeout } from 'node:timers/promises';
import type { ExecutionEnvironment } from './execution-environment.ts';

/** An event loop that turns at all turns within that, on a busy machine too; and nobody waits long for the verdict. */
const PATIENCE_MS = 250;

/**
 * Whether the environment's event loop is blocked: whether it answers no ping while `patience` lasts, 250 ms by
 * default. One that has ended blocks nothing.
 */
export async function isBlocked(
  environment: Pick<ExecutionEnvironment, 'ping'>,
  patience: () => Promise<void> = quarterOfASecond,
): Promise<boolean> {
  return Promise.race([environment.ping().then(() => false), patience().then(() => true)]);
}

async function quarterOfASecond(): Promise<void> {
  await setTimeout(PATIENCE_MS);
  await setImmediate(); // where this thread was late itself, an answer may lie there
}
