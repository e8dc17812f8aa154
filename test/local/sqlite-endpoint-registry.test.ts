import { onTestFinished } from 'vitest';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore, openStore } from '../../src/local/store.ts';
import { describeEndpointRegistry } from '../contract/endpoint-registry.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeEndpointRegistry('SQLite in a folder', async (clock) => {
  const store = openStore(temporaryFolder());
  onTestFinished(() => store.close());
  return createSqliteEndpointRegistry(store.db, clock);
});

describeEndpointRegistry('SQLite in memory', async (clock) => {
  const store = openEphemeralStore();
  onTestFinished(() => store.close());
  return createSqliteEndpointRegistry(store.db, clock);
});
