import { statSync } from 'node:fs';

const POLL_MS = 250;

/** When each of these files was written last; for {@link onceSaved}. */
export type FileTimes = ReadonlyMap<string, number | undefined>;

/** The times of these files now. A file may be missing. */
export function timesOf(files: readonly string[]): FileTimes {
  return new Map(files.map((file) => [file, timeOf(file)]));
}

/**
 * Calls `saved` once, as soon as one of the files has another time than that, whether or not its text has changed.
 * Returns what stops it.
 *
 * esbuild's watch mode compares texts where a file was written within the last seconds before a build. It so overlooks
 * somebody who mends what lies outside of the sources, and saves them once more.
 */
export function onceSaved(times: FileTimes, saved: () => void): () => void {
  const timer = setInterval(() => {
    if (![...times].some(([file, time]) => timeOf(file) !== time)) return;
    clearInterval(timer);
    saved();
  }, POLL_MS);
  return () => clearInterval(timer);
}

function timeOf(file: string): number | undefined {
  try {
    return statSync(file).mtimeMs;
  } catch {
    // Missing, in a loop of links, or not ours to see: the same until it is there.
    return undefined;
  }
}
