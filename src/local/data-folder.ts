import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from './start-error.ts';

/** A folder that this process has for itself. */
export interface DataFolder {
  readonly path: string;
  release(): void;
}

/**
 * Creates the folder where it is missing, and takes it for this process alone. Fails with a {@link StartError} that
 * names the folder and the process where another one has it.
 *
 * The lock is SQLite's own on a small database beside the data, which the operating system drops with the process:
 * after SIGKILL the folder is free at once.
 */
export function takeDataFolder(folder: string): DataFolder {
  const path = resolve(folder);
  createFolder(path);
  const lock = new DatabaseSync(join(path, 'lock.sqlite'));
  const pidFile = join(path, 'server.pid');
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    if (!isBusy(cause))
      throw new StartError(`cannot lock the data folder ${path}: ${(cause as Error).message}`, { cause });
    throw new StartError(
      `the data folder ${path} is in use by ${ownerOf(pidFile)}; end it, or give this one a folder of its own with --data DIR, ` +
        'or none with --ephemeral',
      { cause },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return { path, release: () => lock.close() };
}

function createFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new StartError(
      `cannot create the data folder ${path}: ${(cause as Error).message}; choose another with --data DIR`,
      { cause },
    );
  }
}

/** SQLITE_BUSY, by SQLite's own number. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}

/** The file is only for this message: it may be missing, or not written yet. */
function ownerOf(pidFile: string): string {
  try {
    return `process ${readFileSync(pidFile, 'utf8').trim()}`;
  } catch {
    return 'another process';
  }
}
