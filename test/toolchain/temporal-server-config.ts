/** Ports of a Temporal server: one RPC and one membership port for each of its four services, and the HTTP API. */
export interface TemporalServerPorts {
  readonly http: number;
  readonly services: Readonly<Record<TemporalService, { readonly rpc: number; readonly membership: number }>>;
}

export type TemporalService = (typeof temporalServices)[number];

export const temporalServices = ['frontend', 'history', 'matching', 'worker'] as const;

export interface TemporalServerConfigOptions {
  readonly ports: TemporalServerPorts;
  /** File of the dynamic configuration. */
  readonly dynamicConfigFile: string;
  /** Where workflows are kept; in memory without it. */
  readonly dbFile?: string;
}

/** The configuration file of a Temporal server on one machine, as an object: JSON is YAML. */
export function temporalServerConfig({ ports, dynamicConfigFile, dbFile }: TemporalServerConfigOptions): object {
  const database = {
    sql: {
      pluginName: 'sqlite',
      databaseName: dbFile ?? 'default',
      connectAddr: 'localhost',
      connectProtocol: 'tcp',
      // No lifetime for connections: a database in memory ends with its last one.
      connectAttributes: dbFile === undefined ? { mode: 'memory', cache: 'private' } : { mode: 'rwc', setup: 'true' },
      maxConns: 1,
      maxIdleConns: 1,
    },
  };
  const disabled = { state: 'disabled' };
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 1,
      datastores: { default: database, visibility: database },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: Object.fromEntries(
      temporalServices.map((service) => {
        const { rpc, membership } = ports.services[service];
        const http = service === 'frontend' ? { httpPort: ports.http } : {};
        return [service, { rpc: { grpcPort: rpc, membershipPort: membership, bindOnIP: '127.0.0.1', ...http } }];
      }),
    ),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `127.0.0.1:${ports.services.frontend.rpc}`,
          httpAddress: `127.0.0.1:${ports.http}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    archival: { history: disabled, visibility: disabled },
    namespaceDefaults: { archival: { history: disabled, visibility: disabled } },
    dynamicConfigClient: { filepath: dynamicConfigFile, pollInterval: '60s' },
  };
}
