import type { DatabaseSync } from 'node:sqlite';

/** Runs one write, and settles as it did once the transaction that holds it is on disk. */
export type GroupCommit = <T>(write: () => T) => Promise<T>;

interface Waiting {
  readonly write: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets all writes of one turn of the event loop share one transaction, and so one `fsync`: it takes as long for a hundred
 * writes as for one. A write that throws is taken back alone, and rejects alone; where the transaction itself fails, all
 * that were in it reject.
 *
 * Writes are synchronous and run in the order that they came in. Each sees those before it, committed or not.
 */
export function createGroupCommit(db: Pick<DatabaseSync, 'exec' | 'isTransaction'>): GroupCommit {
  let group: Waiting[] = [];

  function flush(): void {
    const writes = group;
    group = [];
    try {
      for (const settle of commit(writes)) settle();
    } catch (error) {
      for (const { reject } of writes) reject(error);
    }
  }

  /** How each of the writes is to be settled; nothing of them is stored where this throws. */
  function commit(writes: readonly Waiting[]): (() => void)[] {
    db.exec('BEGIN IMMEDIATE');
    try {
      const settlements = writes.map(runInSavepoint);
      db.exec('COMMIT');
      return settlements;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  function runInSavepoint({ write, resolve, reject }: Waiting): () => void {
    db.exec('SAVEPOINT write');
    try {
      const value = write();
      db.exec('RELEASE write');
      return () => resolve(value);
    } catch (error) {
      // A full disk, for one, ends the whole transaction, and takes the neighbours' writes with it.
      if (!db.isTransaction) throw error;
      db.exec('ROLLBACK TO write; RELEASE write');
      return () => reject(error);
    }
  }

  return <T>(write: () => T) =>
    new Promise<T>((resolve, reject) => {
      // Not a microtask: requests that arrived together are read one by one, each with its own microtasks.
      if (group.length === 0) setImmediate(flush);
      group.push({ write, resolve: resolve as (value: unknown) => void, reject });
    });
}
