import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { createGroupCommit } from '../../src/local/group-commit.ts';

/** A database with one table, and what is executed on it besides statements. */
function setUp() {
  const db = new DatabaseSync(':memory:');
  onTestFinished(() => db.close());
  db.exec('CREATE TABLE t (n INTEGER UNIQUE)');
  const executed: string[] = [];
  const inGroup = createGroupCommit({
    exec(sql) {
      executed.push(sql);
      db.exec(sql);
    },
    get isTransaction() {
      return db.isTransaction;
    },
  });
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  return {
    db,
    executed,
    inGroup,
    insert: (n: number) => inGroup(() => Number(insert.run(n).changes)),
    stored: () =>
      db
        .prepare('SELECT n FROM t ORDER BY n')
        .all()
        .map(({ n }) => n),
    commits: () => executed.filter((sql) => sql === 'COMMIT').length,
  };
}

/** The turn of the event loop after this one. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('commits writes of one turn of the event loop together', async () => {
  const { insert, stored, commits } = setUp();
  expect(await Promise.all([1, 2, 3].map(insert))).toEqual([1, 1, 1]);
  expect(stored()).toEqual([1, 2, 3]);
  expect(commits()).toBe(1);
});

it('takes up what comes in microtasks of that turn, too', async () => {
  const { insert, commits } = setUp();
  const first = insert(1);
  await Promise.resolve();
  await Promise.all([first, insert(2)]);
  expect(commits()).toBe(1);
});

it('commits writes of another turn by themselves', async () => {
  const { insert, commits } = setUp();
  const first = insert(1);
  await nextTurn();
  await Promise.all([first, insert(2)]);
  expect(commits()).toBe(2);
});

it('does not resolve before the commit', async () => {
  const { insert, executed } = setUp();
  const before = await insert(1).then(() => [...executed]);
  expect(before.at(-1)).toBe('COMMIT');
});

it('runs writes in their order, each on what those before it wrote', async () => {
  const { db, insert, inGroup } = setUp();
  const count = () => db.prepare('SELECT count(*) AS n FROM t').get()?.n;
  expect(await Promise.all([inGroup(count), insert(1), inGroup(count), insert(2), inGroup(count)])).toEqual([
    0, 1, 1, 1, 2,
  ]);
});

it('takes back a write that throws, all of it, and none of its neighbours', async () => {
  const { insert, inGroup, db, stored, commits } = setUp();
  const half = inGroup(() => {
    db.prepare('INSERT INTO t VALUES (10)').run();
    throw new Error('half way');
  });
  const results = await Promise.allSettled([insert(1), half, insert(1), insert(2)]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  await expect(half).rejects.toThrow('half way');
  expect(stored()).toEqual([1, 2]);
  expect(commits()).toBe(1);
});

it('rejects all writes of a transaction that a write ended, and stores none of them', async () => {
  const { insert, inGroup, db, stored } = setUp();
  const ends = inGroup(() => {
    db.exec('ROLLBACK');
    throw new Error('the disk is full');
  });
  const results = await Promise.allSettled([insert(1), ends, insert(2)]);
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: Error('the disk is full') });
  expect(stored()).toEqual([]);
  await insert(3);
  expect(stored()).toEqual([3]);
});

it('rejects all writes of a commit that fails, and stores none of them', async () => {
  const { db, insert, inGroup, stored } = setUp();
  db.exec('PRAGMA foreign_keys = ON; CREATE TABLE child (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED)');
  const orphan = inGroup(() => db.prepare('INSERT INTO child VALUES (99)').run());
  const results = await Promise.allSettled([insert(1), orphan, insert(2)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(stored()).toEqual([]);
  await insert(3);
  expect(stored()).toEqual([3]);
});

it('rejects what is to be written to a database that was closed', async () => {
  const db = new DatabaseSync(':memory:');
  const write = createGroupCommit(db)(() => 1);
  db.close();
  await expect(write).rejects.toThrow('not open');
});
