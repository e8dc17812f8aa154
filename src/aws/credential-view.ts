import type { Logger } from '../handler/logger.ts';
import type { Clock } from '../router/ports.ts';
import {
  type BasicCredentials,
  type KnownCredentials,
  matchCredentials,
  parseCredentialSecret,
} from './basic-credentials.ts';
import type { SecretReader, SecretVersions } from './basic-secret.ts';

/** How old a view may be when it lets somebody in: what bounds how long a revoked password still works here. */
export const FRESH_MS = 60_000;

/** Least time between the starts of two reads, so that bad credentials cannot make more of them. */
export const READ_SPACING_MS = 1_000;

/** After a read, how long known credentials do not wait for another one: it may have failed, and slowly. */
const RETRY_AFTER_MS = 10_000;

/** The secret as one environment of the authorizer sees it. */
export interface CredentialView {
  /**
   * The user that these credentials are of; `undefined` where they are in none of the current, previous and pending
   * versions of the secret, by a read that started after this call did. Such a read may have to wait a second for its
   * turn.
   *
   * While the secret cannot be read, credentials that were read last are known, however old the view is; with any others
   * this rejects, since nobody is denied by an old view.
   */
  authenticate(credentials: BasicCredentials): Promise<string | undefined>;
}

export interface CredentialViewDeps {
  readonly reader: SecretReader;
  readonly clock: Clock;
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
  readonly logger: Logger;
}

interface View {
  readonly known: readonly KnownCredentials[];
  /** Which read it is of, counted from 1. */
  readonly read: number;
  readonly startedAt: number;
}

/** Makes a view that has seen nothing yet. */
export function createCredentialView({ reader, clock, wait, logger }: CredentialViewDeps): CredentialView {
  let view: View | undefined;
  /** How many reads have started. */
  let reads = 0;
  let lastStartedAt = 0;
  let last: Promise<readonly KnownCredentials[]> | undefined;
  let running: Promise<readonly KnownCredentials[]> | undefined;
  let next: Promise<readonly KnownCredentials[]> | undefined;

  /** A clock that was set back must not keep a view fresh. */
  function since(time: number): number {
    const elapsedMs = clock.now() - time;
    return elapsedMs < 0 ? Number.POSITIVE_INFINITY : elapsedMs;
  }

  function startRead(): Promise<readonly KnownCredentials[]> {
    const read = ++reads;
    const startedAt = clock.now();
    const done = reader
      .read()
      .then((versions) => {
        const known = credentialsIn(versions, logger);
        if (view === undefined || view.read < read) view = { known, read, startedAt };
        return known;
      })
      .finally(() => {
        if (running === done) running = undefined;
      });
    lastStartedAt = startedAt;
    last = done;
    running = done;
    return done;
  }

  /** Settles once the view is as fresh as it gets without waiting for the turn of a read. */
  async function refresh(): Promise<void> {
    if (view !== undefined && since(view.startedAt) < FRESH_MS) return;
    if (running !== undefined) await running;
    else if (view !== undefined && since(lastStartedAt) >= RETRY_AFTER_MS) await startRead();
  }

  /** What a read found that was not among the first `count`. */
  function readAfter(count: number): Promise<readonly KnownCredentials[]> {
    if (last !== undefined && reads > count) return last;
    next ??= turn().then(() => {
      next = undefined;
      return startRead();
    });
    return next;
  }

  async function turn(): Promise<void> {
    const waitMs = reads === 0 ? 0 : READ_SPACING_MS - since(lastStartedAt);
    if (waitMs > 0) await wait(waitMs);
  }

  return {
    async authenticate(credentials) {
      const readsBefore = reads;
      let failure: unknown;
      try {
        await refresh();
      } catch (error) {
        failure = error;
      }
      const user = matchCredentials(credentials, view?.known ?? []);
      if (view === undefined || user === undefined) return matchCredentials(credentials, await readAfter(readsBefore));
      if (failure !== undefined) {
        const meta = { ageMs: clock.now() - view.startedAt, error: failure };
        logger.warn('the secret cannot be read; the credentials that were read last go on being let in', meta);
      }
      return user;
    },
  };
}

/**
 * The credentials of all three versions. One that is broken counts as not there, and is logged, unless it is the current
 * one: its users would be denied.
 */
function credentialsIn({ current, previous, pending }: SecretVersions, logger: Logger): KnownCredentials[] {
  if (current === undefined) throw new Error('the secret has no AWSCURRENT version with a value; put one');
  const versionOf = (stage: string, text: string | undefined): KnownCredentials[] => {
    try {
      return text === undefined ? [] : parseCredentialSecret(text);
    } catch (error) {
      const message = `the ${stage} version of the secret cannot be used: ${error instanceof Error ? error.message : error}`;
      if (stage === 'AWSCURRENT') throw new Error(message);
      logger.error(message, { stage });
      return [];
    }
  };
  return [
    ...versionOf('AWSCURRENT', current),
    ...versionOf('AWSPREVIOUS', previous),
    ...versionOf('AWSPENDING', pending),
  ];
}
