import { setImmediate } from 'node:timers/promises';
import type { LambdaHttpResult, NexusInvocation } from '../../src/handler/invocation.ts';
import { toLambdaResult } from '../../src/handler/lambda-event.ts';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { formatFailureResponse, formatStartResponse } from '../../src/nexus/response.ts';
import { retriedByHand } from '../../src/operations/asked-transitions.ts';
import { attemptResultOf } from '../../src/operations/attempt-result.ts';
import { recordOf } from '../../src/operations/draft.ts';
import { createOperations, type OperationsDeps } from '../../src/operations/operations.ts';
import { createOutlived } from '../../src/operations/outlived.ts';
import type { OperationStore, WakeUp } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { InvokeError } from '../../src/router/errors.ts';
import { formatTold } from '../../src/router/format-told.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { createPromotion } from '../../src/router/promotion.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

const ENDPOINT: Endpoint = {
  name: 'shop',
  target: { namespace: 'default', taskQueue: 'shop' },
  services: [],
  promotable: ['s/o'],
  settings: { poisonAttempts: 3 },
  version: 1,
  createdAt: 0,
  lastModifiedAt: 0,
};

/** What a run of the handler comes to, by its number: no two runs come to the same. */
export const ANSWERS = {
  succeeds: (run) => formatStartResponse({ kind: 'sync', payload: json(`run ${run}`), links: [] }),
  fails: (run) => formatFailureResponse({ message: `run ${run}` }, { failureSupport: true, operationState: 'failed' }),
  'wants no other': (run) => handlerError('BAD_REQUEST', run),
  'wants another': (run) => handlerError('UNAVAILABLE', run),
  'hands over': (run) => formatStartResponse({ kind: 'async', token: `inner-${run}`, links: [] }),
} as const satisfies Record<string, (run: number) => NexusHttpResponse>;

export type AnswerName = keyof typeof ANSWERS;

/** What becomes of a call that leaves its process: it is made, lost before it was made, or its answer is lost. */
export type Fate = 'made' | 'lost' | 'made, answer lost';

/** Something that runs, and can die. */
interface Process {
  dead: boolean;
}

interface Call {
  readonly by: Process;
  readonly go: (fate: Fate) => Promise<void>;
}

/** One request to the router, and the run of the handler that it began. */
export interface Request {
  readonly router: Process;
  readonly handler: Process;
  readonly run: number;
  invocation?: NexusInvocation;
  /** Of the invoke. */
  readonly waiting: PromiseWithResolvers<LambdaHttpResult>;
  state: 'runs' | 'ended early' | 'ended late';
  /** Whether its router still waited for the answer of a handler that ended before its cut-off. */
  inTime: boolean;
  /** The promoted record, where a look found it. */
  seen?: OperationRecord;
  /** Whether the router has stopped waiting. */
  over: boolean;
  /** Whether the handler could not write what came of it. */
  unkept: boolean;
  answer?: NexusHttpResponse;
  failed?: unknown;
  storeCalls: number;
}

/**
 * The router and the handlers of one operation over a real SQLite store, with the code that they run. Each call to the store
 * waits until the test lets it go, in whatever order, and may fail; each process may die at any of them.
 */
export class SimulatedPromotion {
  now = Date.UTC(2026, 0, 1);
  readonly requests: Request[] = [];
  readonly calls: Call[] = [];
  readonly wakeUps: (WakeUp & { readonly visibleAt: number })[] = [];
  readonly completions: string[] = [];
  /** What was sent to the callback. */
  readonly posted: string[] = [];
  /** Versions of the record as they were seen. */
  readonly history: OperationRecord[] = [];
  private runs = 0;
  private readonly database = openEphemeralStore();
  private readonly store = createSqliteOperationStore(this.database.db);
  /** Whatever runs attempts, reconciles and delivers completions: its calls are made at once. */
  private readonly operations = createOperations(this.depsOf(this.store));
  private readonly callback: boolean;

  constructor({ callback }: { readonly callback: boolean }) {
    this.callback = callback;
  }

  private depsOf(store: OperationStore): OperationsDeps {
    return {
      store,
      taskQueue: {
        send: async (_, wakeUp, delayMs) => void this.wakeUps.push({ ...wakeUp, visibleAt: this.now + delayMs }),
        mayHold: async () => this.wakeUps.length > 0,
        deadLetter: async () => {},
      },
      completionQueue: { send: async ({ token }) => void this.completions.push(token) },
      clock: { now: () => this.now },
      random: () => 0.5,
      cancelInner: async () => {},
      logger: recordingLogger().logger,
    };
  }

