import type { Logger } from '../../src/index.ts';

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly meta: unknown;
}

/** A logger that keeps its lines. */
export function recordingLogger(): { readonly lines: LogLine[]; readonly logger: Logger } {
  const lines: LogLine[] = [];
  const line = (level: string) => (message: string, meta?: unknown) => lines.push({ level, message, meta });
  const logger = {
    trace: line('trace'),
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
  return { lines, logger };
}
