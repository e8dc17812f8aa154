import { randomBytes } from 'node:crypto';
import { change, hop } from './next-version.ts';
import { createToken, parseToken } from './operation-token.ts';
import type { Claim, OperationRecord, Outcome, Transition } from './record.ts';
import type { AttemptResult } from './transitions.ts';

/*
 * Two may write the first version of a promoted operation's record, and the first of them has the say: the router, when
 * its caller's time is nearly over (`promoted`), and the handler, when it ends later than its cut-off (`answered`). Both
 * write on the condition that no record of the key is there. Their tokens differ, so each can tell the other's record from
 * its own; only the router's is ever given to a caller.
 */

/** The attempt of a record whose handler ran before it was written. */
export const FIRST_ATTEMPT = 1;

/** What a caller is told of an operation that has a record. */
export type Told =
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  /** Ours, or the handler's own where that ended with one. */
  | { readonly kind: 'token'; readonly token: string };

/** A start as it is written when its caller is given the token: it runs, and nobody knows where. */
export function promoted(
  accepted: OperationRecord,
  { leaseUntil, now }: { readonly leaseUntil: number; readonly now: number },
): Transition {
  const claim = { attempt: FIRST_ATTEMPT, leaseUntil, since: accepted.acceptedAt, invocation: '' };
  // Without a wake-up, which would cost the caller's last milliseconds: the invocation sends one as it takes the claim.
  return change(accepted, { state: 'claimed', claim, promotedAt: now }, [], now);
}

/** The invocation that runs a promoted operation says so, and until when; `undefined` where it is known, or does not any more. */
export function claimTaken(
  record: OperationRecord,
  claim: Omit<Claim, 'attempt'>,
  now: number,
): Transition | undefined {
  const isOurs = record.state === 'claimed' && record.attempt === FIRST_ATTEMPT && record.claim?.invocation === '';
  if (!isOurs) return undefined;
  const wake = { kind: 'wake', attempt: FIRST_ATTEMPT, delayMs: hop(claim.leaseUntil - now) } as const;
  return change(record, { claim: { attempt: FIRST_ATTEMPT, since: record.acceptedAt, ...claim } }, [wake], now);
}

/**
 * A start as its handler writes it that ended later than its cut-off; `undefined` where there is no outcome to be kept, as
 * the caller is to try again.
 */
export function answered(accepted: OperationRecord, result: AttemptResult, now: number): OperationRecord | undefined {
  const common = { token: otherToken(accepted.token), callback: undefined, answeredAt: now } as const;
  const ended = (outcome: Outcome) => change(accepted, { ...common, state: 'ended', outcome }, [], now).record;
  switch (result.kind) {
    case 'ended':
      return ended(result.outcome);
    case 'handed-over':
      return change(accepted, { ...common, state: 'handed-over', innerToken: result.token }, [], now).record;
    case 'failed':
      return result.retryable ? undefined : ended({ state: 'failed', failure: result.failure, links: [], at: now });
    case 'crashed':
      return undefined;
  }
}

/** What the caller is told whose start has this record already. */
export function toldOf({ token, answeredAt, outcome, innerToken }: OperationRecord): Told {
  if (answeredAt === undefined) return { kind: 'token', token };
  return outcome === undefined ? { kind: 'token', token: innerToken ?? token } : { kind: 'outcome', outcome };
}

/** Of the same key. */
function otherToken(token: string): string {
  const { keyHash = '' } = parseToken(token) ?? {};
  return createToken(Buffer.from(keyHash, 'base64url'), randomBytes(16));
}
