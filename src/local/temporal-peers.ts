import type { TemporalTarget } from './environment-messages.ts';

/** What handlers of `@temporalio/nexus` need besides it. */
const PEERS = [
  '@temporalio/nexus',
  '@temporalio/client',
  '@temporalio/common',
  '@temporalio/envconfig',
  '@temporalio/proto',
];

/**
 * The Temporal side for these handlers, or undefined where they do not use it: where nothing has loaded
 * `@temporalio/nexus` and no data converter is given, the client is not loaded either.
 */
export async function loadTemporalSide(target: TemporalTarget, dataConverter: unknown) {
  const usesTemporal = Symbol.for('__temporal_nexus_context_storage__') in globalThis;
  if (!usesTemporal && dataConverter === undefined) return undefined;
  const { temporal } = await importTemporal();
  return temporal({ ...target, ...(dataConverter === undefined ? {} : { dataConverter: dataConverter as object }) });
}

async function importTemporal() {
  try {
    return await import('../temporal/index.ts');
  } catch (cause) {
    if (!isMissingPeer(cause)) throw cause;
    throw new Error(
      `the module uses Temporal, and not all packages for that are installed; run: npm i ${PEERS.join(' ')}`,
      { cause },
    );
  }
}

function isMissingPeer(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND') &&
    PEERS.some((peer) => error.message.includes(`'${peer}`))
  );
}
