import type { EventEmitter } from 'node:events';

/**
 * Goes on where nobody reads what is written any more, as after `| head -1`: what was asked for is done all the same, and a
 * server that somebody waited for with `| grep -m1` goes on serving. Any other error of a stream is still one.
 */
export function outliveClosedPipes(streams: readonly EventEmitter[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
