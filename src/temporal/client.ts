import { Client, Connection } from '@temporalio/client';
import type { LoadedDataConverter } from '@temporalio/common';
import { HandlerError } from 'nexus-rpc';
import type { Logger } from '../handler/logger.ts';
import {
  type ConnectConfig,
  type ConnectOptions,
  type TemporalCredentials,
  withCredentials,
} from './connect-config.ts';

/**
 * A client whose connection is made by its first call, so that an environment which only answers sync operations never
 * connects, and is then kept: it outlasts the invocations.
 */
function createClient(config: ConnectConfig, dataConverter: LoadedDataConverter, credentials?: TemporalCredentials) {
  const connection = Connection.lazy(withCredentials(config.connectionOptions, credentials));
  return new Client({ connection, namespace: config.namespace, dataConverter });
}

/** What the caller is told; the reason may hold names, or parts of the secret, that are not for a caller. */
const UNUSABLE = 'the credentials for Temporal cannot be used';

/**
 * Returns the one client of this environment. Where credentials are to be fetched, that happens first; where they cannot
 * be, or no connection takes them, it is UNAVAILABLE, logged, and tried again by the next operation.
 */
export function lazyClient(
  config: ConnectConfig,
  dataConverter: LoadedDataConverter,
  fetchCredentials: ConnectOptions['credentials'],
): (logger: Pick<Logger, 'error'>) => Promise<Client> {
  if (fetchCredentials === undefined) {
    const client = createClient(config, dataConverter);
    return async () => client;
  }
  let client: Promise<Client> | undefined;
  const connect = (logger: Pick<Logger, 'error'>) =>
    Promise.resolve()
      .then(fetchCredentials)
      .then((credentials) => createClient(config, dataConverter, credentials))
      .catch((error: unknown) => {
        client = undefined;
        logger.error(UNUSABLE, { error });
        throw new HandlerError('UNAVAILABLE', `${UNUSABLE}; the log of the handler says why`, { stackTrace: '' });
      });
  return (logger) => {
    client ??= connect(logger);
    return client;
  };
}
