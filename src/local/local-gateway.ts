import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { inspect } from 'node:util';
import type { Logger } from '../handler/logger.ts';
import type { NexusHttpRequest, NexusHttpResponse } from '../nexus/message.ts';
import { AT_REST, statusOf } from '../router/circuit.ts';
import { createCircuitManagement } from '../router/circuit-management.ts';
import { createEndpointManagement } from '../router/endpoint-management.ts';
import { failureResponse } from '../router/failure-response.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import { createFlowGates } from '../router/flow-gates.ts';
import { createManagement } from '../router/management.ts';
import { isManagementPath } from '../router/management-path.ts';
import type { CircuitStore, EndpointRegistry, Invoker, Target } from '../router/ports.ts';
import { createRouter } from '../router/router.ts';
import { foreignHost, foreignOrigin } from './foreign-origin.ts';
import { createLocalOperations, type LocalOperations, type LocalOperationsEvents } from './local-operations.ts';
import { createSqliteCircuitStore } from './sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from './sqlite-endpoint-registry.ts';
import { createSqliteLimitStore } from './sqlite-limit-store.ts';

export interface LocalGatewayDeps {
  readonly db: DatabaseSync;
  readonly invoker: Invoker;
  /** The one that the invoker serves. */
  readonly target: Target;
  /** Whether repeated starts get the answer of the first one, where their endpoint says so. */
  readonly deduplicate: boolean;
  readonly events: LocalOperationsEvents;
  readonly emit: EmitFlowEvent;
  readonly logger: Logger;
  /** Told why a request was answered with a failure of the router's own. */
  report(problem: string): void;
}

/** What a gateway is on AWS, in this process: the registry, the router, operations that wait, and the management API. */
export interface LocalGateway {
  readonly registry: EndpointRegistry;
  readonly circuits: CircuitStore;
  readonly operations: LocalOperations;
  /** Never rejects: whatever goes wrong is a Nexus failure. */
  answer(request: NexusHttpRequest): Promise<NexusHttpResponse>;
}

/** Whoever reaches 127.0.0.1. */
const LOCAL = { principal: 'local' } as const;

export async function createLocalGateway(deps: LocalGatewayDeps): Promise<LocalGateway> {
  const { db, invoker, target, events, emit, logger, report } = deps;
  const registry = createSqliteEndpointRegistry(db, Date);
  const circuits = createSqliteCircuitStore(db);
  const limits = createSqliteLimitStore(db);
  const gates = createFlowGates({
    ...{ circuits, limits, clock: Date, random: Math.random, newId: randomUUID },
    ...{ logger, emit },
  });
  const operations = createLocalOperations({
    ...{ db, registry, invoker, target, gate: gates.queued, limits, emit, clock: Date, logger, events },
  });
  const management = createManagement({
    mayManage: (principal) => principal === LOCAL.principal,
    parts: [
      operations.management,
      createEndpointManagement({
        ...{ registry, clock: Date },
        stateOf: async ({ name, circuit = AT_REST }) => ({
          operations: (await operations.store.count({ endpoint: name })).counts,
          circuit: { status: statusOf(circuit, Date.now()) },
        }),
      }),
      createCircuitManagement({ registry, store: circuits, clock: Date, emit }),
    ],
  });
  const deduplicate = deps.deduplicate
    ? (await import('./local-deduplication.ts')).localDeduplication(db, logger)
    : undefined;
  const { durable, polling, promotion } = operations;
  const router = createRouter({
    ...(deduplicate && { deduplicate }),
    durable,
    polling,
    promotion,
    endpoints: { get: registry.get, getLatest: registry.get, settle: async () => {} },
    invoker,
    gate: gates.direct,
    emit,
    clock: Date,
    endpointNames: async () => (await registry.list()).map(({ name }) => name),
  });

  return {
    registry,
    circuits,
    operations,
    async answer(request) {
      const refusal = refusalOf(request);
      if (refusal !== undefined) return failureResponse('UNAUTHORIZED', refusal, request);
      try {
        return (await management.answer(request, LOCAL)) ?? (await router(request, LOCAL));
      } catch (error) {
        report(inspect(error));
        return failureResponse('INTERNAL', 'the router failed; the terminal of nexus-lambda dev shows why', request);
      }
    },
  };
}

/** Why this machine does not answer a request: a web page of elsewhere had it sent. */
function refusalOf({ headers, path }: NexusHttpRequest): string | undefined {
  const origin = foreignOrigin(headers);
  if (origin !== undefined) return `a web page at ${origin} may not call operations on this machine`;
  const host = isManagementPath(path) ? foreignHost(headers) : undefined;
  if (host === undefined) return undefined;
  return `operations, endpoints and circuits are managed at 127.0.0.1, and not at ${host}`;
}
