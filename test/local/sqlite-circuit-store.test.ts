import { onTestFinished } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openStore } from '../../src/local/store.ts';
import { describeCircuitStore } from '../contract/circuit-store.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

describeCircuitStore('SQLite', async () => {
  const store = openStore(temporaryFolder());
  onTestFinished(() => store.close());
  return { circuits: createSqliteCircuitStore(store.db), registry: createSqliteEndpointRegistry(store.db, Date) };
});
