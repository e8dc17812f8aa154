import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

export interface ConnectOptions {
  /** `host:port` of the Temporal frontend's gRPC port. */
  readonly address?: string;
  /** The namespace in which handlers start workflows. `default` without one, as everywhere in the SDK. */
  readonly namespace?: string;
  /**
   * Fetches what Temporal lets this handler in by, such as `temporalSecret()` of `nexus-lambda/aws` does, once for each
   * environment and when a handler first runs. Wins over the environment; `undefined` leaves that as it is.
   */
  readonly credentials?: () => Promise<TemporalCredentials | undefined>;
  /** Anything else that the SDK's `Connection` takes; what is set here wins over the environment. */
  readonly connectionOptions?: Omit<ConnectionOptions, 'address'>;
}

/** An API key, or a client certificate. */
export type TemporalCredentials = Pick<ConnectionOptions, 'apiKey' | 'tls'>;

/**
 * The options with what was fetched, which wins. TLS settings are joined member by member, so that what the code says of
 * the server is not lost beside a secret that holds an API key alone.
 *
 * @throws Error for an API key that cannot be sent; gRPC's own error would quote it.
 */
export function withCredentials<T extends ConnectionOptions>(options: T, credentials: TemporalCredentials = {}): T {
  const { apiKey = options.apiKey, tls = options.tls } = credentials;
  if (typeof apiKey === 'string' && !/^[!-~]*$/.test(apiKey)) {
    throw new Error(
      'the API key for Temporal has a character that is in no API key, such as a line break; take it off where the key is set',
    );
  }
  const own = typeof options.tls === 'object' ? options.tls : {};
  return {
    ...options,
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined && { tls: typeof tls === 'object' && tls !== null ? { ...own, ...tls } : tls }),
  };
}

/** How to reach Temporal, complete. */
export interface ConnectConfig {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly connectionOptions: ConnectionOptions & { readonly address: string };
}

/** Reads the options and, for what they leave out, the environment. Fails once, naming everything that is missing. */
export function connectConfig(
  options: ConnectOptions,
  taskQueue: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ConnectConfig {
  const { namespace, connectionOptions } = readConnection(options, env);
  const { address } = connectionOptions;
  const queue = taskQueue ?? env.TEMPORAL_TASK_QUEUE;
  const missing: string[] = [];
  // The SDK would take localhost:7233, where no Lambda finds a Temporal server: its first request would tell, late.
  if (!address)
    missing.push('the address of the Temporal server: TEMPORAL_ADDRESS=host:7233, or temporal({ address })');
  if (!queue)
    missing.push(
      'the task queue of the workflows that handlers start: TEMPORAL_TASK_QUEUE, or temporal({ taskQueue })',
    );
  if (missing.length > 0 || !address || !queue) throw new Error(`temporal() needs ${missing.join(' and ')}`);
  return { namespace, taskQueue: queue, connectionOptions: { ...connectionOptions, address } };
}

/** What the options and the environment say of a connection; no address where neither does. */
export function readConnection(
  options: ConnectOptions,
  env: Readonly<Record<string, string | undefined>>,
): { readonly namespace: string; readonly connectionOptions: ConnectionOptions } {
  const { namespace, connectionOptions } = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
  const address = options.address ?? connectionOptions.address;
  return {
    namespace: options.namespace ?? namespace ?? 'default',
    connectionOptions: {
      ...(connectionOptions.apiKey !== undefined && { apiKey: connectionOptions.apiKey }),
      ...(connectionOptions.tls !== undefined && { tls: connectionOptions.tls }),
      ...(connectionOptions.metadata !== undefined && { metadata: connectionOptions.metadata }),
      ...options.connectionOptions,
      ...(address !== undefined && { address }),
    },
  };
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
