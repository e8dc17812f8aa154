import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The command line as a process of its own. */
export interface CommandLine {
  readonly pid: number;
  /** The next line of stdout or stderr that matches, after those that were asked for before; fails when the process ends first. */
  line(pattern: RegExp): Promise<string>;
  /** Everything it has written until now. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** To the whole process group, as a terminal does for Ctrl-C. */
  killGroup(signal: NodeJS.Signals): void;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Runs `nexus-lambda` from its source in a folder. It is killed when the test is over. */
export function runCommandLine(cwd: string, args: readonly string[], env: Record<string, string> = {}): CommandLine {
  const child = spawn(process.execPath, ['--conditions=nexus-lambda-source', MAIN, ...args], {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env },
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let ended = false;
  let asked = 0;

  const read = [child.stdout, child.stderr].map(async (stream) => {
    for await (const line of createInterface({ input: stream })) {
      lines.push(line);
      for (const look of waiting) look();
    }
  });
  const exited = Promise.all([once(child, 'exit'), ...read]).then(([[code, signal]]) => {
    ended = true;
    for (const look of waiting) look();
    return { code, signal };
  });
  onTestFinished(async () => {
    // With esbuild's process, which would hold the pipes for another second.
    if (!ended) process.kill(-child.pid!, 'SIGKILL');
    await exited;
  });

  return {
    pid: child.pid!,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const index = lines.findIndex((line, at) => at >= asked && pattern.test(line));
          if (index < 0 && !ended) return;
          waiting.delete(look);
          if (index < 0) return reject(new Error(`it ended without a line like ${pattern}:\n${lines.join('\n')}`));
          asked = index + 1;
          resolve(lines[index]!);
        };
        waiting.add(look);
        look();
      }),
    output: () => lines.join('\n'),
    kill: (signal) => child.kill(signal),
    killGroup: (signal) => process.kill(-child.pid!, signal),
    exited,
  };
}
