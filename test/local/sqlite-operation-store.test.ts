import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteOperationStore, type SqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore, openStore } from '../../src/local/store.ts';
import type { OperationFilter } from '../../src/operations/ports.ts';
import { CLAIM, NOW, newRecord } from '../contract/operation-records.ts';
import { describeOperationStore } from '../contract/operation-store.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const WRITER = fileURLToPath(new URL('./fixtures/operation-writer.ts', import.meta.url));

function openInFolder(folder: string): SqliteOperationStore {
  const store = openStore(folder);
  onTestFinished(() => store.close());
  return createSqliteOperationStore(store.db);
}

function openInMemory() {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  return { db, store: createSqliteOperationStore(db) };
}

describeOperationStore('SQLite in a folder', async () => openInFolder(temporaryFolder()), { runs: 20 });
describeOperationStore('SQLite in memory', async () => openInMemory().store);

describe('the store of operations on SQLite, by itself,', () => {
  /** Lets a process write until it has acknowledged `writes`, kills it at once, and returns each token's last version. */
  async function writeAndKill(folder: string, writes: number): Promise<Map<string, number>> {
    const writer = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(writer, 'exit');
    const acknowledged = new Map<string, number>();
    let lines = 0;
    for await (const line of createInterface({ input: writer.stdout })) {
      const [token = '', version] = line.split(' ');
      acknowledged.set(token, Number(version));
      if (++lines === writes) writer.kill('SIGKILL');
    }
    expect((await ended)[1]).toBe('SIGKILL');
    return acknowledged;
  }

  it('has everything that was acknowledged after SIGKILL in mid-write, time after time', async () => {
    const folder = temporaryFolder();
    const acknowledged = new Map<string, number>();
    for (const writes of [1, 40, 400]) {
      for (const [token, version] of await writeAndKill(folder, writes)) acknowledged.set(token, version);
      const opened = openStore(folder);
      const store = createSqliteOperationStore(opened.db);
      for (const [token, version] of acknowledged) {
        expect((await store.get(token))?.version).toBeGreaterThanOrEqual(version);
      }
      opened.close();
    }
  }, 60_000);

  /** How many transactions are in the write-ahead log: the last frame of each says how large the database is then. */
  function commits(folder: string): number {
    const log = readFileSync(join(folder, 'nexus-lambda.sqlite-wal'));
    const frameBytes = 24 + log.readUInt32BE(8);
    let count = 0;
    for (let at = 32; at + frameBytes <= log.length; at += frameBytes) if (log.readUInt32BE(at + 4) !== 0) count++;
    return count;
  }

  it('writes what comes at once to the disk in one commit', async () => {
    const folder = temporaryFolder();
    const store = openInFolder(folder);
    const before = commits(folder);
    const records = Array.from({ length: 50 }, () => newRecord());
    const claim = { ...CLAIM, attempt: 1 };
    await Promise.all([
      ...records.map((record) => store.create(record, NOW)),
      ...records.map(({ token }) => store.claim(token, claim, NOW)),
    ]);
    expect(commits(folder) - before).toBe(1);
    expect((await store.count({})).counts).toMatchObject({ queued: 0, claimed: 50 });
  });

  it('forgets what may be forgotten, the oldest first, so many at a time', async () => {
    const { store } = openInMemory();
    const records = [5, 3, 4, 9].map((ms) => newRecord({ retainUntil: NOW + ms }));
    for (const record of records) await store.create(record, NOW);
    expect(await store.forget(NOW + 2, 10)).toBe(0);
    expect(await store.forget(NOW + 5, 2)).toBe(2);
    const left = async () => (await store.list({}, { limit: 10 })).records.map(({ retainUntil }) => retainUntil - NOW);
    expect((await left()).sort()).toEqual([5, 9]);
    expect(await store.forget(NOW + 5, 2)).toBe(1);
    expect(await left()).toEqual([9]);
  });

  it('reads indexes only, in the order that they have, whatever a list is narrowed by', async () => {
    const { db } = openInMemory();
    const statements: string[] = [];
    const store = createSqliteOperationStore({
      exec: (sql) => db.exec(sql),
      prepare(sql) {
        statements.push(sql);
        return db.prepare(sql);
      },
      get isTransaction() {
        return db.isTransaction;
      },
    });
    const filters = [
      { endpoint: 'shop' },
      { state: 'queued' },
      { completion: 'pending' },
      { acceptedFrom: 1 },
      { acceptedBefore: 9 },
    ] as const;
    const { length } = statements;
    for (let chosen = 0; chosen < 2 ** filters.length; chosen++) {
      const filter: OperationFilter = Object.assign({}, ...filters.filter((_, n) => chosen & (2 ** n)));
      await store.list(filter, { limit: 1 });
      await store.list(filter, { limit: 1, from: '0000000000000005.token' });
    }
    for (let chosen = 0; chosen < 2 ** filters.length; chosen++) {
      const { state, completion, ...filter }: OperationFilter = Object.assign(
        {},
        ...filters.filter((_, n) => chosen & (2 ** n)),
      );
      await store.count(filter);
    }
    expect(statements.length - length).toBe(32 + 8);

    const plans = statements.flatMap((sql) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());
    const steps = plans.map(({ detail }) => String(detail));
    expect(steps.filter((step) => !/ USING (COVERING |)INDEX |^LIST SUBQUERY|INTEGER PRIMARY KEY/.test(step))).toEqual(
      [],
    );
    // All of the list, up to its limit: the rest searches.
    expect(steps.filter((step) => step.startsWith('SCAN'))).toEqual(['SCAN operation USING INDEX operation_accepted']);
    const counts = statements.filter((sql) => sql.startsWith('SELECT count'));
    const ofCounts = counts.flatMap((sql) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());
    expect(ofCounts.filter(({ detail }) => !/ COVERING INDEX /.test(String(detail)))).toEqual([]);
  });
});
