import { performance } from 'node:perf_hooks';
import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { InvokeError } from '../router/errors.ts';
import type { Invoker, Target } from '../router/ports.ts';
import type { EnvironmentSetup } from './environment-messages.ts';
import {
  type EnvironmentEvents,
  type ExecutionEnvironment,
  ModuleLoadError,
  startEnvironment,
} from './execution-environment.ts';

/** Runs the handlers of one module, one version of it after the other. */
export interface LocalInvoker extends Invoker {
  /**
   * Loads a version, and serves it from then on; what is under way finishes on the version before. Returns what it
   * serves, or undefined where a newer version was loaded meanwhile. Rejects with a {@link ModuleLoadError}; then the
   * version before goes on serving.
   */
  load(setup: EnvironmentSetup): Promise<readonly ServiceContract[] | undefined>;
  /** Says that there is no version to load, and why: requests are refused while there is none before it. */
  refuse(problem: string): void;
  /** Whether a version is there that serves. */
  readonly serves: boolean;
  /** Waits for what is under way, then ends. */
  close(): Promise<void>;
}

/** What it is made of. */
export interface LocalInvokerDeps {
  /** The one target that this module serves. */
  readonly target: Target;
  /** Is told what happens to an environment, in words for the terminal. */
  report(problem: string): void;
  readonly start?: (setup: EnvironmentSetup, events: EnvironmentEvents) => ExecutionEnvironment;
}

/** Makes an {@link Invoker} that runs handlers in a thread of this process. */
export function createLocalInvoker({ target, report, start = startEnvironment }: LocalInvokerDeps): LocalInvoker {
  const decided = Promise.withResolvers<void>();
  const ending = new Set<Promise<void>>();
  let current: { environment: ExecutionEnvironment; setup: EnvironmentSetup } | undefined;
  let lastGood: EnvironmentSetup | undefined;
  let problem = '';
  let newest = 0;

  function launch(setup: EnvironmentSetup): { environment: ExecutionEnvironment; setup: EnvironmentSetup } {
    const environment = start(setup, {
      crashed(how) {
        report(`the handlers' environment ended; the next request starts a new one\n${how}`);
        drop(environment);
      },
      spent() {
        report('a handler did not end at its deadline; its environment is replaced');
        replace(environment);
      },
      threw: report,
    });
    return { environment, setup };
  }

  function drop(environment: ExecutionEnvironment): void {
    if (current?.environment === environment) current = undefined;
  }

  function retire(environment: ExecutionEnvironment): void {
    const ended = environment.retire().finally(() => ending.delete(ended));
    ending.add(ended);
  }

  function replace(environment: ExecutionEnvironment): void {
    if (current?.environment === environment) current = launch(current.setup);
    retire(environment);
  }

  /** Starts the last good version again where it has crashed. */
  async function usable(): Promise<ExecutionEnvironment> {
    await decided.promise;
    if (current === undefined && lastGood !== undefined) current = launch(lastGood);
    if (current === undefined)
      throw new InvokeError('module', `the handlers' module does not load: ${firstLine(problem)}`);
    const { environment } = current;
    try {
      await environment.loaded;
    } catch (error) {
      drop(environment);
      throw new InvokeError('module', `the handlers' module does not load: ${firstLine(String(error))}`, {
        cause: error,
      });
    }
    return environment;
  }

  async function run(invocation: NexusInvocation): Promise<LambdaHttpResult> {
    const endsAt = performance.now() + invocation.timeoutMs;
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {}); // it may fire between two of those that wait for it
    const timer = setTimeout(() => late.reject(noAnswer(invocation)), invocation.timeoutMs);
    let environment: ExecutionEnvironment | undefined;
    try {
      environment = await Promise.race([usable(), late.promise]);
      const timeoutMs = Math.max(0, endsAt - performance.now());
      return await environment.invoke({ ...invocation, timeoutMs }, late.promise);
    } catch (error) {
      // As in Lambda: a function that runs into its timeout loses its environment.
      if (error instanceof InvokeError && error.reason === 'timeout' && environment !== undefined) replace(environment);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    get serves() {
      return current !== undefined || lastGood !== undefined;
    },
    async invoke({ namespace, taskQueue }, invocation) {
      if (namespace === target.namespace && taskQueue === target.taskQueue) return run(invocation);
      throw new InvokeError(
        'no-handler',
        `nothing serves task queue "${taskQueue}" in namespace "${namespace}"; ` +
          `this server serves "${target.taskQueue}" in "${target.namespace}"`,
      );
    },
    async load(setup) {
      const version = ++newest;
      const launched = launch(setup);
      try {
        const services = await launched.environment.loaded;
        if (version !== newest) {
          retire(launched.environment);
          return undefined;
        }
        const before = current;
        current = launched;
        lastGood = setup;
        if (before !== undefined) retire(before.environment);
        return services;
      } catch (error) {
        if (!(error instanceof ModuleLoadError)) throw error;
        if (version !== newest) return undefined;
        problem = error.message;
        throw error;
      } finally {
        decided.resolve();
      }
    },
    refuse(text) {
      newest++;
      problem = text;
      decided.resolve();
    },
    async close() {
      newest++;
      if (current !== undefined) retire(current.environment);
      current = undefined;
      lastGood = undefined;
      await Promise.all(ending);
    },
  };
}

function noAnswer({ timeoutMs }: NexusInvocation): InvokeError {
  return new InvokeError(
    'timeout',
    `the handler gave no answer within ${Math.round(timeoutMs)} ms; does it block the event loop?`,
  );
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
