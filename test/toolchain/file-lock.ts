import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const ASK_AGAIN_MS = 200;

/**
 * Runs `action` while no other process that asks for the same lock file runs its own. The operating system frees the
 * lock of a process that dies.
 *
 * @param onWait called once where another process is first
 */
export async function withFileLock<T>(lockFile: string, onWait: () => void, action: () => Promise<T>): Promise<T> {
  const lock = new DatabaseSync(lockFile);
  try {
    for (let first = true; !tryLock(lock); first = false) {
      if (first) onWait();
      await delay(ASK_AGAIN_MS);
    }
    return await action();
  } finally {
    lock.close();
  }
}

function tryLock(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (/database is locked/.test(String(error))) return false;
    throw error;
  }
}
