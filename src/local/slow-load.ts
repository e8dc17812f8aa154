const SLOW_MS = 5000;

/** Waits for a module that loads, and says once that it still does, where that takes longer than 5 s. */
export async function noticeSlowLoad<T>(loading: Promise<T>, say: (text: string) => void): Promise<T> {
  const timer = setTimeout(() => {
    say(
      `the module is still loading after ${SLOW_MS / 1000} s; does a top-level await wait for what does not come, ` +
        'such as a server that does not answer?',
    );
  }, SLOW_MS);
  try {
    return await loading;
  } finally {
    clearTimeout(timer);
  }
}
