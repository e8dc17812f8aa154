import { Client, Connection } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { HandlerError } from 'nexus-rpc';
import type { ConnectConfig, ConnectOptions, TemporalCredentials } from './connect-config.ts';

/**
 * A client whose connection is made by its first call, so that an environment which only answers sync operations never
 * connects, and is then kept: it outlasts the invocations.
 */
function createClient(config: ConnectConfig, dataConverter: LoadedDataConverter, credentials?: TemporalCredentials) {
  const connection = Connection.lazy({ ...config.connectionOptions, ...credentials });
  return new Client({ connection, namespace: config.namespace, dataConverter });
}

/**
 * Returns the one client of this environment. Where credentials are to be fetched, that happens first; a fetch that
 * fails is UNAVAILABLE, and is tried again by the next operation.
 */
export function lazyClient(
  config: ConnectConfig,
  dataConverter: LoadedDataConverter,
  fetchCredentials: ConnectOptions['credentials'],
): () => Promise<Client> {
  let client: Promise<Client> | undefined;
  if (fetchCredentials === undefined) client = Promise.resolve(createClient(config, dataConverter));
  return () => {
    client ??= fetchCredentials?.().then(
      (credentials) => createClient(config, dataConverter, credentials),
      (cause: unknown) => {
        client = undefined;
        throw new HandlerError('UNAVAILABLE', 'the credentials for Temporal could not be fetched', { cause });
      },
    );
    return client as Promise<Client>;
  };
}
