import { setImmediate } from 'node:timers/promises';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { acceptStart } from '../../src/operations/accept-start.ts';
import { retriedByHand } from '../../src/operations/asked-transitions.ts';
import type { CompletionResult } from '../../src/operations/completion-transitions.ts';
import { createOperations, type Operations } from '../../src/operations/operations.ts';
import type { WakeUp } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import type { RetryPolicy } from '../../src/operations/retry-policy.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import { SUCCESS } from './delivery-arbitraries.ts';

const POLICY: RetryPolicy = { initialMs: 1_000, maxMs: 3_600_000, poisonAttempts: 3 };
export const LEASE_MS = 60_000;

/** What becomes of a call that leaves the process: it is made, lost before it was made, or its answer is lost. */
export type Fate = 'made' | 'lost' | 'made, answer lost';

type Call = (fate: Fate) => Promise<void>;

interface Process {
  readonly operations: Operations;
  /** Those that wait until they may go. */
  readonly calls: Call[];
  call<T>(act: () => Promise<T>): Promise<T>;
}

interface Run {
  /** Which one it was, counted from 1. */
  readonly process: number;
  readonly attempt: number;
  /** Absent while it runs. */
  result?: AttemptResult;
}

/**
 * One operation in a real SQLite store, driven by `createOperations`. Each call of store, queue, handler and callback waits
 * until the test lets it go, in whatever order, and may fail: what several messages do at once interleaves in every way.
 */
