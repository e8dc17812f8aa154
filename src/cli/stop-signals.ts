/** What a shell reports for a process that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Closes on SIGTERM or SIGINT and then exits with 0; a second SIGINT exits at once.
 */
export function closeOnSignal(close: () => Promise<void>): void {
  let closing = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (closing) {
      if (signal === 'SIGINT') process.exit(INTERRUPTED);
      return;
    }
    closing = true;
    void close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
