/** Longest operation token in bytes: Temporal's own limit (`limit.operation.token.length`). */
export const MAX_TOKEN_BYTES = 4096;

const TOKEN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** What keeps a text from being an operation token, to be read after "the token"; `undefined` where nothing does. */
export function tokenProblem(token: string): string | undefined {
  if (token === '') return 'is empty; give it at least one character';
  if (token.length > MAX_TOKEN_BYTES) {
    return `has ${token.length} characters; Temporal takes at most ${MAX_TOKEN_BYTES} bytes`;
  }
  if (!TOKEN.test(token)) {
    return 'cannot be a header value, which is how it comes back with a cancel; use printable ASCII with no space at the ends, such as base64url';
  }
  return undefined;
}
