/** What a failure or an error says: where it only wraps another, that one says more. `undefined` where it is neither. */
export function innermostMessage(failure: unknown): string | undefined {
  if (typeof failure !== 'object' || failure === null) return undefined;
  const { message, cause } = failure as { message?: unknown; cause?: unknown };
  if (typeof message !== 'string') return undefined;
  const wraps = message === '' || message === 'operation error' || /^Handler error: [A-Z_]+$/.test(message);
  return (wraps ? innermostMessage(cause) : undefined) ?? message;
}
