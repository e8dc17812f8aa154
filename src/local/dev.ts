import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import type { NexusHttpRequest, NexusHttpResponse, ServiceContract } from '../nexus/message.ts';
import type { OperationStore } from '../operations/ports.ts';
import { isManagementPath } from '../router/management-path.ts';
import type { Target } from '../router/ports.ts';
import { summarizeRequest } from '../router/request-summary.ts';
import { closeCircuit } from './close-circuit.ts';
import { type DevOptions, deliveryOf, missingOperations, namesIn, openStoreOf, temporalOf } from './dev-options.ts';
import { fateOf, greeting, operationNames, runningNames } from './dev-text.ts';
import { ModuleLoadError } from './execution-environment.ts';
import { terminalFlow } from './flow-line.ts';
import { startHttpServer } from './http-server.ts';
import { keptText } from './kept-text.ts';
import { createLocalGateway } from './local-gateway.ts';
import { createLocalInvoker, type LocalInvoker } from './local-invoker.ts';
import { type Bundle, watchModule } from './module-bundler.ts';
import { formatAttemptLine, formatCompletionLine } from './operation-line.ts';
import { publishEndpoint, reserveEndpoint } from './publish-endpoint.ts';
import { formatRequestLine } from './request-line.ts';
import { noticeSlowLoad } from './slow-load.ts';
import { terminalLogger } from './terminal-logger.ts';

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
  const invoker = createLocalInvoker({ target, report: complain });
  const emit = terminalFlow(terminal.stdout, Date);
  const {
    registry,
    circuits,
    operations: queued,
    answer,
  } = await createLocalGateway({
    ...{ db: store.db, invoker, target, deduplicate: options.deduplicate === true, report: complain },
    events: {
      attempted: (record, ms) => say(formatAttemptLine(record, { ms, now: Date.now() }, terminal.stdout)),
      completed: (record, ms) => say(formatCompletionLine(record, { ms, now: Date.now() }, terminal.stdout)),
      waitingFor: (running, ms) => say(`waiting up to ${ms / 1_000} s for ${runningNames(running)}`),
    },
    emit,
    logger: terminalLogger(terminal.stderr),
  });
  const ready = Promise.withResolvers<readonly ServiceContract[]>();

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
      await closeCircuit(options.endpoint, { registry, store: circuits, clock: Date, emit });
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
    const { url } = server;
    const endpoint = await registry.get(options.endpoint);
    const kept = endpoint === undefined ? '' : keptText(endpoint, { now: Date.now(), url });
    return { url, greeting: greeting(url, options, target, services) + (kept && `\n${kept}\n`), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is asked about operations, once a second by some, would hide the lines of the operations themselves. */
function isQuiet({ method, path }: NexusHttpRequest, { status }: NexusHttpResponse): boolean {
  return isManagementPath(path) || (method === 'GET' && [200, 408, 412, 424].includes(status));
}

async function leftIn(operations: OperationStore): Promise<number> {
  const { counts } = await operations.count({});
  return counts.queued + counts.claimed;
}
