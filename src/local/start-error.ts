/**
 * The server cannot start as it was asked to, and whoever started it can mend that: the message says what was given
 * and what to change, and needs no stack.
 */
export class StartError extends Error {
  override readonly name = 'StartError';
}
