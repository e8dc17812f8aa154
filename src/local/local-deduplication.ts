import type { DatabaseSync } from 'node:sqlite';
import type { Logger } from '../handler/logger.ts';
import { createDeduplication } from '../router/deduplication.ts';
import type { Deduplicate } from '../router/repeated-start.ts';
import { createSqliteAnswers } from './sqlite-answers.ts';

/** Deduplication in the embedded store; in a file of its own, which is loaded where it is asked for. */
export function localDeduplication(db: DatabaseSync, logger: Logger): Deduplicate {
  return createDeduplication({ createLayer: createSqliteAnswers(db), logger, clock: Date, random: Math.random });
}
