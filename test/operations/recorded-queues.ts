import { onTestFinished } from 'vitest';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { OperationsDeps } from '../../src/operations/operations.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

/** What operations are made with, on an embedded store: queues that remember what was sent, and send nothing on. */
export function recordedQueues() {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const clock = new ManualClock();
  const sent: { readonly kind: 'wake' | 'complete'; readonly token: string; readonly delayMs: number }[] = [];
  const deps = {
    store: createSqliteOperationStore(db),
    taskQueue: {
      send: async (_target, { token }, delayMs) => void sent.push({ kind: 'wake', token, delayMs }),
      mayHold: async () => false,
      deadLetter: async () => {},
    },
    completionQueue: {
      send: async ({ token }, delayMs) => void sent.push({ kind: 'complete', token, delayMs }),
    },
    clock,
    random: () => 0,
    cancelInner: async () => {},
    logger: recordingLogger().logger,
  } satisfies OperationsDeps;
  return { deps, clock, sent };
}
