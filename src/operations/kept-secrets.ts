/** Reads the current value of a secret by its ARN. */
export type ReadSecret = (secretArn: string) => Promise<string>;

/**
 * The same, from what was read a while ago.
 *
 * @param refused what it said before, and whoever was shown that did not let it in: it may have been changed since
 */
export type KeptSecret = (secretArn: string, refused?: string) => Promise<string>;

export interface KeepSecretsDeps {
  readonly read: ReadSecret;
  readonly clock: { now(): number };
}

/** How long a value is used as it is: what was rotated without being refused is read again within this time. */
export const SECRET_KEPT_MS = 300_000;

/** Least time between two reads of a secret that is known, so that a callback that refuses everything cannot make more. */
export const SECRET_READ_SPACING_MS = 10_000;

interface Kept {
  readonly value: string;
  readonly readAt: number;
  /** When it was last asked for, whatever came of it. */
  readonly askedAt: number;
}

/**
 * Keeps secrets for five minutes. One that is refused is read again at once, every ten seconds at most. While a secret
 * cannot be read, what was read last goes on being said: whether it is still good is the callback's to say. Rejects where
 * it cannot be read and never was.
 */
export function keepSecrets({ read, clock }: KeepSecretsDeps): KeptSecret {
  const kept = new Map<string, Kept>();
  const reading = new Map<string, Promise<string>>();

  /** A clock that was set back keeps nothing. */
  function isWithin(ms: number, time: number): boolean {
    const elapsedMs = clock.now() - time;
    return elapsedMs >= 0 && elapsedMs < ms;
  }

  async function readAgain(secretArn: string): Promise<string> {
    const askedAt = clock.now();
    try {
      const value = await read(secretArn);
      kept.set(secretArn, { value, readAt: askedAt, askedAt });
      return value;
    } catch (error) {
      const last = kept.get(secretArn);
      if (last === undefined) throw error;
      kept.set(secretArn, { ...last, askedAt });
      return last.value;
    } finally {
      reading.delete(secretArn);
    }
  }

  return async (secretArn, refused) => {
    const last = kept.get(secretArn);
    if (last !== undefined) {
      const isGood = isWithin(SECRET_KEPT_MS, last.readAt) && last.value !== refused;
      if (isGood || isWithin(SECRET_READ_SPACING_MS, last.askedAt)) return last.value;
    }
    const running = reading.get(secretArn) ?? readAgain(secretArn);
    reading.set(secretArn, running);
    return running;
  };
}
