/** How much of one log line is written out: enough for any record, and far below what a log takes (256 KB). */
const MAX_NODES = 1_000;
const MAX_DEPTH = 8;

/**
 * What JSON can hold of a value: bigints as text, cycles cut, and of an error its name, message, stack, code and
 * causes. An HTTP client's error has more, cycles and authorization headers among it. What is deep or large is cut.
 */
export function loggable(value: unknown): unknown {
  let nodes = 0;
  const inside = new Set<object>();

  function written(node: unknown): unknown {
    if (typeof node === 'bigint' || typeof node === 'function' || typeof node === 'symbol') return String(node);
    if (typeof node !== 'object' || node === null) return node;
    if (inside.has(node)) return '[circular]';
    if (inside.size >= MAX_DEPTH || ++nodes > MAX_NODES) return '…';
    inside.add(node);
    try {
      return members(node);
    } catch (error) {
      // A getter, a proxy or a toJSON of the user's that throws.
      return `[not loggable: ${error instanceof Error ? error.message : typeof error}]`;
    } finally {
      inside.delete(node);
    }
  }

  function members(node: object): unknown {
    if (node instanceof Error) {
      const { name, message, stack, cause } = node;
      return { name, message, stack, code: written((node as { code?: unknown }).code), cause: written(cause) };
    }
    if ('toJSON' in node && typeof node.toJSON === 'function') return written(node.toJSON());
    if (Array.isArray(node)) return node.slice(0, MAX_NODES).map(written);
    return Object.fromEntries(Object.entries(node).map(([key, member]) => [key, written(member)]));
  }

  return written(value);
}
