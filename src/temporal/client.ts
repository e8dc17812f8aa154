import { Client, Connection } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import type { ConnectConfig } from './connect-config.ts';

/**
 * A client whose connection is made by its first call, so that an environment which only answers sync operations never
 * connects, and is then kept: it outlasts the invocations.
 */
export function createClient(config: ConnectConfig, dataConverter: LoadedDataConverter): Client {
  const connection = Connection.lazy(config.connectionOptions);
  return new Client({ connection, namespace: config.namespace, dataConverter });
}
