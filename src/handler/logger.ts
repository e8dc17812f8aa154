import { loggable } from './loggable.ts';

/**
 * Where log lines go: the shape of the Temporal SDK's `Logger`, which Powertools' Logger and `console` fit as well.
 */
export interface Logger {
  trace(message: string, meta?: LogMetadata): unknown;
  debug(message: string, meta?: LogMetadata): unknown;
  info(message: string, meta?: LogMetadata): unknown;
  warn(message: string, meta?: LogMetadata): unknown;
  error(message: string, meta?: LogMetadata): unknown;
}

export type LogMetadata = Record<string | symbol, unknown>;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

export interface ConsoleLoggerOptions {
  /** Lines below this level are left out. */
  readonly level: Level;
  /**
   * `text` is for a terminal. `json` is one JSON object a line, which CloudWatch Logs Insights reads by field. `object`
   * leaves the JSON to a runtime that writes it itself.
   */
  readonly format: 'text' | 'json' | 'object';
}

/**
 * The logger of a handler that brings none. The function's own settings decide: its log level (`AWS_LAMBDA_LOG_LEVEL`,
 * INFO without one) and format (`AWS_LAMBDA_LOG_FORMAT`). Outside Lambda the lines are text.
 */
export function consoleLoggerOptions(env: Readonly<Record<string, string | undefined>>): ConsoleLoggerOptions {
  const wanted = env.AWS_LAMBDA_LOG_LEVEL?.toLowerCase();
  const onLambda = env.AWS_LAMBDA_FUNCTION_NAME !== undefined;
  return {
    level: LEVELS.find((level) => level === wanted) ?? 'info',
    format: !onLambda ? 'text' : env.AWS_LAMBDA_LOG_FORMAT === 'JSON' ? 'object' : 'json',
  };
}

/** Writes to `console`, which Lambda sends to CloudWatch Logs. Never throws, whatever it is given. */
export function createConsoleLogger({ level: least, format }: ConsoleLoggerOptions): Logger {
  const write =
    (level: Level) =>
    (message: string, meta: LogMetadata = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
      // console.trace would add a stack trace.
      const line = console[level === 'trace' ? 'debug' : level];
      try {
        if (format === 'text') return Object.keys(meta).length === 0 ? line(message) : line(message, meta);
        const own = format === 'object' ? { message } : { level: level.toUpperCase(), message };
        // First and last: they stand in front, and metadata of the same name does not replace them.
        const entry = Object.assign({}, own, loggable(meta), own);
        line(format === 'object' ? entry : JSON.stringify(entry));
      } catch {
        // The user's own objects may throw while they are looked at. Their operation must not fail by its log line.
        line(message);
      }
    };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}