  /** The store as a process of this request sees it. */
  private storeOf(by: Process, request: () => Request): OperationStore {
    const { store } = this;
    const call = <T>(act: () => Promise<T>): Promise<T> => {
      request().storeCalls++;
      const answer = Promise.withResolvers<T>();
      const go = async (fate: Fate) => {
        try {
          if (fate === 'lost') throw new Error('lost');
          const value = await act();
          if (fate !== 'made') throw new Error('the answer is lost');
          answer.resolve(value);
        } catch (error) {
          answer.reject(error);
        }
      };
      if (!by.dead) this.calls.push({ by, go });
      return answer.promise;
    };
    return {
      ...store,
      create: (record, now) => call(() => store.create(record, now)),
      get: (token) => call(() => store.get(token)),
      update: (read, next) => call(() => store.update(read, next)),
    };
  }

  /** A start, or the same once more: its caller heard nothing, or not enough. */
  request(): void {
    const router: Process = { dead: false };
    const handler: Process = { dead: false };
    const request: Request = {
      ...{ router, handler, run: ++this.runs, state: 'runs', inTime: false, over: false, unkept: false, storeCalls: 0 },
      waiting: Promise.withResolvers(),
    };
    request.waiting.promise.catch(() => {});
    this.requests.push(request);
    const { accept } = createOperations(this.depsOf(this.storeOf(router, () => request)));
    const promotion = createPromotion({
      invoker: {
        invoke: async (_, invocation) => {
          request.invocation = invocation;
          return request.waiting.promise;
        },
      },
      load: async () => ({ accept }),
      clock: { now: () => this.now },
      callbacksOf: () => ({ allowed: [], loopback: true }),
      emit: () => {},
    });
    const headers = { 'nexus-request-id': 'r', 'temporal-nexus-failure-support': 'true', prefer: 'respond-async' };
    const query = this.callback ? 'callback=http%3A%2F%2F127.0.0.1%2F' : '';
    const http = { method: 'POST', path: '/s/o', query, headers, body: new Uint8Array() };
    const invocation: NexusInvocation = {
      ...{ nexusInvocation: 1, endpoint: 'shop', principal: 'local', timeoutMs: 10_000 },
      request: { ...http, body: '' },
    };
    const delivery = { request: http, caller: { principal: 'local' }, invocation, waitMs: 10_000 };
    promotion.deliver(ENDPOINT, delivery)?.then(
      (delivered) => {
        if (!router.dead && delivered) request.answer = delivered.response;
      },
      (error: unknown) => {
        if (!router.dead) request.failed = error;
      },
    );
  }

  /** The router's time is over, or its connection to the handler broke: the handler goes on. */
  stopWaiting(index: number, goesOn: boolean): void {
    const request = pick(
      this.requests.filter(({ over }) => !over),
      index,
    );
    if (request === undefined) return;
    request.over = true;
    const reason = goesOn ? 'timeout' : 'unreachable';
    request.waiting.reject(new InvokeError(reason, reason, { goesOn }));
  }

  /** A handler ends, before its cut-off or after. Its answer is lost on its way where the router waits no more. */
  end(index: number, name: AnswerName, late: boolean): void {
    const running = this.requests.filter(({ state, handler }) => state === 'runs' && !handler.dead);
    const request = pick(running, index);
    if (request?.invocation === undefined) return;
    const own = ANSWERS[name](request.run);
    request.state = late ? 'ended late' : 'ended early';
    const answered = (answer: NexusHttpResponse) => {
      if (request.handler.dead) return;
      request.over = true;
      request.waiting.resolve(toLambdaResult(answer));
    };
    if (!late) {
      request.inTime = !request.over;
      answered(own);
      return;
    }
    const accepted = recordOf(request.invocation);
    const { settle } = createOutlived(this.depsOf(this.storeOf(request.handler, () => request)));
    settle(accepted, attemptResultOf(own, this.now), request.seen).then(
      ({ told }) => answered(told === undefined ? own : formatTold(told, { headers: SUPPORT }, undefined)),
      () => {
        request.unkept = true;
        answered(own);
      },
    );
  }

  /** The invocation of a handler that was promoted says where it runs. */
  look(index: number): void {
    const running = this.requests.filter(({ state, handler, over }) => state === 'runs' && over && !handler.dead);
    const request = pick(running, index);
    if (request?.invocation === undefined) return;
    const { look } = createOutlived(this.depsOf(this.storeOf(request.handler, () => request)));
    const claim = { leaseUntil: this.now + 60_000, invocation: `invocation ${request.run}` };
    look(recordOf(request.invocation), claim).then(
      (seen) => {
        if (seen !== undefined) request.seen = seen;
      },
      () => {}, // another look follows
    );
  }

  kill(index: number, who: 'router' | 'handler'): void {
    const request = pick(this.requests, index);
    if (request === undefined) return;
    const process = request[who];
    process.dead = true;
    this.calls.splice(0, this.calls.length, ...this.calls.filter(({ by }) => by !== process));
    // Lambda answers an invoke whose function ended, and nobody may be left to hear it.
    if (who === 'handler') request.waiting.reject(new InvokeError('crashed', 'crashed'));
    if (who === 'handler') request.over = true;
  }

