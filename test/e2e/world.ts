/** The two ends of the Temporal servers that are supported: 1.29.1 and 1.32.1. */
export const serverVersions = ['old', 'new'] as const;
export type ServerVersion = (typeof serverVersions)[number];

/** What runs while the suite runs, as its files are told. */
export interface World {
  readonly servers: Readonly<Record<ServerVersion, TemporalWorld>>;
  /** `nexus-lambda dev` with a converter of its own; it needs no Temporal server, so both versions call the same. */
  readonly catalogUrl: string;
}

/** A Temporal server, the workers of its workflows, and what its endpoints point at. */
export interface TemporalWorld {
  readonly address: string;
  /** `nexus-lambda dev` for services/shop.ts, at the endpoint `shop`. */
  readonly shopUrl: string;
  readonly shopLog: string;
  /** And for services/warehouse.ts, at the endpoint `warehouse`. */
  readonly warehouseUrl: string;
  /** And for services/vault.ts, at the endpoint `vault`, with a data converter that encrypts. */
  readonly vaultUrl: string;
}

/** Task queues of the caller workflows, by the data converter of their worker. */
export const callerQueues = {
  plain: 'callers',
  encrypting: 'encrypting-callers',
  protobuf: 'protobuf-callers',
} as const;

declare module 'vitest' {
  interface ProvidedContext {
    world: World;
  }
}
