import type { DatabaseSync } from 'node:sqlite';
import { StartError } from './start-error.ts';

/** Each step leads to the next version of the schema. A step that was published is never changed. */
const STEPS: readonly string[] = [
  `CREATE TABLE endpoint (
     name             TEXT PRIMARY KEY,
     description      TEXT,
     namespace        TEXT NOT NULL,
     task_queue       TEXT NOT NULL,
     services         TEXT NOT NULL, -- JSON: ServiceContract[]
     version          INTEGER NOT NULL,
     created_at       INTEGER NOT NULL, -- milliseconds since the epoch
     last_modified_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
  // JSON: what else the owner says of the endpoint, by the names of EndpointSpec.
  "ALTER TABLE endpoint ADD COLUMN more TEXT NOT NULL DEFAULT '{}'",
  // The columns besides the record are what is searched, taken out of it. Every list is read off an index that has its
  // order and all that it is narrowed by.
  `CREATE TABLE operation (
     token            TEXT PRIMARY KEY,
     key              TEXT NOT NULL UNIQUE,
     version          INTEGER NOT NULL,
     endpoint         TEXT NOT NULL,
     state            TEXT NOT NULL,
     completion_state TEXT,
     accepted_at      INTEGER NOT NULL, -- milliseconds since the epoch, as all times
     due_at           INTEGER,
     retain_until     INTEGER NOT NULL,
     record           TEXT NOT NULL -- JSON: OperationRecord
   ) STRICT;
   CREATE INDEX operation_accepted ON operation (accepted_at, token);
   CREATE INDEX operation_endpoint ON operation (endpoint, accepted_at, token, state, completion_state);
   CREATE INDEX operation_state ON operation (state, accepted_at, token, endpoint, completion_state);
   CREATE INDEX operation_completion ON operation (completion_state, accepted_at, token, endpoint, state)
     WHERE completion_state IS NOT NULL;
   CREATE INDEX operation_due ON operation (due_at, token) WHERE due_at IS NOT NULL;
   CREATE INDEX operation_retained ON operation (retain_until)`,
  // JSON: EndpointOverride. An update of the endpoint leaves it alone.
  'ALTER TABLE endpoint ADD COLUMN override TEXT',
  `CREATE TABLE limit_tokens (
     name    TEXT PRIMARY KEY,
     next_us INTEGER NOT NULL -- microseconds since the epoch
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE limit_slot (
     part       TEXT NOT NULL,
     slot       INTEGER NOT NULL,
     holder     TEXT NOT NULL,
     held_until INTEGER NOT NULL,
     PRIMARY KEY (part, slot)
   ) STRICT, WITHOUT ROWID`,
  // Answers to starts that may be repeated.
  `CREATE TABLE answer (
     key         TEXT PRIMARY KEY,
     status      TEXT NOT NULL, -- INPROGRESS, COMPLETED
     lease_until REAL, -- milliseconds since the epoch, of what is in progress
     expires_at  INTEGER NOT NULL, -- seconds since the epoch
     answer      TEXT -- JSON: a NexusHttpResponse with its body in base64, once it is complete
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX answer_expires ON answer (expires_at)`,
  // JSON: StoredCircuit. An update of the endpoint leaves it alone.
  'ALTER TABLE endpoint ADD COLUMN circuit TEXT',
];

/**
 * Brings the database to the newest schema, each step in a transaction of its own. Fails with a {@link StartError}
 * where a newer version of nexus-lambda has written it.
 */
export function migrate(db: DatabaseSync, steps: readonly string[] = STEPS): void {
  db.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT');
  const row = db.prepare('SELECT max(version) AS version FROM schema_version').get();
  const current = Number(row?.version ?? 0);
  if (current > steps.length) {
    throw new StartError(
      `the data is of schema ${current}, written by a newer nexus-lambda; this one knows schema ${steps.length} at most: ` +
        'update nexus-lambda, or give it another folder with --data DIR',
    );
  }
  for (const [index, step] of steps.entries()) {
    if (index >= current) apply(db, step, index + 1);
  }
}

function apply(db: DatabaseSync, step: string, version: number): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(step);
    db.prepare('INSERT INTO schema_version VALUES (?)').run(version);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}
