import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import type { NexusHttpRequest, NexusHttpResponse, ServiceContract } from '../nexus/message.ts';
import type { OperationStore } from '../operations/ports.ts';
import type { OperationRecord } from '../operations/record.ts';
import { AT_REST, statusOf } from '../router/circuit.ts';
import { createCircuitManagement } from '../router/circuit-management.ts';
import { createEndpointManagement } from '../router/endpoint-management.ts';
import { failureResponse } from '../router/failure-response.ts';
import { createFlowGates } from '../router/flow-gates.ts';
import { createManagement } from '../router/management.ts';
import { isManagementPath } from '../router/management-path.ts';
import type { EndpointSpec, Target } from '../router/ports.ts';
import { summarizeRequest } from '../router/request-summary.ts';
import { endpointPath } from '../router/route.ts';
import { createRouter } from '../router/router.ts';
import { closeCircuit } from './close-circuit.ts';
import type { TemporalTarget } from './environment-messages.ts';
import { ModuleLoadError } from './execution-environment.ts';
import { terminalFlow } from './flow-line.ts';
import { foreignHost, foreignOrigin } from './foreign-origin.ts';
import { startHttpServer } from './http-server.ts';
import { createLocalInvoker, type LocalInvoker } from './local-invoker.ts';
import { createLocalOperations } from './local-operations.ts';
import { type Bundle, watchModule } from './module-bundler.ts';
import { formatAttemptLine, formatCompletionLine } from './operation-line.ts';
import { publishEndpoint, reserveEndpoint } from './publish-endpoint.ts';
import { formatRequestLine, printable } from './request-line.ts';
import { noticeSlowLoad } from './slow-load.ts';
import { createSqliteCircuitStore } from './sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from './sqlite-endpoint-registry.ts';
import { createSqliteLimitStore } from './sqlite-limit-store.ts';
import { openEphemeralStore, openStore, type Store } from './store.ts';
import { terminalLogger } from './terminal-logger.ts';

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
  /** Whether a repeated start gets the answer of the first one. */
  readonly deduplicate?: boolean;
  /** Absolute. */
  readonly dataConverterPath?: string;
}

/** Where it writes. */
export interface DevTerminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface DevServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** What to say once it may be stopped by a signal: `listening on {url}`, and what it serves. */
  readonly greeting: string;
  /** Finishes the requests under way, then ends. */
  close(): Promise<void>;
}

/** Of a version that does not load. */
const CONSEQUENCE: Record<LocalInvoker['state'], string> = {
  serves: 'the version before goes on serving',
  loads: 'the version before still loads, and serves then',
  refuses: 'requests are refused until it is mended',
};

/**
 * Serves the module's operations over HTTP, and again whenever one of its files changes. A version that does not load
 * leaves the one before in service; both are said on the terminal. Resolves when it is ready, with the module loaded
 * or its error shown.
 *
 * @throws StartError where the port or the data folder is taken.
 */
