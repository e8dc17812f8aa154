/**
 * Keeps Node's warning that `node:sqlite` is experimental off the terminal: earlier releases of Node 24 print it, and
 * whoever runs the command can do nothing about it. Every other warning is shown.
 */
export function quietSqliteWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (warning: string | Error, ...rest: unknown[]) => void;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).includes('SQLite')) return;
    emitWarning(warning, ...rest);
  }) as typeof process.emitWarning;
}
