import { performance } from 'node:perf_hooks';
import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { InvokeError } from '../router/errors.ts';
import type { Invoker, Target } from '../router/ports.ts';
import type { EnvironmentSetup } from './environment-messages.ts';
import { type ExecutionEnvironment, ModuleLoadError } from './execution-environment.ts';
import { createServingEnvironment, type ServingEnvironmentDeps } from './serving-environment.ts';

/** Runs the handlers of one module, one version of it after the other. */
export interface LocalInvoker extends Invoker {
  /**
   * Loads a version, and serves it from then on; what is under way finishes on the version before. Returns what it
   * serves, or undefined where a newer version serves already, or decides instead. Rejects with a
   * {@link ModuleLoadError}; then the version before goes on serving.
   */
  load(setup: EnvironmentSetup): Promise<readonly ServiceContract[] | undefined>;
  /** Says that the newest version cannot be loaded, and why: requests are refused where there is none before it. */
  refuse(problem: string): void;
  /** What becomes of requests: a version `serves` them, they wait for one that `loads`, or it `refuses` them. */
  readonly state: 'serves' | 'loads' | 'refuses';
  /** Waits for what is under way, then ends. */
  close(): Promise<void>;
}

/** What it is made of. */
export interface LocalInvokerDeps extends ServingEnvironmentDeps {
  /** The one target that this module serves. */
  readonly target: Target;
}

/** Makes an {@link Invoker} that runs handlers in a thread of this process. */
export function createLocalInvoker({ target, ...deps }: LocalInvokerDeps): LocalInvoker {
  const serving = createServingEnvironment(deps);
  const decided = Promise.withResolvers<void>();
  /** By their numbers, which grow. */
  const loading = new Map<number, ExecutionEnvironment>();
  let newest = 0;
  let newestTaken = 0;
  let problem = '';

  /** Older versions that still load are of no use any more. */
  function retireOlderThan(version: number): void {
    newestTaken = version;
    for (const [other, environment] of loading) {
      if (other < version) serving.retire(environment);
    }
  }

  async function usable(): Promise<ExecutionEnvironment> {
    await decided.promise;
    let environment = await serving.get();
    while (environment !== undefined) {
      try {
        await environment.loaded;
        return environment;
      } catch (error) {
        serving.drop(environment);
        // A save may have overtaken it while it loaded: then there is another one.
        if (!serving.holds) throw moduleError(String(error), { cause: error });
        environment = await serving.get();
      }
    }
    throw moduleError(problem);
  }

  /** @param waitMs after which nobody waits for it, where that is less than its own time */
  async function run(invocation: NexusInvocation, waitMs: number, canceled?: AbortSignal): Promise<LambdaHttpResult> {
    const endsAt = performance.now() + invocation.timeoutMs;
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {}); // it may fire between two of those that wait for it
    let environment: ExecutionEnvironment | undefined;
    const timer = setTimeout(() => late.reject(timeoutError(invocation, environment)), invocation.timeoutMs);
    // A handler that goes on without its caller must not hold up others: it may block the event loop.
    const suspicion = setTimeout(() => environment && serving.timedOut(environment), waitMs);
    if (waitMs >= invocation.timeoutMs) clearTimeout(suspicion);
    try {
      environment = await Promise.race([usable(), late.promise]);
      const timeoutMs = Math.max(0, endsAt - performance.now());
      return await environment.invoke({ ...invocation, timeoutMs }, late.promise, canceled);
    } catch (error) {
      if (error instanceof InvokeError && error.reason === 'timeout' && environment) serving.timedOut(environment);
      throw error;
    } finally {
      clearTimeout(timer);
      clearTimeout(suspicion);
    }
  }

  return {
    get state() {
      if (serving.serves) return 'serves';
      return loading.size > 0 ? 'loads' : 'refuses';
    },
    async invoke({ target: { namespace, taskQueue } }, invocation, waitMs, canceled) {
      if (namespace === target.namespace && taskQueue === target.taskQueue) return run(invocation, waitMs, canceled);
      throw new InvokeError(
        'no-handler',
        `nothing serves task queue "${taskQueue}" in namespace "${namespace}"; ` +
          `this server serves "${target.taskQueue}" in "${target.namespace}"`,
      );
    },
    async load(setup) {
      const version = ++newest;
      const launched = serving.launch(setup);
      loading.set(version, launched.environment);
      try {
        const services = await launched.environment.loaded;
        if (version < newestTaken) return undefined;
        serving.take(launched);
        retireOlderThan(version);
        decided.resolve();
        return services;
      } catch (error) {
        if (!(error instanceof ModuleLoadError)) throw error;
        if (version < Math.max(newestTaken, ...loading.keys())) return undefined;
        if (version === newest) problem = error.message;
        throw error;
      } finally {
        loading.delete(version);
        if (loading.size === 0) decided.resolve();
      }
    },
    refuse(text) {
      newest++;
      problem = text;
      if (loading.size === 0) decided.resolve();
    },
    async close() {
      retireOlderThan(Number.POSITIVE_INFINITY);
      await serving.close();
    },
  };
}

function moduleError(problem: string, options?: ErrorOptions): InvokeError {
  return new InvokeError('module', `the handlers' module does not load: ${firstLine(problem)}`, options);
}

function timeoutError({ timeoutMs }: NexusInvocation, environment: ExecutionEnvironment | undefined): InvokeError {
  const ms = Math.round(timeoutMs);
  return new InvokeError(
    'timeout',
    environment === undefined
      ? `no environment was ready for the handler within ${ms} ms; does its module still load?`
      : `the handler gave no answer within ${ms} ms; does it block the event loop?`,
  );
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
