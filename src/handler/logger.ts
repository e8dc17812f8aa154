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
      if (format === 'text') return Object.keys(meta).length === 0 ? line(message) : line(message, meta);
      const entry = loggable({ message, ...meta });
      if (format === 'object') line(entry);
      else line(JSON.stringify({ level: level.toUpperCase(), ...(entry as object) }));
    };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}

const MAX_DEPTH = 8;

/**
 * What JSON can hold of a value: bigints as text, cycles and depths cut, and of an error its name, message, stack, code
 * and causes. An HTTP client's error has more, cycles and authorization headers among it.
 */
function loggable(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  try {
    if (value instanceof Error) {
      const { name, message, stack, cause } = value;
      const { code } = value as { code?: unknown };
      return { name, message, stack, code: loggable(code, depth + 1), cause: loggable(cause, depth + 1) };
    }
    if ('toJSON' in value && typeof value.toJSON === 'function') return loggable(value.toJSON(), depth + 1);
    if (Array.isArray(value)) return value.map((item) => loggable(item, depth + 1));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, loggable(member, depth + 1)]));
  } catch (error) {
    // A getter or toJSON of the user's that throws.
    return `[not loggable: ${String(error)}]`;
  }
}
