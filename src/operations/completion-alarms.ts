import type { Logger } from '../handler/logger.ts';
import type { PostResult } from './completion-result.ts';
import type { OperationRecord } from './record.ts';

export interface CompletionAlarmsDeps {
  readonly logger: Logger;
  readonly clock: { now(): number };
}

/** The same for each alarm, to make a metric of: what differs is in the fields of the line. */
export const COMPLETION_ALARM = 'completions wait until somebody mends how they are delivered';

/** A backlog of completions fails as one: its lines would hide all others. */
export const ALARM_EVERY_MS = 300_000;

/**
 * Makes what writes an error into the log for a completion that will be refused until a person does something: once in five
 * minutes for an endpoint and an origin, with how many were not said since the line before.
 */
export function createCompletionAlarms({ logger, clock }: CompletionAlarmsDeps) {
  const said = new Map<string, { readonly at: number; unsaid: number }>();

  return (
    { token, endpoint, callback }: Pick<OperationRecord, 'token' | 'endpoint' | 'callback'>,
    result: PostResult,
  ) => {
    if (result.kind !== 'retry' || result.alarm === undefined) return;
    const origin = URL.parse(callback?.url ?? '')?.origin;
    const about = JSON.stringify([endpoint, origin]);
    const last = said.get(about);
    if (last !== undefined && Math.abs(clock.now() - last.at) < ALARM_EVERY_MS) {
      last.unsaid++;
      return;
    }
    said.set(about, { at: clock.now(), unsaid: 0 });
    logger.error(COMPLETION_ALARM, {
      endpoint,
      callback: origin,
      reason: result.message,
      mend: result.alarm,
      token,
      unsaid: last?.unsaid ?? 0,
    });
  };
}
