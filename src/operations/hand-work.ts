import { completionRedriven, retriedByHand } from './asked-transitions.ts';
import { type ChangeDeps, createChange } from './change.ts';
import type { OperationRecord, Transition } from './record.ts';

/** What came of what a person asked for. */
export type HandWorkResult =
  /** `record` is as it was written. */
  | { readonly kind: 'done'; readonly record: OperationRecord }
  /** `why` is to be read after "the operation". */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown' };

/** What people do with operations that are delivered durably, besides canceling them. */
export interface HandWork {
  /** Makes the next attempt of an operation that waits, or that was dead-lettered, now. */
  retry(token: string): Promise<HandWorkResult>;
  /** The same for one that was dead-lettered; for one that ended, sends a completion again that was not delivered. */
  redrive(token: string): Promise<HandWorkResult>;
}

/** Makes it. The same deps make `Operations`; the two may be in different processes. */
export function createHandWork(deps: ChangeDeps): HandWork {
  const { clock } = deps;
  const { change } = createChange(deps);

  async function decided(
    token: string,
    decide: (record: OperationRecord) => Transition | string,
  ): Promise<HandWorkResult> {
    let why: string | undefined;
    const record = await change(token, (read) => {
      // An index, or a person's list, may be older than the record's end.
      if (read.retainUntil <= clock.now()) return undefined;
      const decision = decide(read);
      why = typeof decision === 'string' ? decision : undefined;
      return typeof decision === 'string' ? undefined : decision;
    });
    if (record !== undefined) return { kind: 'done', record };
    return why === undefined ? { kind: 'unknown' } : { kind: 'refused', why };
  }

  return {
    retry: (token) => decided(token, (read) => retriedByHand(read, { now: clock.now() }) ?? whyNoRetry(read)),
    redrive: (token) =>
      decided(token, (read) => {
        const moment = { now: clock.now() };
        const redriven =
          read.state === 'dead-lettered' ? retriedByHand(read, moment) : completionRedriven(read, moment);
        return redriven ?? whyNoRedrive(read);
      }),
  };
}

function whyNoRetry({ state, attempt, completion }: OperationRecord): string {
  switch (state) {
    case 'claimed':
      return `runs: attempt ${attempt} has not ended yet`;
    case 'handed-over':
      return 'was handed over by its handler, and goes on elsewhere';
    default:
      return completion === undefined || completion.state === 'delivered'
        ? 'has ended'
        : `has ended, and only its completion is ${completion.state}; redrive sends that again`;
  }
}

function whyNoRedrive({ state, completion }: OperationRecord): string {
  switch (state) {
    case 'queued':
      return 'is queued, and not dead-lettered; retry makes its next attempt now';
    case 'ended':
      return completion === undefined
        ? 'has ended without a callback: there is no completion to send'
        : 'has ended, and its completion was delivered';
    case 'claimed':
      return 'runs, and is not dead-lettered';
    default:
      return 'was handed over by its handler, and goes on elsewhere';
  }
}
