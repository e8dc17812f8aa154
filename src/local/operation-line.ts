import { innermostMessage } from '../nexus/innermost-message.ts';
import type { OperationRecord } from '../operations/record.ts';
import { formatLine, type Line } from './request-line.ts';

/** One line for the terminal, about an attempt that ended: what came of it, and when the next one is. */
export function formatAttemptLine(
  record: OperationRecord,
  { ms, now }: { readonly ms: number; readonly now: number },
  stream: NodeJS.WritableStream,
): string {
  return formatLine({ ...placeOf(record), ...attemptOf(record, now), ms }, stream);
}

/** The same about a completion that was sent, or was not to be sent. */
export function formatCompletionLine(
  record: OperationRecord,
  { ms, now }: { readonly ms: number; readonly now: number },
  stream: NodeJS.WritableStream,
): string {
  return formatLine({ ...placeOf(record), ...completionOf(record, now), ms }, stream);
}

type Said = Pick<Line, 'outcome' | 'colour' | 'message'>;

function placeOf({ endpoint, start: { service, operation } }: OperationRecord): Pick<Line, 'endpoint' | 'operation'> {
  return { endpoint, operation: `${service}/${operation}` };
}

function attemptOf({ state, attempt, outcome, lastFailure, nextAttemptAt }: OperationRecord, now: number): Said {
  switch (state) {
    case 'ended':
      return outcome === undefined || outcome.state === 'succeeded'
        ? { outcome: `attempt ${attempt} succeeded`, colour: 'green' }
        : {
            outcome: `attempt ${attempt} ${outcome.state}`,
            colour: 'yellow',
            message: innermostMessage(outcome.failure),
          };
    case 'handed-over':
      return { outcome: `attempt ${attempt} handed over`, colour: 'cyan' };
    default: {
      const { attempt: failed = attempt, crash, message } = lastFailure ?? {};
      const next = state === 'queued' ? `again in ${inWords(nextAttemptAt - now)}` : 'dead-lettered';
      // Of a crash the terminal has said all there is to say.
      return crash === undefined
        ? { outcome: `attempt ${failed} failed, ${next}`, colour: 'red', message }
        : { outcome: `attempt ${failed} crashed, ${next}`, colour: 'red' };
    }
  }
}

function completionOf({ outcome, completion }: OperationRecord, now: number): Said {
  const what = `completion (${outcome?.state})`;
  const { state = 'delivered', lastFailure: message, nextAttemptAt = now } = completion ?? {};
  switch (state) {
    case 'delivered':
      return { outcome: `${what} delivered`, colour: 'green' };
    case 'pending':
      return { outcome: `${what} failed, again in ${inWords(nextAttemptAt - now)}`, colour: 'red', message };
    default:
      return { outcome: `${what} ${state}`, colour: 'red', message };
  }
}

function inWords(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
