import { randomUUID } from 'node:crypto';
import { setSourceMapsSupport } from 'node:module';
import { performance } from 'node:perf_hooks';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import type { LambdaContext } from '../handler/invocation.ts';
import { indexServices } from '../handler/services.ts';
import { dispatchByService } from './dispatch.ts';
import type { EnvironmentMessage, EnvironmentSetup, ServerMessage } from './environment-messages.ts';
import { collectHandlers } from './module-exports.ts';
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
  return { handle: dispatchByService(lambdaHandlers, plain), contract: indexServices(services).contract };
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

function contextOf(timeoutMs: number): LambdaContext {
  const endsAt = performance.now() + timeoutMs;
  return {
    awsRequestId: randomUUID(),
    functionName: setup.endpoint,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(endsAt - performance.now())),
    retireEnvironment: () => post({ kind: 'spent' }),
  };
}

try {
  const { handle, contract } = await load();
  parentPort?.on('message', async (message: ServerMessage) => {
    if (message.kind === 'ping') return post({ kind: 'pong' });
    const { id, invocation } = message;
    try {
      post({ kind: 'answered', id, result: await handle(invocation, contextOf(invocation.timeoutMs)) });
    } catch (error) {
      post({ kind: 'threw', id, problem: inspect(error) });
    }
  });
  post({ kind: 'loaded', services: contract });
} catch (error) {
  post({ kind: 'load-failed', problem: inspect(error) });
}
