import { randomUUID } from 'node:crypto';
import { setSourceMapsSupport } from 'node:module';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import type { LambdaContext } from '../handler/invocation.ts';
import { indexServices } from '../handler/services.ts';
import { DOCTOR_SERVICE } from '../nexus/doctor-contract.ts';
import { dispatchByService } from './dispatch.ts';
import type { EnvironmentMessage, EnvironmentSetup, ServerMessage } from './environment-messages.ts';
import { collectHandlers, type LambdaHandler } from './module-exports.ts';
import { preferPackagesOf } from './package-resolution.ts';
import { loadTemporalSide } from './temporal-peers.ts';

// The entry of the thread that stands for a Lambda execution environment: loads one bundle, then answers invocations.

interface Bundle {
  readonly module: Readonly<Record<string, unknown>>;
  readonly dataConverterModule?: { readonly default?: unknown };
}

const setup = workerData as EnvironmentSetup;

// The bundle is kept under node_modules, where Node leaves source maps alone unless told otherwise.
setSourceMapsSupport(true, { nodeModules: true });

preferPackagesOf(setup);

function post(message: EnvironmentMessage): void {
  parentPort?.postMessage(message);
}

async function load() {
  const { module, dataConverterModule } = (await import(setup.bundleUrl)) as Bundle;
  const { services, lambdaHandlers } = collectHandlers(module);
  const dataConverter = dataConverterModule && defaultExport(dataConverterModule);
  const hasPlain = services.some(({ definition }) => !lambdaHandlers.has(definition.name));
  const temporal = hasPlain ? await loadTemporalSide(setup.temporal, dataConverter) : undefined;
  if (dataConverter !== undefined && lambdaHandlers.size > 0) sayWhoHasItsOwn([...lambdaHandlers.keys()]);
  const { createServiceHandler } = await import('../index.ts');
  // Of all services, so that its answer to an unknown one names all.
  const plain = createServiceHandler({ services, ...(temporal === undefined ? {} : { temporal }) });
  return {
    handle: dispatchByService(hasPlain ? lambdaHandlers : withDoctor(lambdaHandlers), plain),
    contract: indexServices(services).contract,
  };
}

/** Where nothing is exported plainly, the Temporal side that a doctor asks about is that of a Lambda handler. */
function withDoctor(lambdaHandlers: ReadonlyMap<string, LambdaHandler>): ReadonlyMap<string, LambdaHandler> {
  const [first] = lambdaHandlers.values();
  return first === undefined ? lambdaHandlers : new Map([...lambdaHandlers, [DOCTOR_SERVICE, first]]);
}

function sayWhoHasItsOwn(services: readonly string[]): void {
  console.warn(
    `--data-converter is not for ${services.join(', ')}: a Lambda handler has its own; give it to its temporal({ dataConverter })`,
  );
}

function defaultExport(module: { readonly default?: unknown }): unknown {
  if (typeof module.default === 'object' && module.default !== null) return module.default;
  throw new TypeError(
    `the module of --data-converter must have a data converter as its default export, got ${typeof module.default}; ` +
      'write: export default { payloadConverter, failureConverter, payloadCodecs }',
  );
}

/** What cancels the operations that run, by the ids of their invocations. */
const cancels = new Map<number, AbortController>();

function contextOf(timeoutMs: number, { signal: canceled }: AbortController): LambdaContext {
  const endsAt = performance.now() + timeoutMs;
  return {
    awsRequestId: randomUUID(),
    functionName: setup.endpoint,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(endsAt - performance.now())),
    canceled,
    retireEnvironment: () => post({ kind: 'spent' }),
  };
}

try {
  const { handle, contract } = await load();
  parentPort?.on('message', async (message: ServerMessage) => {
    if (message.kind === 'ping') return post({ kind: 'pong' });
    if (message.kind === 'cancel')
      return cancels.get(message.id)?.abort(new DOMException('the operation was canceled', 'AbortError'));
    const { id, invocation } = message;
    const cancel = new AbortController();
    cancels.set(id, cancel);
    try {
      post({ kind: 'answered', id, result: await handle(invocation, contextOf(invocation.timeoutMs, cancel)) });
    } catch (error) {
      post({ kind: 'threw', id, problem: inspect(error) });
    } finally {
      cancels.delete(id);
    }
  });
  post({ kind: 'loaded', services: contract });
} catch (error) {
  post({ kind: 'load-failed', problem: inspect(error) });
}
