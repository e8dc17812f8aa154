import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A child process that does not outlive this one. */
export interface GuardedProcess {
  /** Its output, where the options asked for pipes. */
  readonly process: ChildProcess;
  /** Resolves with its exit code once it has ended; 128 and the signal's number where a signal ended it, 127 where it did not start. */
  readonly exited: Promise<number>;
  /** Asks it to end (SIGTERM), and resolves once it has. Does nothing where it has ended already. */
  stop(): Promise<void>;
}

export interface GuardedProcessOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Where its output goes: a file descriptor, or a pipe. Default `ignore`. */
  readonly output?: number | 'pipe' | 'ignore';
  /** Milliseconds from SIGTERM to SIGKILL. Default 10,000: what a database needs to close its files. */
  readonly killAfterMs?: number;
  /** A folder of its own, removed when it is stopped or ends with this process; not when it ends by itself. */
  readonly folder?: string;
}

/**
 * Starts a command that ends with this process, however this process ends: by itself, by a signal to its group
 * (a terminal's Ctrl-C does not reach the command first), or by SIGKILL.
 */
export function startGuarded(
  command: string,
  args: readonly string[],
  { env = process.env, cwd, output = 'ignore', killAfterMs = 10_000, folder = '' }: GuardedProcessOptions = {},
): GuardedProcess {
  const stdio: StdioOptions = ['pipe', output, output];
  const guard = fileURLToPath(new URL('process-guard.ts', import.meta.url));
  const child = spawn(process.execPath, [guard, String(killAfterMs), folder, command, ...args], {
    env,
    stdio,
    // A group of its own, so that Ctrl-C leaves it to us in which order things end.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const exited = once(child, 'exit').then(([code]) => (code as number | null) ?? 137);
  // The guard is gone when it cannot be written to; `exited` says so already.
  child.stdin?.on('error', () => {});
  return {
    process: child,
    exited,
    async stop() {
      child.stdin?.end();
      await exited;
    },
  };
}
