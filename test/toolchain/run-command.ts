import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { startGuarded } from './guarded-process.ts';

export interface RunCommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Gets each line as it comes, of standard output and standard error. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  /** 128 and the signal's number where a signal ended it, 127 where it did not start. */
  readonly code: number;
  /** What it said, on standard output and standard error. */
  readonly lines: readonly string[];
}

/** Runs a command to its end, which comes with the end of this process at the latest. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { env, cwd, onLine }: RunCommandOptions = {},
): Promise<CommandResult> {
  const running = startGuarded(command, args, {
    output: 'pipe',
    killAfterMs: 1_000,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  const lines: string[] = [];
  const read = async (input: Readable) => {
    for await (const line of createInterface({ input })) {
      lines.push(line);
      onLine?.(line);
    }
  };
  await Promise.all([read(running.process.stdout!), read(running.process.stderr!)]);
  return { code: await running.exited, lines };
}
