/** What a promise comes to; fails with the signal's reason as soon as that fires. */
export async function beforeAbort<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  promise.catch(() => {}); // after the signal nobody waits for it
  const fired = Promise.withResolvers<never>();
  const fire = () => fired.reject(signal.reason);
  signal.addEventListener('abort', fire);
  try {
    signal.throwIfAborted();
    return await Promise.race([promise, fired.promise]);
  } finally {
    signal.removeEventListener('abort', fire);
  }
}