  /** Lets one of the calls go that wait. */
  async step(index: number, fate: Fate = 'made'): Promise<void> {
    const call = pick(this.calls, index);
    if (call !== undefined) {
      this.calls.splice(this.calls.indexOf(call), 1);
      await call.go(fate);
    }
    await this.observe();
  }

  /** Lets follow what follows at once, and then looks at the record. */
  async observe(): Promise<void> {
    await setImmediate();
    const { records } = await this.store.list({}, { limit: 2 });
    const [record] = records;
    if (record && record.version !== this.record?.version) this.history.push(record);
  }

  /** As it is stored. */
  get record(): OperationRecord | undefined {
    return this.history.at(-1);
  }

  async cancel(): Promise<void> {
    await this.observe();
    if (this.record?.promotedAt !== undefined) await this.operations.cancel(this.record);
    await this.observe();
  }

  async reconcile(): Promise<void> {
    await this.operations.reconcile(10);
    await this.observe();
  }

  /** Delivers a message of the queue, whose attempt ends so. */
  async wake(index: number, name: AnswerName): Promise<void> {
    const message = pick(
      this.wakeUps.filter(({ visibleAt }) => visibleAt <= this.now),
      index,
    );
    if (message === undefined) return;
    this.wakeUps.splice(this.wakeUps.indexOf(message), 1);
    const claim = { leaseUntil: this.now + 60_000, invocation: 'queue' };
    const run = async () => attemptResultOf(ANSWERS[name](++this.runs), this.now);
    await this.operations.wake(message, { claim, run });
    await this.observe();
  }

  async complete(): Promise<void> {
    const token = this.completions.shift();
    if (token === undefined) return;
    await this.operations.complete(token, async () => {
      await this.observe();
      this.posted.push(contentOf(this.record!)!);
      return { kind: 'delivered' };
    });
    await this.observe();
  }

  private async finish(): Promise<void> {
    await this.observe();
    while (this.calls.length > 0) await this.step(0);
  }

  /** All is well from here on: calls are made, routers give up, handlers that still run die, time passes. */
  async settle(): Promise<void> {
    await this.finish();
    for (const _ of this.requests) this.stopWaiting(0, true);
    await this.finish();
    for (let round = 0; round < 100 && !this.isSettled; round++) {
      this.now += 20 * 60_000;
      await this.reconcile();
      while (this.wakeUps.some(({ visibleAt }) => visibleAt <= this.now)) await this.wake(0, 'succeeds');
      while (this.completions.length > 0) await this.complete();
      const { record } = this;
      if (record?.state !== 'dead-lettered') continue;
      await this.store.update(record, retriedByHand(record, { now: this.now })!.record);
      await this.observe();
    }
  }

  get isSettled(): boolean {
    const { record } = this;
    if (record === undefined) return true;
    if (record.state === 'handed-over') return record.cancelForward !== 'pending';
    return record.state === 'ended' && record.completion?.state !== 'pending';
  }

  async count(): Promise<number> {
    return (await this.store.list({}, { limit: 10 })).records.length;
  }

  close(): void {
    this.database.close();
  }
}

const SUPPORT = { 'temporal-nexus-failure-support': 'true' };

/** What a caller learns from an outcome; `undefined` where there is none. */
export function contentOf({ outcome }: Pick<OperationRecord, 'outcome'>): string | undefined {
  if (outcome === undefined) return undefined;
  const { data = '' } = outcome.state === 'succeeded' ? outcome.payload : {};
  return outcome.state === 'succeeded'
    ? `succeeded ${Buffer.from(data, 'base64')}`
    : `${outcome.state} ${outcome.failure.message}`;
}

/** What a caller makes of an answer. */
export function heardIn(answer: NexusHttpResponse): { outcome?: string; token?: string; again?: true } {
  const result = attemptResultOf(answer, 0);
  switch (result.kind) {
    case 'ended':
      return { outcome: contentOf(result)! };
    case 'handed-over':
      return { token: result.token };
    case 'failed':
      return result.retryable ? { again: true } : { outcome: `failed ${result.message}` };
    case 'crashed':
      return { again: true };
  }
}

function pick<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(1, items.length)];
}

function json(text: string) {
  const encode = (value: string) => new TextEncoder().encode(value);
  return { metadata: { encoding: encode('json/plain') }, data: encode(JSON.stringify(text)) };
}

function handlerError(type: 'BAD_REQUEST' | 'UNAVAILABLE', run: number): NexusHttpResponse {
  return formatFailureResponse(
    { message: `run ${run}`, nexusHandlerFailureInfo: { type } },
    { failureSupport: true, fromHandler: true },
  );
}
