import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { formatPosition, type ListPlace, parsePosition } from '../operations/list-position.ts';
import type { OperationFilter, OperationStore } from '../operations/ports.ts';
import type { OperationRecord, OperationState } from '../operations/record.ts';
import { received } from '../operations/transitions.ts';
import { createGroupCommit } from './group-commit.ts';

/** Keeps operations in the embedded store. */
export interface SqliteOperationStore extends OperationStore {
  /** Deletes records whose `retainUntil` has passed, so many at most, the oldest first; resolves to how many it was. */
  forget(now: number, limit: number): Promise<number>;
}

type Row = Record<string, SQLOutputValue>;

const COLUMNS = {
  version: 'version',
  endpoint: 'endpoint',
  state: 'state',
  completion_state: 'completionState',
  accepted_at: 'acceptedAt',
  due_at: 'dueAt',
  retain_until: 'retainUntil',
  record: 'record',
} as const;

const CHANGES = Object.entries(COLUMNS)
  .map(([column, parameter]) => `${column} = $${parameter}`)
  .join(', ');
const PARAMETERS = Object.values(COLUMNS)
  .map((parameter) => `$${parameter}`)
  .join(', ');

const STATES: readonly OperationState[] = ['queued', 'claimed', 'handed-over', 'dead-lettered', 'ended'];
const COUNTS = STATES.map((state) => `count(*) FILTER (WHERE state = '${state}') AS "${state}"`).join(', ');
/** All that there are: without it, a count by time alone would read each record. */
const ANY_STATE = `state IN (${STATES.map((state) => `'${state}'`).join(', ')})`;

/** Keeps operations in the embedded store. What a write acknowledged is on disk; writes of one turn share a commit. */
export function createSqliteOperationStore(
  db: Pick<DatabaseSync, 'prepare' | 'exec' | 'isTransaction'>,
): SqliteOperationStore {
  const inGroup = createGroupCommit(db);
  const select = db.prepare('SELECT record FROM operation WHERE token = ?');
  const selectByKey = db.prepare('SELECT record FROM operation WHERE key = ?');
  const insert = db.prepare(
    `INSERT INTO operation (token, key, ${Object.keys(COLUMNS).join(', ')})
     VALUES ($token, $key, ${PARAMETERS})
     ON CONFLICT (key) DO UPDATE SET token = $token, ${CHANGES} WHERE retain_until <= $now`,
  );
  const replace = db.prepare(`UPDATE operation SET ${CHANGES} WHERE token = $token AND version = $readVersion`);
  const selectDue = db.prepare('SELECT token FROM operation WHERE due_at <= ? ORDER BY due_at, token LIMIT ?');
  const remove = db.prepare(
    'DELETE FROM operation WHERE rowid IN (SELECT rowid FROM operation WHERE retain_until <= ? ORDER BY retain_until LIMIT ?)',
  );
  const prepared = new Map<string, StatementSync>();

  function prepare(sql: string): StatementSync {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  }

  return {
    async create(record, now) {
      return inGroup(() => {
        if (insert.run({ ...toColumns(record), key: record.key, now }).changes === 1) return undefined;
        const existing = toRecord(selectByKey.get(record.key)!);
        return existing.token === record.token ? undefined : existing;
      });
    },
    async get(token) {
      const row = select.get(token);
      return row && toRecord(row);
    },
    async claim(token, claim, now) {
      return inGroup(() => {
        const row = select.get(token);
        const arrived = row && received(toRecord(row), { attempt: claim.attempt, claim, now, random: 0 });
        if (arrived?.kind !== 'run') return undefined;
        const { record } = arrived.transition;
        replace.run({ ...toColumns(record), readVersion: record.version - 1 });
        return record;
      });
    },
    async update(read, next) {
      return inGroup(() => replace.run({ ...toColumns(next), readVersion: read.version }).changes === 1);
    },
    async due(now, limit) {
      return selectDue.all(now, limit).map(({ token }) => String(token));
    },
    async list(filter, { limit, from }) {
      const { conditions, values } = narrowed(filter, from);
      const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
      const list = prepare(`SELECT record FROM operation ${where} ORDER BY accepted_at DESC, token DESC LIMIT $limit`);
      const records = list.all({ ...values, limit: limit + 1 }).map(toRecord);
      const beyond = records[limit];
      return { records: records.slice(0, limit), ...(beyond && { next: formatPosition(beyond) }) };
    },
    async count(filter, from) {
      const { conditions, values } = narrowed(filter, from);
      const row = prepare(`SELECT ${COUNTS} FROM operation WHERE ${[ANY_STATE, ...conditions].join(' AND ')}`).get(
        values,
      );
      const counts = Object.fromEntries(STATES.map((state) => [state, Number(row?.[state])]));
      return { counts: counts as Record<OperationState, number> };
    },
    async forget(now, limit) {
      return inGroup(() => Number(remove.run(now, limit).changes));
    },
  };
}

function toColumns(record: OperationRecord) {
  const { token, version, endpoint, state, completion, acceptedAt, dueAt, retainUntil } = record;
  return {
    token,
    version,
    endpoint,
    state,
    completionState: completion?.state ?? null,
    acceptedAt,
    dueAt: dueAt ?? null,
    retainUntil,
    record: JSON.stringify(record),
  };
}

function toRecord({ record }: Row): OperationRecord {
  return JSON.parse(String(record)) as OperationRecord;
}

/** The conditions of a list or a count, in SQL, and the values of their parameters. */
function narrowed({ endpoint, state, completion, acceptedFrom, acceptedBefore }: OperationFilter, from?: string) {
  const newest = earliest(from, acceptedBefore);
  const parts: readonly (readonly [string, Record<string, SQLInputValue | undefined>])[] = [
    ['endpoint = $endpoint', { endpoint }],
    ['state = $state', { state }],
    ['completion_state = $completion', { completion }],
    ['accepted_at >= $acceptedFrom', { acceptedFrom }],
    [
      '(accepted_at, token) <= ($newestTime, $newestToken)',
      { newestTime: newest?.acceptedAt, newestToken: newest?.token },
    ],
  ];
  const given = parts.filter(([, values]) => Object.values(values).every((value) => value !== undefined));
  return {
    conditions: given.map(([condition]) => condition),
    values: Object.assign({}, ...given.map(([, values]) => values)) as Record<string, SQLInputValue>,
  };
}

/** Where a list begins. With a condition for each of the two, SQLite would search by one and read through the other. */
function earliest(from: string | undefined, acceptedBefore: number | undefined): ListPlace | undefined {
  const start = from === undefined ? undefined : parsePosition(from);
  if (acceptedBefore === undefined || (start !== undefined && start.acceptedAt < acceptedBefore)) return start;
  return { acceptedAt: acceptedBefore, token: '' };
}
