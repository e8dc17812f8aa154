import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LambdaHttpResult, NexusInvocation } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { InvokeError } from '../router/errors.ts';
import type { EnvironmentMessage, EnvironmentSetup, ServerMessage } from './environment-messages.ts';
import { temporalEnvironment } from './temporal-environment.ts';

/** One loaded version of the user's module, in a thread of its own: what an execution environment is in Lambda. */
export interface ExecutionEnvironment {
  /** What it serves, once it is loaded. Rejects with a {@link ModuleLoadError}. */
  readonly loaded: Promise<readonly ServiceContract[]>;
  /** Rejects with an InvokeError `crashed` where the environment ends first, and as `late` does. */
  invoke(invocation: NexusInvocation, late: Promise<never>, canceled?: AbortSignal): Promise<LambdaHttpResult>;
  /** Resolves as soon as its event loop turns, or the environment has ended. */
  ping(): Promise<void>;
  /** Ends it as soon as the requests under way are answered. */
  retire(): Promise<void>;
}

/** What an environment tells unasked. */
export interface EnvironmentEvents {
  /** It ended by itself after it was loaded. */
  crashed(problem: string): void;
  /** It asks to be replaced after the answers that are under way. */
  spent(): void;
  /** A Lambda handler threw instead of answering. */
  threw(problem: string): void;
}

/** The module cannot be served; the message is for the terminal, with the place. */
export class ModuleLoadError extends Error {
  override readonly name = 'ModuleLoadError';
}

/** Starts an environment that loads this bundle. */
export function startEnvironment(setup: EnvironmentSetup, events: EnvironmentEvents): ExecutionEnvironment {
  const thread = new Worker(new URL(`./environment-thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: setup,
    env: temporalEnvironment(process.env, setup.temporal),
    // With a young generation as large as the default (192 MB), V8 finds no room to end the thread alone when memory
    // runs out, and takes the server along.
    resourceLimits: { maxYoungGenerationSizeMb: 32 },
  });
  const loaded = Promise.withResolvers<readonly ServiceContract[]>();
  const underWay = new Map<number, PromiseWithResolvers<LambdaHttpResult>>();
  let state: 'loading' | 'serving' | 'retired' | 'ended' = 'loading';
  let uncaught: unknown;
  let lastId = 0;
  let pong = Promise.withResolvers<void>();

  loaded.promise.catch(() => {}); // whoever waits for it hears of it; nobody may be waiting
  thread.on('message', receive);
  thread.on('error', (error) => {
    uncaught = error;
  });
  thread.on('exit', (code) => end(code));

  function send(message: ServerMessage): void {
    thread.postMessage(message);
  }

  function receive(message: EnvironmentMessage): void {
    switch (message.kind) {
      case 'loaded':
        if (state === 'loading') state = 'serving';
        loaded.resolve(message.services);
        break;
      case 'load-failed':
        state = 'retired';
        loaded.reject(new ModuleLoadError(message.problem));
        void thread.terminate();
        break;
      case 'answered':
        underWay.get(message.id)?.resolve(message.result);
        break;
      case 'threw':
        events.threw(message.problem);
        underWay.get(message.id)?.reject(crashed('the Lambda handler threw instead of answering'));
        break;
      case 'pong':
        pong.resolve();
        pong = Promise.withResolvers();
        break;
      case 'spent':
        events.spent();
        break;
      default:
        message satisfies never;
    }
  }

  function end(code: number): void {
    const how = uncaught === undefined ? `it ended with exit code ${code}` : describe(uncaught);
    const before = state;
    state = 'ended';
    loaded.reject(new ModuleLoadError(code === 13 ? `${how}: a top-level await never settles` : how));
    pong.resolve();
    for (const { reject } of underWay.values()) {
      reject(crashed("the handler's environment ended while this operation ran"));
    }
    if (before === 'serving') events.crashed(how);
  }

  async function endWhenIdle(): Promise<void> {
    if (state === 'retired' && underWay.size === 0) await thread.terminate();
  }

  return {
    loaded: loaded.promise,
    async invoke(invocation, late, canceled) {
      if (state === 'ended') throw crashed("the handler's environment has ended");
      const id = ++lastId;
      const answer = Promise.withResolvers<LambdaHttpResult>();
      underWay.set(id, answer);
      send({ kind: 'invoke', id, invocation });
      const cancel = () => send({ kind: 'cancel', id });
      canceled?.addEventListener('abort', cancel, { once: true });
      try {
        return await Promise.race([answer.promise, late]);
      } finally {
        canceled?.removeEventListener('abort', cancel);
        underWay.delete(id);
        void endWhenIdle();
      }
    },
    async ping() {
      if (state === 'ended') return;
      send({ kind: 'ping' });
      await pong.promise;
    },
    async retire() {
      if (state === 'ended') return;
      state = 'retired';
      const ended = Promise.withResolvers<void>();
      thread.once('exit', () => ended.resolve());
      await endWhenIdle();
      await ended.promise;
    },
  };
}

function crashed(what: string): InvokeError {
  return new InvokeError('crashed', `${what}; the terminal of nexus-lambda dev shows why`);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