export async function startDev(options: DevOptions, terminal: DevTerminal): Promise<DevServer> {
  const say = (text: string) => terminal.stdout.write(`${text}\n`);
  const complain = (text: string) => terminal.stderr.write(`${text}\n`);
  const target: Target = { namespace: options.temporalNamespace ?? 'default', taskQueue: options.taskQueue };
  const store = openStoreOf(options);
  const registry = createSqliteEndpointRegistry(store.db, Date);
  const invoker = createLocalInvoker({ target, report: complain });
  const logger = terminalLogger(terminal.stderr);
  const emit = terminalFlow(terminal.stdout, Date);
  const circuits = createSqliteCircuitStore(store.db);
  const limits = createSqliteLimitStore(store.db);
  const gates = createFlowGates({
    ...{ circuits, limits, clock: Date, random: Math.random, newId: randomUUID },
    ...{ logger, emit },
  });
  const { durable, polling, promotion, ...queued } = createLocalOperations({
    ...{ db: store.db, registry, invoker, target, gate: gates.queued, limits, emit, clock: Date, logger },
    events: {
      attempted: (record, ms) => say(formatAttemptLine(record, { ms, now: Date.now() }, terminal.stdout)),
      completed: (record, ms) => say(formatCompletionLine(record, { ms, now: Date.now() }, terminal.stdout)),
      waitingFor: (running, ms) => say(`waiting up to ${ms / 1_000} s for ${runningNames(running)}`),
    },
  });
  const management = createManagement({
    mayManage: (principal) => principal === LOCAL.principal,
    parts: [
      queued.management,
      createEndpointManagement({
        ...{ registry, clock: Date },
        stateOf: async ({ name, circuit = AT_REST }) => ({
          operations: (await queued.store.count({ endpoint: name })).counts,
          circuit: { status: statusOf(circuit, Date.now()) },
        }),
      }),
      createCircuitManagement({ registry, store: circuits, clock: Date, emit }),
    ],
  });
  const deduplicate = options.deduplicate
    ? (await import('./local-deduplication.ts')).localDeduplication(store.db, logger)
    : undefined;
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
  const ready = Promise.withResolvers<readonly ServiceContract[]>();

  async function answer(request: NexusHttpRequest): Promise<NexusHttpResponse> {
    const origin = foreignOrigin(request.headers);
    if (origin !== undefined) {
      return failureResponse(
        'UNAUTHORIZED',
        `a web page at ${origin} may not call operations on this machine`,
        request,
      );
    }
    const host = isManagementPath(request.path) ? foreignHost(request.headers) : undefined;
    if (host !== undefined) {
      return failureResponse(
        'UNAUTHORIZED',
        `operations, endpoints and circuits are managed at 127.0.0.1, and not at ${host}`,
        request,
      );
    }
    try {
      return (await management.answer(request, LOCAL)) ?? (await router(request, LOCAL));
    } catch (error) {
      complain(inspect(error));
      return failureResponse('INTERNAL', 'the router failed; the terminal of nexus-lambda dev shows why', request);
    }
  }

  async function handle(request: NexusHttpRequest): Promise<NexusHttpResponse> {
    const startedAt = performance.now();
    const response = await answer(request);
    if (!isQuiet(request, response)) {
      say(formatRequestLine(summarizeRequest(request.path, response), performance.now() - startedAt, terminal.stdout));
    }
    return response;
  }

  function failed(problem: string): void {
    complain(`${problem}\n\nthe module does not load; ${CONSEQUENCE[invoker.state]}`);
    // A version that still loads is worth the wait.
    if (invoker.state !== 'loads') ready.resolve([]);
  }

  let serving: Bundle | undefined;
  let isReady = false;
  async function load(bundle: Bundle): Promise<void> {
    const startedAt = performance.now();
    try {
      const setup = {
        bundleUrl: bundle.url,
        moduleUrl: pathToFileURL(options.modulePath).href,
        endpoint: options.endpoint,
        temporal: temporalOf(options),
      };
      const services = await noticeSlowLoad(invoker.load(setup), complain);
      if (services === undefined) return bundle.discard();
      serving?.discard();
      serving = bundle;
      await publishEndpoint(registry, { name: options.endpoint, target, services, ...deliveryOf(options) });
      await closeCircuit(options.endpoint, { registry, store: circuits, clock: Date });
      for (const [flag, name] of missingOperations(options, services)) {
        complain(`--${flag} ${name}: the module has no such operation; it has ${namesIn(services).join(', ')}`);
      }
      const waiting = await queued.serve();
      if (waiting > 0) say(`${waiting} queued ${waiting === 1 ? 'operation goes' : 'operations go'} on`);
      if (isReady)
        say(`reloaded in ${Math.round(performance.now() - startedAt)} ms: ${operationNames(services).join(', ')}`);
      ready.resolve(services);
    } catch (error) {
      if (error instanceof ModuleLoadError) {
        bundle.discard();
        failed(error.message);
      } else {
        complain(inspect(error));
        ready.reject(error);
      }
    }
  }

  let server: Awaited<ReturnType<typeof startHttpServer>> | undefined;
  let watch: Awaited<ReturnType<typeof watchModule>> | undefined;
  async function close(): Promise<void> {
    // An attempt that is not done in time ends with the process, and is made again by the next one.
    const [attemptsEnded] = await Promise.all([queued.close(), server?.close()]);
    await Promise.all([watch?.close(), attemptsEnded && invoker.close()]);
    const left = await leftIn(queued.store);
    if (left > 0) say(`${left} ${left === 1 ? 'operation is' : 'operations are'} ${fateOf(options)}`);
    store.close();
  }

  try {
    // A request that comes before the module is loaded waits for it: NOT_FOUND would end its operation for good.
    await reserveEndpoint(registry, { name: options.endpoint, target, ...deliveryOf(options) });
    await queued.start();
    server = await startHttpServer(options.port, handle);
    watch = await watchModule(
      options,
      {
        built: (bundle) => void load(bundle),
        failed(problem) {
          invoker.refuse(problem);
          failed(problem);
        },
        warned: complain,
      },
      terminal.stderr.hasColors?.() === true,
    );
    const services = await ready.promise;
    isReady = true;
    return { url: server.url, greeting: greeting(server.url, options, target, services), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whoever reaches 127.0.0.1. */
const LOCAL = { principal: 'local' } as const;

/** What is asked about operations, once a second by some, would hide the lines of the operations themselves. */
function isQuiet({ method, path }: NexusHttpRequest, { status }: NexusHttpResponse): boolean {
  return isManagementPath(path) || (method === 'GET' && [200, 408, 412, 424].includes(status));
}

function openStoreOf({ dataFolder }: DevOptions): Store {
  return dataFolder === undefined ? openEphemeralStore() : openStore(dataFolder);
}

function temporalOf({ temporalAddress, temporalNamespace, taskQueue }: DevOptions): TemporalTarget {
  return {
    ...(temporalAddress === undefined ? {} : { address: temporalAddress }),
    ...(temporalNamespace === undefined ? {} : { namespace: temporalNamespace }),
    taskQueue,
  };
}

type Delivery = Pick<EndpointSpec, 'queued' | 'promotable' | 'deduplicate'>;

function deliveryOf({ queue = [], promote = [], deduplicate }: DevOptions): Delivery {
  return {
    ...(queue.length > 0 && { queued: [...new Set(queue)] }),
    ...(promote.length > 0 && { promotable: [...new Set(promote)] }),
    ...(deduplicate && { deduplicate }),
  };
}

/** Of `--queue` and `--promote`: those that the module does not have, or not any more. */
function missingOperations(options: DevOptions, services: readonly ServiceContract[]): (readonly [string, string])[] {
  const { queued = [], promotable = [] } = deliveryOf(options);
  const named = [
    ...queued.map((name) => ['queue', name] as const),
    ...promotable.map((name) => ['promote', name] as const),
  ];
  return named.filter(([, name]) => !namesIn(services).includes(name));
}

/** As `--queue` takes them. */
function namesIn(services: readonly ServiceContract[]): string[] {
  return services.flatMap(({ name, operations }) => operations.map((operation) => `${name}/${operation}`));
}

function runningNames(running: readonly OperationRecord[]): string {
  const names = [...new Set(running.map(({ start: { service, operation } }) => `${service}/${operation}`))];
  return `${running.length} ${running.length === 1 ? 'attempt' : 'attempts'}: ${printable(names.join(', '))}`;
}

async function leftIn(operations: OperationStore): Promise<number> {
  const { counts } = await operations.count({});
  return counts.queued + counts.claimed;
}

function fateOf({ dataFolder }: DevOptions): string {
  return dataFolder === undefined ? 'lost: --ephemeral keeps nothing' : 'kept, and run by the next start';
}

function operationNames(services: readonly ServiceContract[]): string[] {
  return services.flatMap(({ name, operations }) =>
    operations.map((operation) => `${encodeURIComponent(name)}/${encodeURIComponent(operation)}`),
  );
}

function greeting(url: string, { endpoint }: DevOptions, target: Target, services: readonly ServiceContract[]): string {
  const base = `${url}${endpointPath(endpoint)}`;
  const operations = operationNames(services).map((operation) => `  POST ${base}/${operation}`);
  return [
    `listening on ${url}`,
    '',
    `endpoint ${endpoint} (task queue ${target.taskQueue}, namespace ${target.namespace}): ${base}`,
    ...(operations.length === 0 ? ['  no operations yet'] : operations),
    '',
    'to call it from workflows:',
    `  temporal operator nexus endpoint create --name ${endpoint} --target-url ${base}`,
    '',
  ].join('\n');
}
