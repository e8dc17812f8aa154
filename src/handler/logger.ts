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
  /** `json` is one JSON object a line, which CloudWatch Logs Insights reads by field; `text` is for a terminal. */
  readonly format: 'json' | 'text';
}

/**
 * The logger of a handler that brings none: Lambda's own settings decide (`AWS_LAMBDA_LOG_LEVEL`, INFO without it);
 * outside Lambda the lines are text.
 */
export function consoleLoggerOptions(env: Readonly<Record<string, string | undefined>>): ConsoleLoggerOptions {
  const wanted = env.AWS_LAMBDA_LOG_LEVEL?.toLowerCase();
  return {
    level: LEVELS.find((level) => level === wanted) ?? 'info',
    format: env.AWS_LAMBDA_FUNCTION_NAME === undefined ? 'text' : 'json',
  };
}

/** Writes to `console`, which Lambda sends to CloudWatch Logs. */
export function createConsoleLogger(options: ConsoleLoggerOptions): Logger {
  const least = LEVELS.indexOf(options.level);
  const write = (level: Level) => (message: string, meta?: LogMetadata) => {
    if (LEVELS.indexOf(level) < least) return;
    // console.trace would add a stack trace.
    const line = console[level === 'trace' ? 'debug' : level];
    if (options.format === 'json') line(JSON.stringify({ level: level.toUpperCase(), message, ...plain(meta) }));
    else if (meta === undefined || Object.keys(meta).length === 0) line(message);
    else line(message, meta);
  };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}

function plain(meta: LogMetadata | undefined): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(meta ?? {}).map(([key, value]) => [key, value instanceof Error ? describeError(value) : value]),
  );
}

function describeError(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return { ...error, name, message, stack, ...(cause instanceof Error && { cause: describeError(cause) }) };
}
