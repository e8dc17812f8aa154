import { isBlocked } from './blocked-environment.ts';
import type { EnvironmentSetup } from './environment-messages.ts';
import { type EnvironmentEvents, type ExecutionEnvironment, startEnvironment } from './execution-environment.ts';

/** The environment that serves, and what replaces it when it crashes, blocks, or asks for it. */
export interface ServingEnvironment {
  /** Starts one that does not serve yet. */
  launch(setup: EnvironmentSetup): Version;
  /** Lets this one serve; the one before ends when its requests are answered. */
  take(version: Version): void;
  /** The one that serves, which may still load; undefined where there was none yet. A crashed one is started again. */
  get(): Promise<ExecutionEnvironment | undefined>;
  /** To be told of each request that timed out in it. */
  timedOut(environment: ExecutionEnvironment): void;
  /** To be told that it does not load. */
  drop(environment: ExecutionEnvironment): void;
  /** Ends one as soon as its requests are answered. */
  retire(environment: ExecutionEnvironment): void;
  /** Whether one serves, or will with the next request. */
  readonly serves: boolean;
  /** Whether one is there now. */
  readonly holds: boolean;
  /** Waits for what is under way, then ends. */
  close(): Promise<void>;
}

export interface Version {
  readonly environment: ExecutionEnvironment;
  readonly setup: EnvironmentSetup;
}

/** What it is made of. */
export interface ServingEnvironmentDeps {
  /** Is told what happens to an environment, in words for the terminal. */
  report(problem: string): void;
  /** How long an environment that answers no ping is waited for; 250 ms by default. */
  readonly patience?: () => Promise<void>;
  readonly start?: (setup: EnvironmentSetup, events: EnvironmentEvents) => ExecutionEnvironment;
}

/** Makes the holder of the environment; it holds none at first. */
export function createServingEnvironment({
  report,
  patience,
  start = startEnvironment,
}: ServingEnvironmentDeps): ServingEnvironment {
  const ending = new Set<Promise<void>>();
  let current: Version | undefined;
  let lastGood: EnvironmentSetup | undefined;
  let check: Promise<void> | undefined;

  function launch(setup: EnvironmentSetup): Version {
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

  async function replaceIfBlocked(environment: ExecutionEnvironment): Promise<void> {
    const blocked = await isBlocked(environment, patience);
    if (!blocked || current?.environment !== environment) return;
    report(
      'a handler blocks the event loop: a request timed out, and nothing answered a ping; its environment is replaced',
    );
    replace(environment);
  }

  return {
    launch,
    drop,
    retire,
    take(version) {
      if (current !== undefined) retire(current.environment);
      current = version;
      lastGood = version.setup;
    },
    async get() {
      await check; // a request that went into a blocked environment would time out, too
      if (current === undefined && lastGood !== undefined) current = launch(lastGood);
      return current?.environment;
    },
    timedOut(environment) {
      // A caller's timeout is not a function's: where the handler only takes longer, its environment stays.
      if (current?.environment === environment) check = replaceIfBlocked(environment);
    },
    get holds() {
      return current !== undefined;
    },
    get serves() {
      return lastGood !== undefined;
    },
    async close() {
      if (current !== undefined) retire(current.environment);
      current = undefined;
      lastGood = undefined;
      await Promise.all(ending);
    },
  };
}
