import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { ProtoFailure } from '../../src/nexus/proto-failure.ts';
import {
  cancelForwarded,
  cancelRequested,
  completionRedriven,
  retriedByHand,
} from '../../src/operations/asked-transitions.ts';
import { type CompletionResult, completionAttempted } from '../../src/operations/completion-transitions.ts';
import { createToken } from '../../src/operations/operation-token.ts';
import type { Claim, OperationRecord, Outcome } from '../../src/operations/record.ts';
import { DEFAULT_RETRY_POLICY } from '../../src/operations/retry-policy.ts';
import {
  type AttemptResult,
  accepted,
  attemptEnded,
  deadLetterSent,
  leaseExpired,
  received,
  reconciled,
} from '../../src/operations/transitions.ts';

export const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/** What an attempt is claimed with. */
export const CLAIM = { leaseUntil: NOW + 60_000, invocation: 'i-1', logStream: '2026/01/01/[$LATEST]abc' };

/** A token as a start with this key gets it. */
export function tokenOf(key: string): string {
  return createToken(createHash('sha256').update(key).digest(), randomBytes(16));
}

let records = 0;

/** What is known of an operation when it is accepted. */
type First = Parameters<typeof accepted>[0];

/** A record as it is when it was accepted, of a key of its own where none is given. */
export function newRecord(members: Partial<First> = {}): OperationRecord {
  const { key = `local shop orders place request-${++records}` } = members;
  return accepted({
    token: tokenOf(key),
    key,
    principal: 'local',
    endpoint: 'shop',
    namespace: 'default',
    taskQueue: 'shop',
    requestId: 'request',
    start: { service: 'orders', operation: 'place', headers: {}, query: '', body: '' },
    acceptedAt: NOW,
    retainUntil: NOW + 61 * DAY_MS,
    policy: DEFAULT_RETRY_POLICY,
    ...members,
  }).record;
}

/** The record as it is once its attempt is claimed. */
export function claimedRecord(record: OperationRecord, claim: Omit<Claim, 'attempt'> = CLAIM): OperationRecord {
  const arrived = received(record, { attempt: record.attempt, claim, now: record.nextAttemptAt, random: 0 });
  if (arrived.kind !== 'run') throw new Error(`the attempt is not to be run: ${arrived.kind}`);
  return arrived.transition.record;
}

/** The record as it is when it has ended, with the completion in this state where there is a callback. */
export function endedRecord(record: OperationRecord, completion: CompletionResult = { kind: 'delivered' }) {
  const ended = cancelRequested(record, { now: record.acceptedAt })!.record;
  return completionAttempted(ended, { result: completion, now: record.acceptedAt, random: 0 })?.record ?? ended;
}

/** One change of a record, where the transitions have one for it. */
type Change = (record: OperationRecord) => OperationRecord | undefined;

/** What happens to an operation, one after the other. */
export interface History {
  readonly first: Partial<First>;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: 'change'; readonly change: Change }
  /** Somebody claims the attempt after, or before, the next one. */
  | { readonly kind: 'claim'; readonly ahead: number; readonly logStream?: string; readonly now: number };

/** As values are once they came over a wire: no `-0`, no other prototypes. */
function parsed<T>(values: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return values.map((value) => JSON.parse(JSON.stringify(value)) as T);
}

/** All that UTF-8 can say. */
const text = fc.string({ unit: 'binary' });
const word = fc.string({ unit: 'grapheme', minLength: 1 });
const base64 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const dictionary = fc.dictionary(text, text);
const links = fc.array(fc.record({ url: text, type: text }), { maxLength: 2 });
const payload = fc.record({ metadata: fc.dictionary(text, base64), data: base64 }, { requiredKeys: [] });
const failure: fc.Arbitrary<ProtoFailure> = fc.record(
  { message: text, stackTrace: text, encodedAttributes: payload, applicationFailureInfo: fc.record({ type: text }) },
  { requiredKeys: [] },
);
const anyFailure = fc
  .tuple(failure, fc.jsonValue())
  .map(([one, serverFailureInfo]): ProtoFailure => ({ ...one, serverFailureInfo }));
const time = fc.integer({ min: NOW, max: NOW + 70 * DAY_MS });
const random = fc.double({ min: 0, max: 1, noNaN: true });

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ state: fc.constant('succeeded' as const), payload, links, at: time }),
  fc.record({ state: fc.constantFrom('failed' as const, 'canceled' as const), failure: anyFailure, links, at: time }),
);

const result: fc.Arbitrary<AttemptResult> = fc.oneof(
  outcome.map((outcome) => ({ kind: 'ended', outcome }) as const),
  fc.record({ kind: fc.constant('handed-over' as const), token: word, links }),
  fc.record({ kind: fc.constant('failed' as const), message: text, retryable: fc.boolean(), failure: anyFailure }),
  fc.constant({ kind: 'crashed' } as const),
);

const completion: fc.Arbitrary<CompletionResult> = fc.oneof(
  fc.constant({ kind: 'delivered' } as const),
  fc.record({ kind: fc.constantFrom('refused' as const, 'dead-lettered' as const, 'retry' as const), message: text }),
);

const moment = fc.record({ now: time, random });

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(parsed(result), moment).map(
    ([result, moment]): Change =>
      (record) =>
        attemptEnded(record, { ...moment, attempt: record.attempt, result })?.record,
  ),
  fc.tuple(parsed(completion), moment).map(
    ([result, moment]): Change =>
      (record) =>
        completionAttempted(record, { ...moment, result })?.record,
  ),
  fc
    .tuple(
      fc.constantFrom(
        ...[cancelRequested, cancelForwarded, deadLetterSent],
        ...[reconciled, retriedByHand, completionRedriven, leaseExpired],
      ),
      moment,
    )
    .map(
      ([decide, moment]): Change =>
        (record) =>
          decide(record, moment)?.record,
    ),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('change' as const), change }),
  fc.record(
    {
      kind: fc.constant('claim' as const),
      ahead: fc.constantFrom(0, 0, 0, 1, -1),
      logStream: text,
      now: fc.oneof(time, fc.constant(NOW)),
    },
    { requiredKeys: ['kind', 'ahead', 'now'] },
  ),
);

const first = fc.record(
  {
    principal: word,
    endpoint: word,
    namespace: word,
    taskQueue: word,
    requestId: word,
    start: fc.record({ service: text, operation: text, headers: dictionary, query: text, body: base64 }),
    callback: fc.record({ url: text, headers: dictionary }),
    expiresAt: time,
    promotedAt: time,
    answeredAt: time,
    retainUntil: time,
    queues: fc.record({ task: text, deadLetter: text, completion: text }),
    policy: fc.record(
      { initialMs: fc.nat(), maxMs: fc.nat(), attempts: fc.nat(), poisonAttempts: fc.nat() },
      { requiredKeys: ['initialMs', 'maxMs', 'poisonAttempts'] },
    ),
  },
  { requiredKeys: ['start'] },
);

/** Any operation, and any way through the transitions. */
export const history: fc.Arbitrary<History> = fc.record({
  first: parsed(first),
  steps: fc.array(step, { maxLength: 12 }),
});
