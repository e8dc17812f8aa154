/*
 * What is in a message of a task queue and of the completion queue. Both name the table, so that a handler needs no
 * setting to find the record by; a wake-up, too, by what its endpoint's circuit and limits are found before the record is.
 */
import type { OperationRecord } from '../operations/record.ts';

/** Wakes one attempt. In the dead-letter queue it says why it is there; whoever moves it back from there wants it tried again. */
export interface WakeUpMessage {
  readonly nexusWakeUp: 1;
  readonly table: string;
  readonly token: string;
  readonly attempt: number;
  readonly reason?: string;
  /** Whose operation it is. */
  readonly from: {
    /** Name of the table of endpoints. */
    readonly table: string;
    readonly endpoint: string;
    readonly principal: string;
  };
}

/** An operation that ended. Carries its record where that fits, to save a read. */
export interface CompletionMessage {
  readonly nexusCompletion: 1;
  readonly table: string;
  readonly token: string;
  readonly record?: OperationRecord;
}

/** A message takes 1 MiB; a quarter is left for what JSON and UTF-8 add, and larger ones cost by 64 KB. */
const MAX_RECORD_CHARACTERS = 192 * 1024;

export function formatWakeUp(message: Omit<WakeUpMessage, 'nexusWakeUp'>): string {
  return stringify({ nexusWakeUp: 1, ...message } satisfies WakeUpMessage);
}

export function formatCompletionMessage(table: string, record: OperationRecord): string {
  // The handler's input is not part of a completion.
  const { start, ...rest } = record;
  const carried = { ...rest, start: { ...start, headers: {}, query: '', body: '' } };
  const message = { nexusCompletion: 1, table, token: record.token } as const;
  const withRecord = stringify({ ...message, record: carried } satisfies CompletionMessage);
  return withRecord.length <= MAX_RECORD_CHARACTERS ? withRecord : stringify(message);
}

/** Fails with a TypeError for a message that somebody else put into the queue. */
export function parseWakeUp(body: string): WakeUpMessage {
  const { nexusWakeUp, table, token, attempt, reason, from } = parseObject(body);
  if (nexusWakeUp !== 1 || !isText(table) || !isText(token) || !Number.isInteger(attempt)) throw foreign(body);
  if (!isOrigin(from)) throw foreign(body);
  return { nexusWakeUp, table, token, attempt: attempt as number, from, ...(isText(reason) && { reason }) };
}

function isOrigin(from: unknown): from is WakeUpMessage['from'] {
  const { table, endpoint, principal } = Object(from) as Record<string, unknown>;
  return isText(table) && isText(endpoint) && isText(principal);
}

/** Fails with a TypeError for a message that somebody else put into the queue. */
export function parseCompletionMessage(body: string): CompletionMessage {
  const { nexusCompletion, table, token, record } = parseObject(body);
  if (nexusCompletion !== 1 || !isText(table) || !isText(token)) throw foreign(body);
  return { nexusCompletion, table, token, ...(record !== undefined && { record: record as OperationRecord }) };
}

/** SQS refuses a message with characters that XML has not (SendMessage); JSON escapes all of them but two. */
function stringify(message: object): string {
  return JSON.stringify(message).replace(/[\ufffe\uffff]/g, (character) =>
    character === '\uffff' ? '\\uffff' : '\\ufffe',
  );
}

function parseObject(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body));
  } catch {
    throw foreign(body);
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function foreign(body: string): TypeError {
  return new TypeError(
    `a message that nexus-lambda did not send is in its queue: ${body.slice(0, 200)}; take it out there`,
  );
}