export class SimulatedOperations {
  now = Date.UTC(2026, 0, 1);
  random = 0.5;
  nextResult: (at: number) => AttemptResult = SUCCESS;
  nextCompletion: CompletionResult = { kind: 'delivered' };
  readonly wakeUps: (WakeUp & { readonly visibleAt: number })[] = [];
  readonly completions: { readonly token: string; readonly visibleAt: number }[] = [];
  readonly runs: Run[] = [];
  readonly tokens = new Set<string>();
  /** Versions of the record as they were seen after each call. */
  readonly history: OperationRecord[] = [];
  readonly posted: string[] = [];
  readonly deadLetters: string[] = [];
  private readonly database = openEphemeralStore();
  readonly store = createSqliteOperationStore(this.database.db);
  private readonly processes = [this.startProcess()];
  private readonly callback: boolean;
  private readonly expiresInMs: number | undefined;
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
    this.callback = callback;
    this.isBusy = isBusy;
    this.expiresInMs = expiresInMs;
  }

  private startProcess(): Process {
    const calls: Call[] = [];
    const call = <T>(act: () => Promise<T>): Promise<T> => {
      const answer = Promise.withResolvers<T>();
      calls.push(async (fate) => {
        try {
          if (fate === 'lost') throw new Error('lost');
          const value = await act();
          if (fate !== 'made') throw new Error('the answer is lost');
          answer.resolve(value);
        } catch (error) {
          answer.reject(error);
        }
      });
      return answer.promise;
    };
    const { store, wakeUps, completions } = this;
    const operations = createOperations({
      store: {
        ...store,
        create: (record, now) => call(() => store.create(record, now)),
        get: (token) => call(() => store.get(token)),
        claim: (token, claim, now) => call(() => store.claim(token, claim, now)),
        update: (read, next) => call(() => store.update(read, next)),
        due: (now, limit) => call(() => store.due(now, limit)),
      },
      taskQueue: {
        send: (_, wakeUp, delayMs) => call(async () => void wakeUps.push({ ...wakeUp, visibleAt: this.now + delayMs })),
        mayHold: () => call(async () => this.isBusy || wakeUps.some(({ visibleAt }) => visibleAt <= this.now)),
        deadLetter: (_, __, reason) => call(async () => void this.deadLetters.push(reason)),
      },
      completionQueue: {
        send: ({ token }, delayMs) => call(async () => void completions.push({ token, visibleAt: this.now + delayMs })),
      },
      clock: { now: () => this.now },
      random: () => this.random,
      cancelInner: () => call(async () => {}),
      logger: recordingLogger().logger,
    });
    return { operations, calls, call };
  }

  private get process(): Process {
    return this.processes.at(-1)!;
  }

  /** Lets one of the calls go that wait. */
  async step(index: number, fate: Fate = 'made'): Promise<void> {
    const { calls } = this.process;
    const [go] = calls.splice(index % Math.max(1, calls.length), 1);
    await go?.(fate);
    await this.look();
  }

  /** Lets all calls go, and those that follow from them. */
  async finish(): Promise<void> {
    await this.look();
    while (this.process.calls.length > 0) await this.step(0);
  }

  /** Lets follow what follows at once, and then looks at the record. */
  private async look(): Promise<void> {
    await setImmediate();
    const [record] = (await this.store.list({}, { limit: 1 })).records;
    if (record && record.version !== this.record?.version) this.history.push(record);
  }

  /** As it is stored; none before the first start was stored. */
  get record(): OperationRecord | undefined {
    return this.history.at(-1);
  }

  /** What was begun goes on as calls go; where it fails, nobody is told but whoever sent the message. */
  private begin(work: Promise<unknown>, again?: () => void): void {
    work.catch(() => again?.());
  }

  start(): void {
    const { callback, expiresInMs } = this;
    const transition = acceptStart(
      {
        principal: 'local',
        endpoint: 'shop',
        namespace: 'default',
        taskQueue: 'shop',
        request: { headers: {}, query: '', body: new Uint8Array() },
        start: {
          kind: 'start',
          service: 's',
          operation: 'o',
          requestId: 'request',
          operationTimeoutMs: expiresInMs,
          headers: {},
          callbackHeaders: {},
          links: [],
          payload: { metadata: {}, data: new Uint8Array() },
          failureSupport: true,
        },
        ...(callback && { callback: { url: 'http://127.0.0.1/callback', headers: {} } }),
        policy: POLICY,
      },
      this.now,
    );
    this.begin(this.process.operations.accept(transition).then(({ token }) => this.tokens.add(token)));
  }

  /** Delivers a message that is visible; `keep` leaves it, to be delivered once more. One that fails comes again. */
  wake(index: number, keep = false): void {
    const message = takeVisible(this.wakeUps, index, this.now, keep);
    if (message === undefined) return;
    const { token, attempt } = message;
    const { call } = this.process;
    const claim = { leaseUntil: this.now + LEASE_MS, invocation: `i${this.runs.length}` };
    const process = this.processes.length;
    const run = async (record: OperationRecord): Promise<AttemptResult> => {
      const own: Run = { process, attempt: record.attempt };
      this.runs.push(own);
      return call(async () => {
        own.result = this.nextResult(this.now);
        return own.result;
      }).catch((): AttemptResult => ({ kind: 'crashed' }));
    };
    this.begin(this.process.operations.wake({ token, attempt }, { claim, run }), () => this.wakeUps.push(message));
  }

  complete(index: number, keep = false): void {
    const message = takeVisible(this.completions, index, this.now, keep);
    if (message === undefined) return;
    const { call } = this.process;
    const post = () =>
      call(async () => {
        const record = await this.store.get(message.token);
        this.posted.push(JSON.stringify(record?.outcome));
        return this.nextCompletion;
      });
    this.begin(this.process.operations.complete(message.token, post), () => this.completions.push(message));
  }

  cancel(): void {
    const { record } = this;
    if (record !== undefined) this.begin(this.process.operations.cancel(record));
  }

  reconcile(): void {
    this.begin(this.process.operations.reconcile(10));
  }

  advance(ms: number): void {
    this.now += ms;
  }

  /** The process is killed, and another one takes over with what is in the store. What was in memory is gone. */
  async restart(): Promise<void> {
    this.wakeUps.length = 0;
    this.completions.length = 0;
    this.processes.push(this.startProcess());
    await this.look();
    if (this.record === undefined) return;
    const { token, state, attempt, completion } = this.record;
    if (state === 'queued') this.wakeUps.push({ token, attempt, visibleAt: this.now });
    if (completion?.state === 'pending') this.completions.push({ token, visibleAt: this.now });
    if (state === 'claimed') this.begin(this.process.operations.interrupted(token));
    await this.finish();
  }

  /** All is well from here on: calls are made, time passes, handlers succeed, callbacks take what they get. */
  async settle(): Promise<void> {
    await this.finish();
    this.nextResult = SUCCESS;
    this.nextCompletion = { kind: 'delivered' };
    for (let round = 0; round < 200 && !this.isSettled; round++) {
      this.advance(20 * 60_000);
      this.reconcile();
      await this.finish();
      for (let count = this.wakeUps.length; count > 0; count--) this.wake(0);
      for (let count = this.completions.length; count > 0; count--) this.complete(0);
      await this.finish();
      const { record } = this;
      if (record?.state !== 'dead-lettered') continue;
      await this.store.update(record, retriedByHand(record, { now: this.now })!.record);
      await this.look();
    }
  }

  get isSettled(): boolean {
    const { record } = this;
    if (record === undefined) return true; // the start was lost before it was stored, and its caller knows
    if (record.state === 'handed-over') return record.cancelForward !== 'pending';
    return record.state === 'ended' && record.completion?.state !== 'pending';
  }

  async close(): Promise<void> {
    for (const { calls } of this.processes) {
      for (let go = calls.pop(); go !== undefined; go = calls.pop()) {
        await go('lost');
        await setImmediate();
      }
    }
    this.database.close();
  }
}

function takeVisible<T extends { readonly visibleAt: number }>(
  messages: T[],
  index: number,
  now: number,
  keep: boolean,
): T | undefined {
  const visible = messages.filter(({ visibleAt }) => visibleAt <= now);
  const message = visible[index % Math.max(1, visible.length)];
  if (message !== undefined && !keep) messages.splice(messages.indexOf(message), 1);
  return message;
}
