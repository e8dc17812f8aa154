/** Milliseconds between two lines where nobody can see a line being rewritten, such as in the log of a build. */
const LINE_EVERY_MS = 15_000;

/** Where progress goes: a terminal, or a file. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows how far something is: on a terminal in one line that changes, elsewhere by a line now and then. `done` ends
 * that line.
 */
export function createProgress(
  stream: ProgressStream,
  now: () => number,
  prefix = '',
): { show(line: string): void; done(): void } {
  let shownAt = Number.NEGATIVE_INFINITY;
  let open = false;
  return {
    show(line) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[K${prefix}${line}`);
        open = true;
      } else if (now() - shownAt >= LINE_EVERY_MS) {
        stream.write(`${prefix}${line}\n`);
        shownAt = now();
      }
    },
    done() {
      if (open) stream.write('\n');
      open = false;
    },
  };
}
