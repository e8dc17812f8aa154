type StopSignal = 'SIGINT' | 'SIGTERM';

/** What a shell reports for a process that the signal ended. */
const EXIT_CODE_OF: Record<StopSignal, number> = { SIGINT: 130, SIGTERM: 143 };

/**
 * One Ctrl-C in a terminal reaches the process twice where npx started it: from the terminal, and passed on by npm. So
 * does a SIGTERM to the process group. Nobody sends it again on purpose within this time.
 */
const SAME_SIGNAL_MS = 300;

/** The process that is to be stopped. */
export interface StoppableProcess {
  on(signal: StopSignal, listener: () => void): unknown;
  exit(code: number): unknown;
  /** Milliseconds, from any point. */
  now(): number;
  say(text: string): unknown;
}

/** Closes on SIGTERM or SIGINT and then exits with 0; a second one exits at once, with 143 or 130. */
export function closeOnSignal(close: () => Promise<void>, process: StoppableProcess = currentProcess()): void {
  let stoppedAt: number | undefined;
  const stop = (signal: StopSignal): void => {
    if (stoppedAt === undefined) {
      stoppedAt = process.now();
      process.say('finishing what runs; Ctrl-C again ends it at once\n');
      void close().then(() => process.exit(0));
    } else if (process.now() - stoppedAt > SAME_SIGNAL_MS) {
      process.exit(EXIT_CODE_OF[signal]);
    }
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
}

function currentProcess(): StoppableProcess {
  return {
    on: (signal, listener) => process.on(signal, listener),
    exit: (code) => process.exit(code),
    now: () => performance.now(),
    say: (text) => process.stdout.write(text),
  };
}
