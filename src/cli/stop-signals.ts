/** What a shell reports for a process that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * One Ctrl-C in a terminal reaches the process twice where npx started it: from the terminal, and passed on by npm.
 * Nobody presses it again on purpose within this time.
 */
const SAME_KEYPRESS_MS = 300;

/** The process that is to be stopped. */
export interface StoppableProcess {
  on(signal: 'SIGINT' | 'SIGTERM', listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
  /** Milliseconds, from any point. */
  now(): number;
  say(text: string): unknown;
}

/** Closes on SIGTERM or SIGINT and then exits with 0; a second SIGINT exits at once, with 130. */
export function closeOnSignal(close: () => Promise<void>, process: StoppableProcess = currentProcess()): void {
  let stoppedAt: number | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppedAt === undefined) {
      stoppedAt = process.now();
      process.say('finishing what runs; Ctrl-C again ends it at once\n');
      void close().then(() => process.exit(0));
    } else if (signal === 'SIGINT' && process.now() - stoppedAt > SAME_KEYPRESS_MS) {
      process.exit(INTERRUPTED);
    }
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function currentProcess(): StoppableProcess {
  return {
    on: (signal, listener) => process.on(signal, listener),
    exit: (code) => process.exit(code),
    now: () => performance.now(),
    say: (text) => process.stdout.write(text),
  };
}
