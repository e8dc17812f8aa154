import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { takeDataFolder } from './data-folder.ts';
import { migrate } from './schema.ts';

/** The embedded store: one SQLite database. */
export interface Store {
  readonly db: DatabaseSync;
  close(): void;
}

/**
 * Opens the store in a folder that no other process may have at the same time. What a call acknowledged survives
 * SIGKILL and loss of power (write-ahead log, `synchronous=FULL`).
 */
export function openStore(folder: string): Store {
  const taken = takeDataFolder(folder);
  try {
    const db = new DatabaseSync(join(taken.path, 'nexus-lambda.sqlite'));
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    migrate(db);
    return {
      db,
      close() {
        db.close();
        taken.release();
      },
    };
  } catch (error) {
    taken.release();
    throw error;
  }
}

/** Opens a store that ends with this process. */
export function openEphemeralStore(): Store {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return { db, close: () => db.close() };
}
