import { inspect } from 'node:util';
import type { Logger, LogMetadata } from '../handler/logger.ts';
import { printable } from './request-line.ts';

/** Says warnings and errors on the terminal, an error of the metadata by its message. */
export function terminalLogger(stream: { write(text: string): unknown }): Logger {
  const say = (message: string, meta: LogMetadata = {}) => {
    const details = Object.entries(meta).map(
      ([name, value]) => `${name}=${value instanceof Error ? printable(value.message) : inspect(value)}`,
    );
    stream.write(`${[message, ...details].join(' ')}\n`);
  };
  const nothing = () => {};
  return { trace: nothing, debug: nothing, info: nothing, warn: say, error: say };
}
