import {
  cancelForwarded,
  cancelRequested,
  completionRedriven,
  retriedByHand,
} from '../../src/operations/asked-transitions.ts';
import { type CompletionResult, completionAttempted } from '../../src/operations/completion-transitions.ts';
import type { Effect, OperationRecord, Transition } from '../../src/operations/record.ts';
import type { RetryPolicy } from '../../src/operations/retry-policy.ts';
import {
  type AttemptResult,
  accepted,
  attemptEnded,
  deadLetterSent,
  received,
  reconciled,
} from '../../src/operations/transitions.ts';
import { SUCCESS } from './delivery-arbitraries.ts';

const POLICY: RetryPolicy = { initialMs: 1_000, maxMs: 3_600_000, poisonAttempts: 3 };
export const LEASE_MS = 60_000;
const DAY_MS = 86_400_000;

interface Message {
  readonly kind: 'wake' | 'complete';
  readonly attempt: number;
  readonly visibleAt: number;
}

interface Run {
  /** As it read the record when it claimed it: what it writes is based on that. */
  readonly read: OperationRecord;
  readonly attempt: number;
  done: boolean;
}

/**
 * One operation, its store, its queue, its handler and its caller, with faults where the test asks for them. Every writer
 * reads first, decides by the transitions, and writes on the condition that nobody wrote meanwhile.
 */
export class SimulatedDelivery {
  now = Date.UTC(2026, 0, 1);
  record: OperationRecord;
  readonly messages: Message[] = [];
  readonly runs: Run[] = [];
  /** Outcomes that were ever written, and that were ever sent to the callback. */
  readonly outcomes = new Set<string>();
  readonly posted: string[] = [];
  /** Results of attempts that ended while the attempt was theirs. */
  readonly reported: string[] = [];
  canceled = false;
  forwarded = 0;
  deadLetters = 0;
  random = 0.5;

  private readonly isBusy: boolean;

  constructor({
    callback,
    isBusy,
    expiresInMs,
  }: {
    readonly callback: boolean;
    /** Whether its queue holds messages of others at any time. */
    readonly isBusy: boolean;
    readonly expiresInMs?: number | undefined;
  }) {
    this.isBusy = isBusy;
    const transition = accepted({
      token: 'token',
      key: 'key',
      principal: 'local',
      endpoint: 'shop',
      namespace: 'default',
      taskQueue: 'shop',
      requestId: 'request',
      start: { service: 's', operation: 'o', headers: {}, query: '', body: '' },
      acceptedAt: this.now,
      retainUntil: this.now + 61 * DAY_MS,
      policy: POLICY,
      ...(callback && { callback: { url: 'http://127.0.0.1/callback', headers: {} } }),
      ...(expiresInMs !== undefined && { expiresAt: this.now + expiresInMs }),
    });
    this.record = transition.record;
    this.run(transition.effects, false);
  }

  get moment() {
    return { now: this.now, random: this.random };
  }

  /** A writer that read `read`: whether its write took effect. Where it crashes after it, its effects are lost. */
  private write(transition: Transition | undefined, read: OperationRecord, crash: boolean): boolean {
    if (transition === undefined || read.version !== this.record.version) return false;
    this.record = transition.record;
    if (this.record.outcome) this.outcomes.add(JSON.stringify(this.record.outcome));
    this.run(transition.effects, crash);
    return true;
  }

  private run(effects: readonly Effect[], crash: boolean): void {
    if (crash) return;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'wake':
          this.messages.push({ kind: 'wake', attempt: effect.attempt, visibleAt: this.now + effect.delayMs });
          break;
        case 'complete':
          this.messages.push({ kind: 'complete', attempt: 0, visibleAt: this.now + effect.delayMs });
          break;
        case 'forward-cancel':
          this.forwarded++;
          this.write(cancelForwarded(this.record, this.moment), this.record, false);
          break;
        case 'dead-letter':
          this.deadLetters++;
          this.write(deadLetterSent(this.record, this.moment), this.record, false);
          break;
      }
    }
  }

  /** Delivers one of the messages that are visible. `keep` leaves it, to be delivered once more. */
  deliver(
    index: number,
    { keep, crash, completion }: { keep: boolean; crash: boolean; completion: CompletionResult },
  ): void {
    const visible = this.messages.filter(({ visibleAt }) => visibleAt <= this.now);
    const message = visible[index % Math.max(1, visible.length)];
    if (message === undefined) return;
    if (!keep) this.messages.splice(this.messages.indexOf(message), 1);
    if (message.kind === 'complete') this.post(completion, crash);
    else this.wake(message.attempt, crash);
  }

  private wake(attempt: number, crash: boolean): void {
    const claim = { leaseUntil: this.now + LEASE_MS, invocation: `i${this.runs.length}` };
    const read = this.record;
    const arrived = received(read, { ...this.moment, attempt, claim });
    switch (arrived.kind) {
      case 'run':
        if (this.write(arrived.transition, read, false) && !crash)
          this.runs.push({ read: this.record, attempt, done: false });
        break;
      case 'write':
        this.write(arrived.transition, read, crash);
        break;
      case 'send-on':
        this.run(arrived.effects, crash);
        break;
      case 'drop':
        break;
    }
  }

  private post(result: CompletionResult, crash: boolean): void {
    const read = this.record;
    if (read.outcome === undefined || read.completion?.state !== 'pending') return;
    if (read.completion.nextAttemptAt > this.now) return;
    this.posted.push(JSON.stringify(read.outcome));
    if (crash) return; // the caller has it, and nobody wrote that down
    this.write(completionAttempted(read, { ...this.moment, result }), read, false);
  }

  /** One of the handlers that run ends. `late` writes on what it read when it claimed, others read again first. */
  finish(index: number, result: AttemptResult, { crash }: { crash: boolean }): void {
    const running = this.runs.filter(({ done }) => !done);
    const run = running[index % Math.max(1, running.length)];
    if (run === undefined) return;
    run.done = true;
    const read = this.record;
    const transition = attemptEnded(read, { ...this.moment, attempt: run.attempt, result });
    if (this.write(transition, read, crash)) this.reported.push(result.kind);
  }

  cancel(crash: boolean): void {
    const read = this.record;
    this.canceled ||= this.write(cancelRequested(read, this.moment), read, crash);
  }

  reconcile(crash: boolean): void {
    const read = this.record;
    const mayBeHeld =
      this.isBusy || this.messages.some(({ kind, visibleAt }) => kind === 'wake' && visibleAt <= this.now);
    this.write(reconciled(read, { ...this.moment, mayBeHeld }), read, crash);
  }

  retryByHand(): void {
    this.write(retriedByHand(this.record, this.moment), this.record, false);
    this.write(completionRedriven(this.record, this.moment), this.record, false);
  }

  advance(ms: number): void {
    this.now += ms;
  }

  /** All is well from here on: time passes, handlers succeed, callbacks take what they get, people look after what is stuck. */
  settle(): void {
    for (let step = 0; step < 200 && !this.isSettled; step++) {
      this.advance(20 * 60_000);
      this.reconcile(false);
      for (let count = this.messages.length; count > 0; count--) {
        this.deliver(0, { keep: false, crash: false, completion: { kind: 'delivered' } });
        this.finish(0, SUCCESS(this.now), { crash: false });
      }
      if (this.record.state === 'dead-lettered') this.retryByHand();
    }
  }

  get isSettled(): boolean {
    const { state, completion, cancelForward } = this.record;
    if (state === 'handed-over') return cancelForward !== 'pending';
    return state === 'ended' && completion?.state !== 'pending';
  }
}
