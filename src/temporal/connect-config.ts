import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

export interface ConnectOptions {
  /** `host:port` of the Temporal frontend's gRPC port. */
  readonly address?: string;
  /** The namespace in which handlers start workflows. `default` without one, as everywhere in the SDK. */
  readonly namespace?: string;
  /** Anything else that the SDK's `Connection` takes; what is set here wins over the environment. */
  readonly connectionOptions?: Omit<ConnectionOptions, 'address'>;
}

/** How to reach Temporal, complete. */
export interface ConnectConfig {
  readonly namespace: string;
  readonly taskQueue: string;
  readonly connectionOptions: ConnectionOptions;
}

/** Reads the options and, for what they leave out, the environment. Fails once, naming everything that is missing. */
export function connectConfig(
  options: ConnectOptions,
  taskQueue: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ConnectConfig {
  const loaded = loadClientConnectConfig({ overrideEnvVars: definedOnly(env) });
  const address = options.address ?? loaded.connectionOptions.address;
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
  const { connectionOptions } = loaded;
  return {
    namespace: options.namespace ?? loaded.namespace ?? 'default',
    taskQueue: queue,
    connectionOptions: {
      ...(connectionOptions.apiKey !== undefined && { apiKey: connectionOptions.apiKey }),
      ...(connectionOptions.tls !== undefined && { tls: connectionOptions.tls }),
      ...(connectionOptions.metadata !== undefined && { metadata: connectionOptions.metadata }),
      ...options.connectionOptions,
      address,
    },
  };
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
