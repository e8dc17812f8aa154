const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Standard base64, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Bytes of base64 in the standard or the URL alphabet, padded or not.
 *
 * @throws TypeError where the text is something else.
 */
export function decodeBase64(text: string): Uint8Array {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/');
  try {
    if (BASE64.test(standard)) return Uint8Array.from(atob(standard), (char) => char.charCodeAt(0));
  } catch {
    // Of a length that no bytes have: said below.
  }
  throw new TypeError('malformed base64');
}
