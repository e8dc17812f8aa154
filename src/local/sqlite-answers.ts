import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { IdempotencyItemAlreadyExistsError, IdempotencyItemNotFoundError } from '@aws-lambda-powertools/idempotency';
import { BasePersistenceLayer, IdempotencyRecord } from '@aws-lambda-powertools/idempotency/persistence';
import type { NexusHttpResponse } from '../nexus/message.ts';

type Row = Record<string, SQLOutputValue>;
type Status = ConstructorParameters<typeof IdempotencyRecord>[0]['status'];

/** Makes layers that keep answers in the embedded store. What was in progress when it was closed is not any more. */
export function createSqliteAnswers(db: DatabaseSync): () => BasePersistenceLayer {
  // Nobody else delivers anything of this store: it ended with the process before.
  db.exec("DELETE FROM answer WHERE status = 'INPROGRESS'");
  const statements = {
    select: db.prepare('SELECT * FROM answer WHERE key = ?'),
    take: db.prepare(
      `INSERT INTO answer (key, status, lease_until, expires_at) VALUES ($key, 'INPROGRESS', $leaseUntil, $expiresAt)
       ON CONFLICT DO UPDATE SET status = 'INPROGRESS', lease_until = $leaseUntil, expires_at = $expiresAt, answer = NULL
         WHERE expires_at < $now / 1000.0 OR (status = 'INPROGRESS' AND lease_until < $now)`,
    ),
    complete: db.prepare(
      'UPDATE answer SET status = $status, expires_at = $expiresAt, answer = $answer WHERE key = $key',
    ),
    remove: db.prepare('DELETE FROM answer WHERE key = ?'),
    forget: db.prepare('DELETE FROM answer WHERE expires_at < ?'),
  };
  return () => new SqliteAnswerLayer(statements);
}

type Statements = Readonly<
  Record<'select' | 'take' | 'complete' | 'remove' | 'forget', ReturnType<DatabaseSync['prepare']>>
>;

class SqliteAnswerLayer extends BasePersistenceLayer {
  private readonly statements: Statements;

  constructor(statements: Statements) {
    super();
    this.statements = statements;
  }

  protected async _putRecord(record: IdempotencyRecord): Promise<void> {
    const { idempotencyKey: key, inProgressExpiryTimestamp: leaseUntil = 0, expiryTimestamp: expiresAt = 0 } = record;
    const now = Date.now(); // as the layer below, which takes its times from nowhere else
    this.statements.forget.run(Math.floor(now / 1_000));
    if (this.statements.take.run({ key, leaseUntil, expiresAt, now }).changes > 0) return;
    const existing = toRecord(this.statements.select.get(key));
    throw new IdempotencyItemAlreadyExistsError(`there is an answer of ${key}, or will be`, existing);
  }

  protected async _getRecord(key: string): Promise<IdempotencyRecord> {
    const record = toRecord(this.statements.select.get(key));
    if (record === undefined) throw new IdempotencyItemNotFoundError();
    return record;
  }

  protected async _updateRecord(record: IdempotencyRecord): Promise<void> {
    const { idempotencyKey: key, expiryTimestamp: expiresAt = 0 } = record;
    const { body, ...head } = record.responseData as unknown as NexusHttpResponse;
    const answer = JSON.stringify({ ...head, body: Buffer.from(body).toString('base64') });
    this.statements.complete.run({ key, status: record.getStatus(), expiresAt, answer });
  }

  protected async _deleteRecord({ idempotencyKey }: IdempotencyRecord): Promise<void> {
    this.statements.remove.run(idempotencyKey);
  }
}

function toRecord(row: Row | undefined): IdempotencyRecord | undefined {
  if (row === undefined) return undefined;
  return new IdempotencyRecord({
    idempotencyKey: String(row.key),
    status: String(row.status) as Status,
    expiryTimestamp: Number(row.expires_at),
    ...(row.lease_until !== null && { inProgressExpiryTimestamp: Number(row.lease_until) }),
    ...(row.answer !== null && { responseData: toAnswer(String(row.answer)) as never }),
  });
}

function toAnswer(text: string): NexusHttpResponse {
  const { body, ...head } = JSON.parse(text) as Omit<NexusHttpResponse, 'body'> & { readonly body: string };
  return { ...head, body: new Uint8Array(Buffer.from(body, 'base64')) };
}
