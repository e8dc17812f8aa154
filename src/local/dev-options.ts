import type { ServiceContract } from '../nexus/message.ts';
import type { EndpointSpec } from '../router/ports.ts';
import type { TemporalTarget } from './environment-messages.ts';
import { openEphemeralStore, openStore, type Store } from './store.ts';

/** What `nexus-lambda dev` serves, and where. */
export interface DevOptions {
  /** Absolute. */
  readonly modulePath: string;
  /** 0 is any free one. */
  readonly port: number;
  readonly endpoint: string;
  readonly taskQueue: string;
  /** Undefined leaves it to the SDK's environment configuration. */
  readonly temporalAddress?: string;
  readonly temporalNamespace?: string;
  /** The folder of the embedded store; undefined keeps it in memory. */
  readonly dataFolder?: string;
  /** Operations that are delivered through a queue, as `service/operation`. */
  readonly queue?: readonly string[];
  /** Operations that are answered with a token where they are not done in the caller's time, as `service/operation`. */
  readonly promote?: readonly string[];
  /** Operations that are queued where their handler fails and may be tried again, as `service/operation`. */
  readonly absorbFailures?: readonly string[];
  /** Whether a repeated start gets the answer of the first one. */
  readonly deduplicate?: boolean;
  /** Absolute. */
  readonly dataConverterPath?: string;
}

export function openStoreOf({ dataFolder }: DevOptions): Store {
  return dataFolder === undefined ? openEphemeralStore() : openStore(dataFolder);
}

/** Where the module's workflows run. */
export function temporalOf({ temporalAddress, temporalNamespace, taskQueue }: DevOptions): TemporalTarget {
  return {
    ...(temporalAddress === undefined ? {} : { address: temporalAddress }),
    ...(temporalNamespace === undefined ? {} : { namespace: temporalNamespace }),
    taskQueue,
  };
}

type Delivery = Pick<EndpointSpec, 'queued' | 'promotable' | 'absorbFailures' | 'deduplicate'>;

/** How the endpoint's operations are delivered. */
export function deliveryOf({ queue = [], promote = [], absorbFailures = [], deduplicate }: DevOptions): Delivery {
  return {
    ...(queue.length > 0 && { queued: [...new Set(queue)] }),
    ...(promote.length > 0 && { promotable: [...new Set(promote)] }),
    ...(absorbFailures.length > 0 && { absorbFailures: [...new Set(absorbFailures)] }),
    ...(deduplicate && { deduplicate }),
  };
}

/** Of `--queue`, `--promote` and `--absorb-failures`: those that the module does not have, or not any more. */
export function missingOperations(
  options: DevOptions,
  services: readonly ServiceContract[],
): (readonly [string, string])[] {
  const { queued = [], promotable = [], absorbFailures = [] } = deliveryOf(options);
  const named = [
    ...queued.map((name) => ['queue', name] as const),
    ...promotable.map((name) => ['promote', name] as const),
    ...absorbFailures.map((name) => ['absorb-failures', name] as const),
  ];
  return named.filter(([, name]) => !namesIn(services).includes(name));
}

/** As `--queue` takes them. */
export function namesIn(services: readonly ServiceContract[]): string[] {
  return services.flatMap(({ name, operations }) => operations.map((operation) => `${name}/${operation}`));
}
