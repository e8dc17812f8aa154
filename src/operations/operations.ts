import type { CompletionRequest } from '../nexus/completion.ts';
import { cancelRequested } from './asked-transitions.ts';
import { type ChangeDeps, createChange } from './change.ts';
import { type CompletionResult, completionAttempted } from './completion-transitions.ts';
import { formatStoredCompletion } from './format-stored-completion.ts';
import type { OperationStore, TaskQueue, WakeUp } from './ports.ts';
import type { Claim, OperationRecord, Transition } from './record.ts';
import { LONGEST_DELAY_MS } from './retry-policy.ts';
import { settleAttempt } from './settle-attempt.ts';
import {
  type AttemptResult,
  deferred,
  interrupted,
  isPatient,
  type Received,
  received,
  reconciled,
} from './transitions.ts';

export interface OperationsDeps extends ChangeDeps {
  readonly store: OperationStore;
  readonly taskQueue: TaskQueue;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
}

/** Whoever runs the attempt of an operation. */
export interface AttemptRunner {
  /** What is written down of it before it runs. */
  readonly claim: Omit<Claim, 'attempt'>;
  /** Runs the handler, and says what came of it; the signal fires when the operation was canceled. Must not reject. */
  run(record: OperationRecord, canceled: AbortSignal): Promise<AttemptResult>;
}

/** What is done to operations that are delivered durably, on whatever stores and queues. */
export interface Operations {
  /** Stores a first version and sends its wake-up. Returns the record of that key, this one or one that was there. */
  accept(transition: Transition): Promise<OperationRecord>;
  /**
   * Runs the attempt that a message wakes, where it is to be run, and returns the record as that left it; `undefined`
   * where nothing ran, or what came of it is not its to say any more. Rejects where the message has to come again.
   */
  wake(message: WakeUp, runner: AttemptRunner): Promise<OperationRecord | undefined>;
  /**
   * Has the attempt that a message wakes wait until then, where it is still to be run: it is not let through now. Rejects
   * where the message has to come again.
   */
  defer(message: WakeUp, until: number): Promise<void>;
  /** Records that the caller wants it canceled, and does what follows from that. */
  cancel(record: OperationRecord): Promise<void>;
  /**
   * Makes one attempt to deliver the completion of an operation that ended, and returns the record as that left it;
   * `undefined` where there is nothing to deliver, or not yet.
   */
  complete(
    message: OperationRecord | string,
    post: (url: string, completion: CompletionRequest) => Promise<CompletionResult>,
  ): Promise<OperationRecord | undefined>;
  /** Takes up an attempt again whose process was ended from outside, as the only process that runs any knows. */
  interrupted(token: string): Promise<void>;
  /**
   * Looks after all operations whose time has come, once each, the longest overdue first; returns for how many there was
   * something to do. One that fails is left to the next round, and keeps none of the others from their turn.
   *
   * @param page how many the store is asked for at a time
   * @param goOn asked before each: ends the round where there is no time for another one. Default: no end
   */
  reconcile(page: number, goOn?: () => boolean): Promise<number>;
}

/** How often a long attempt looks whether it was canceled. */
const CANCEL_POLL_MS = 5_000;

export function createOperations(deps: OperationsDeps): Operations {
  const { store, taskQueue, completionQueue, clock, random, logger } = deps;
  const { change, carryOut } = createChange(deps);
  /** What runs in this process, to be told of a cancel at once; others look at the record. */
  const running = new Map<string, AbortController>();
  const moment = () => ({ now: clock.now(), random: random() });
  const settle = settleAttempt(change, moment);

  async function wakeWithout(claim: Omit<Claim, 'attempt'>, { token, attempt, reason }: WakeUp): Promise<void> {
    const read = await store.get(token);
    if (read === undefined) return logger.debug('a message woke no operation', { token }) as undefined;
    const decide = (record: OperationRecord) => received(record, { ...moment(), attempt, reason, claim });
    const arrived = decide(read);
    switch (arrived.kind) {
      case 'write':
        await change(token, (record) => written(decide(record)), read);
        return;
      case 'send-on':
        return carryOut({ record: read, effects: arrived.effects });
      case 'drop':
        logger.debug('a message woke nobody', { token, attempt, why: arrived.why });
        return;
      case 'run':
        // Somebody wrote between the claim and the read: the message comes again.
        throw new Error(`operation ${token} could not be claimed`);
    }
  }

  return {
    async accept({ record, effects }) {
      const existing = await store.create(record, clock.now());
      if (existing === undefined) {
        await carryOut({ record, effects });
        return record;
      }
      // A repeat may be all that is left of a start whose wake-up was never sent. Two wake-ups do no harm.
      const { state, nextAttemptAt, attempt } = existing;
      if (state === 'queued' && nextAttemptAt <= clock.now()) {
        await carryOut({ record: existing, effects: [{ kind: 'wake', attempt, delayMs: 0 }] });
      }
      return existing;
    },

    async wake(message, { claim, run }) {
      const { token, attempt } = message;
      const record = await store.claim(token, { attempt, ...claim }, clock.now());
      if (record === undefined) {
        await wakeWithout(claim, message);
        return undefined;
      }
      const canceled = new AbortController();
      const stopWatching = watchCancel(token, canceled);
      running.set(token, canceled);
      try {
        const result = await run(record, canceled.signal);
        const settled = await settle(record, attempt, result);
        if (settled === undefined)
          logger.warn('an attempt ended after its lease: its result is dropped', { token, attempt });
        return settled;
      } finally {
        stopWatching();
        running.delete(token);
      }
    },

    async defer({ token, attempt }, until) {
      const read = await store.get(token);
      if (read?.state !== 'queued' || read.attempt !== attempt) return;
      const waitMs = read.nextAttemptAt - until;
      if (waitMs <= 0) {
        await change(token, (record) => deferred(record, { ...moment(), attempt, until }), read);
        return;
      }
      // It waits longer already, and this message may be the only one on its way there.
      const delayMs = Math.min(read.nextAttemptAt - clock.now(), LONGEST_DELAY_MS);
      await carryOut({ record: read, effects: [{ kind: 'wake', attempt, delayMs }] });
    },

    async cancel({ token }) {
      await change(token, (read) => cancelRequested(read, moment()));
      running.get(token)?.abort(canceledReason());
    },

    async complete(message, post) {
      const known = typeof message === 'string' ? await store.get(message) : message;
      if (known?.callback === undefined || known.completion?.state !== 'pending') return undefined;
      const waitMs = known.completion.nextAttemptAt - clock.now();
      if (waitMs > 0) {
        await completionQueue.send(known, Math.min(waitMs, LONGEST_DELAY_MS));
        return undefined;
      }
      const request = formatted(known);
      const result = 'kind' in request ? request : await post(known.callback.url, request);
      return change(known.token, (read) => completionAttempted(read, { ...moment(), result }), known);
    },

    async interrupted(token) {
      await change(token, (read) => interrupted(read, moment()));
    },

    async reconcile(page, goOn = () => true) {
      const now = clock.now();
      const seen = new Set<string>();
      let done = 0;
      let again = 0;
      for (let asked = page, found = page; found === asked; ) {
        // What is there once more stands before the others: it failed, or its index has not followed yet.
        asked = page + again;
        const tokens = await store.due(now, asked);
        found = tokens.length;
        const fresh = tokens.filter((token) => !seen.has(token));
        again = found - fresh.length;
        for (const token of fresh) {
          if (!goOn()) return done;
          seen.add(token);
          if (await lookAfter(token)) done++;
        }
      }
      return done;
    },
  };

  async function lookAfter(token: string): Promise<boolean> {
    try {
      const read = await store.get(token);
      const mayBeHeld = read !== undefined && isPatient(read, clock.now()) && (await mayHold(read));
      return (await change(token, (record) => reconciled(record, { ...moment(), mayBeHeld }), read)) !== undefined;
    } catch (error) {
      logger.warn('an operation is looked after the next time', { token, error });
      return false;
    }
  }

  /** A queue that cannot be asked may have lost it. */
  async function mayHold(record: OperationRecord): Promise<boolean> {
    const { token, attempt } = record;
    try {
      return await taskQueue.mayHold(record, { token, attempt });
    } catch (error) {
      logger.warn('a queue could not be asked what it holds: an operation is woken again', { token, error });
      return false;
    }
  }

  /** Fires the signal once the record says that a cancel was asked for. Returns what ends the watch. */
  function watchCancel(token: string, canceled: AbortController): () => void {
    const timer = setInterval(() => {
      store.get(token).then(
        (record) => {
          if (record?.cancelRequestedAt !== undefined) canceled.abort(canceledReason());
        },
        (error: unknown) => logger.debug('a running operation could not be looked at', { token, error }),
      );
    }, CANCEL_POLL_MS);
    return () => clearInterval(timer);
  }
}

/** What another reader may have made of it since is left to the message that comes again. */
function written(arrived: Received): Transition | undefined {
  return arrived.kind === 'write' ? arrived.transition : undefined;
}

/** The completion, or what becomes of one that cannot be written, now or ever. */
function formatted(record: OperationRecord): CompletionRequest | Extract<CompletionResult, { kind: 'dead-lettered' }> {
  try {
    return formatStoredCompletion(record);
  } catch (error) {
    return { kind: 'dead-lettered', message: `the completion cannot be sent: ${(error as Error).message}` };
  }
}

function canceledReason(): DOMException {
  return new DOMException('the operation was canceled', 'AbortError');
}
