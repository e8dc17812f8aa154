import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Logger } from '../handler/logger.ts';
import { createCompletionAlarms } from '../operations/completion-alarms.ts';
import { createCompletionPoster } from '../operations/completion-poster.ts';
import { createHandWork } from '../operations/hand-work.ts';
import { createOperations, type Operations, type OperationsDeps } from '../operations/operations.ts';
import { createOutlived } from '../operations/outlived.ts';
import type { OperationFilter, WakeUp } from '../operations/ports.ts';
import type { OperationRecord } from '../operations/record.ts';
import type { AttemptResult } from '../operations/transitions.ts';
import { createDurableDelivery, type DurableDelivery } from '../router/durable-delivery.ts';
import type { EmitFlowEvent } from '../router/flow-event.ts';
import type { Gate } from '../router/gate.ts';
import { createIntake } from '../router/intake.ts';
import { createOperationInvoker, LONGEST_ATTEMPT_MS } from '../router/operation-invoker.ts';
import { createOperationManagement, type OperationManagement } from '../router/operation-management.ts';
import { createOperationPolling, type OperationPolling } from '../router/operation-polling.ts';
import type { Clock, EndpointRegistry, Invoker, LimitStore, Target } from '../router/ports.ts';
import { createPromotion, type Promotion } from '../router/promotion.ts';
import { createDelayedQueue } from './delayed-queue.ts';
import { createOutlivingInvoker } from './outliving-invoker.ts';
import { createSqliteOperationStore, type SqliteOperationStore } from './sqlite-operation-store.ts';
import { watchStore } from './watched-store.ts';

export interface LocalOperationsDeps {
  readonly db: DatabaseSync;
  readonly registry: Pick<EndpointRegistry, 'get'>;
  readonly invoker: Invoker;
  /** Told of promotions, and of attempts that are not let through. */
  readonly emit: EmitFlowEvent;
  /** Keeps the slots of operations that go on past the time of their callers. */
  readonly limits: Pick<LimitStore, 'extendSlot' | 'freeSlot'>;
  /** What lets attempts begin. */
  readonly gate: Gate;
  /** The one that the invoker serves: operations of others wait for a process that serves them. */
  readonly target: Target;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events?: LocalOperationsEvents;
  /** Milliseconds that `close` waits for attempts. Default 30,000: as long as a direct request takes at most. */
  readonly patienceMs?: number;
}

/** What is told of operations as they go on. */
export interface LocalOperationsEvents {
  /** An attempt ended, after so many milliseconds; the record is as that left it. */
  attempted?(record: OperationRecord, ms: number): void;
  /** The callback was called, and the record is as its answer left it. */
  completed?(record: OperationRecord, ms: number): void;
  /** `close` waits for these, and so long at most. */
  waitingFor?(running: readonly OperationRecord[], patienceMs: number): void;
}

/** Operations that wait in the embedded store, and run in this process. */
export interface LocalOperations {
  readonly store: SqliteOperationStore;
  readonly operations: Operations;
  readonly durable: DurableDelivery;
  readonly polling: OperationPolling;
  readonly promotion: Promotion;
  readonly management: OperationManagement;
  /** Goes on with every operation that a process before this one accepted. No attempt is made before `serve`. */
  start(): Promise<void>;
  /**
   * Lets attempts be made from now on: before the invoker serves something, each would only be lost. Returns how many
   * operations were waiting for that.
   */
  serve(): Promise<number>;
  /** Starts no more attempts, and waits for those that run. False where some did not end in time. */
  close(): Promise<boolean>;
}

/** What Temporal has under way at the same time for one endpoint, on one of its hosts. */
const CONCURRENCY = 100;

const RECONCILE_EVERY_MS = 60_000;
const RECONCILED_AT_ONCE = 500;

/** What ends within this time needs no words. */
const WORTH_SAYING_MS = 200;

/** Records are listed whole, with inputs of 2 MiB at most. */
const PAGE = 25;

/** The callbacks of Temporal servers on this machine. */
const LOOPBACK = { allowed: [], loopback: true } as const;

export function createLocalOperations(deps: LocalOperationsDeps): LocalOperations {
  const { db, registry, gate, target, clock, logger, events = {}, patienceMs = 30_000 } = deps;
  const { store, changed } = watchStore(createSqliteOperationStore(db));
  const closing = new AbortController();
  const invoker = createOperationInvoker(deps);
  const post = createCompletionPoster({ callbacks: LOOPBACK });
  const alarm = createCompletionAlarms({ logger, clock });
  const onError = (error: unknown) => logger.warn('a message is handled again', { error });
  const keyOf = ({ token, attempt }: WakeUp) => `${token} ${attempt}`;
  const wakeUps = createDelayedQueue<WakeUp>({ handle: wake, keyOf, concurrency: CONCURRENCY, onError });
  const suspectWakeUps = createDelayedQueue<WakeUp>({ handle: wake, keyOf, concurrency: 1, onError });
  const completions = createDelayedQueue<string>({
    ...{ handle: complete, keyOf: (token) => token },
    ...{ concurrency: CONCURRENCY, onError },
  });
  const running = new Map<string, OperationRecord>();
  /**
   * Whose last attempt ended with its environment. All that ran in it are among them, whichever was to blame: one by one,
   * none is blamed for another a second time.
   */
  const suspects = new Set<string>();
  let serving = false;
  let timer: NodeJS.Timeout | undefined;
  let reconciling: Promise<unknown> = Promise.resolve();

  const operationsDeps = {
    store,
    taskQueue: {
      async send(record, wakeUp, delayMs) {
        if (!serving || !isOurs(record)) return; // it waits in the store as well
        (suspects.has(wakeUp.token) ? suspectWakeUps : wakeUps).send(wakeUp, delayMs);
      },
      mayHold: async (_record, wakeUp) => wakeUps.holds(keyOf(wakeUp)) || suspectWakeUps.holds(keyOf(wakeUp)),
      async deadLetter({ endpoint }, { token }, reason) {
        logger.error(`an operation crashed too often, and waits for "nexus-lambda operation redrive ${token}"`, {
          endpoint,
          reason,
        });
      },
    },
    completionQueue: { send: async ({ token }, delayMs) => completions.send(token, delayMs) },
    clock,
    random: Math.random,
    cancelInner: invoker.cancel,
    logger,
  } satisfies OperationsDeps;
  const ordinary = createOperations(operationsDeps);
  const outliving = createOutlivingInvoker({
    ...{ invoker: deps.invoker, outlived: createOutlived(operationsDeps), limits: deps.limits, clock, logger },
    ended: ({ token }, result) => noteCrash(token, result),
    settled: (record, ms) => events.attempted?.(record, ms),
  });
  const operations: Operations = {
    ...ordinary,
    async cancel(record) {
      await ordinary.cancel(record);
      outliving.cancel(record.token);
    },
  };
  const intake = createIntake({
    ...{ gate, operations, clock, random: Math.random, emit: deps.emit },
    endpointOf: (name) => registry.get(name),
  });

  function isOurs({ namespace, taskQueue }: Target): boolean {
    return namespace === target.namespace && taskQueue === target.taskQueue;
  }

  async function wake(message: WakeUp): Promise<void> {
    const startedAt = performance.now();
    const known = await store.get(message.token);
    if (known === undefined) return;
    const { endpoint, principal } = known;
    const leaseMs = LONGEST_ATTEMPT_MS;
    const record = await intake.take({ ...message, endpoint, principal, leaseMs }, ({ began, ended }) =>
      operations.wake(message, {
        claim: { leaseUntil: clock.now() + leaseMs, invocation: randomUUID() },
        async run(attempted, canceled) {
          await began(attempted);
          const result = await run(attempted, canceled);
          ended(result, canceled);
          return result;
        },
      }),
    );
    if (record !== undefined) events.attempted?.(record, performance.now() - startedAt);
  }

  async function run(record: OperationRecord, canceled: AbortSignal): Promise<AttemptResult> {
    const { token } = record;
    running.set(token, record);
    const result = await invoker.attempt(record, canceled);
    running.delete(token);
    noteCrash(token, result);
    return result;
  }

  function noteCrash(token: string, { kind }: AttemptResult): void {
    if (kind === 'crashed') suspects.add(token);
    else suspects.delete(token);
  }

  async function complete(token: string): Promise<void> {
    const startedAt = performance.now();
    const read = await store.get(token);
    if (read === undefined) return;
    const record = await operations.complete(read, async (...request) => {
      const result = await post(...request);
      alarm(read, result);
      return result;
    });
    if (record !== undefined) events.completed?.(record, performance.now() - startedAt);
  }

  /** What is needed of each record: of the one that was accepted first before the others. */
  async function listed<T>(filter: OperationFilter, pick: (record: OperationRecord) => T): Promise<T[]> {
    const picked: T[] = [];
    let from: string | undefined;
    do {
      const page = await store.list(filter, { limit: PAGE, ...(from !== undefined && { from }) });
      picked.push(...page.records.map(pick));
      from = page.next;
    } while (from !== undefined);
    return picked.reverse();
  }

  async function reconcile(): Promise<void> {
    await operations.reconcile(RECONCILED_AT_ONCE);
    await store.forget(clock.now(), RECONCILED_AT_ONCE);
  }

  return {
    store,
    operations,
    durable: createDurableDelivery({
      ...{ operations, store, clock, random: Math.random },
      callbacksOf: () => LOOPBACK,
      hasQueue: () => true,
    }),
    polling: createOperationPolling({ store, clock, changed, closing: closing.signal }),
    promotion: createPromotion({
      ...{ invoker: outliving, clock, callbacksOf: () => LOOPBACK },
      load: async () => operations,
      emit: deps.emit,
    }),
    management: createOperationManagement({
      ...{ store, operations, handWork: createHandWork(operationsDeps), clock, endpointOf: registry.get },
    }),
    async start() {
      // Nobody else runs anything of this store: what was running has ended with the process before.
      const interrupted = await listed({ state: 'claimed' }, ({ token }) => token);
      // Before those of operations that end now, which are sent as they end.
      const unsent = await listed({ completion: 'pending' }, ({ token, completion }) => ({
        token,
        waitMs: (completion?.nextAttemptAt ?? 0) - clock.now(),
      }));
      for (const { token, waitMs } of unsent) completions.send(token, waitMs);
      for (const token of interrupted) await operations.interrupted(token);
      timer = setInterval(() => {
        reconciling = reconciling.then(reconcile).catch(onError);
      }, RECONCILE_EVERY_MS);
      timer.unref();
    },
    async serve() {
      if (serving) return 0;
      serving = true;
      const queued = await listed({ state: 'queued' }, ({ token, attempt, nextAttemptAt, namespace, taskQueue }) => ({
        wakeUp: { token, attempt },
        waitMs: nextAttemptAt - clock.now(),
        isOurs: isOurs({ namespace, taskQueue }),
      }));
      const ours = queued.filter((one) => one.isOurs);
      for (const { wakeUp, waitMs } of ours) wakeUps.send(wakeUp, waitMs);
      return ours.length;
    },
    async close() {
      closing.abort();
      clearInterval(timer);
      const ended = Promise.all([wakeUps.close(), suspectWakeUps.close(), outliving.idle()]).then(() => true);
      if (!(await Promise.race([ended, after(WORTH_SAYING_MS)]))) {
        events.waitingFor?.([...running.values(), ...outliving.running.values()], patienceMs);
      }
      const inTime = await Promise.race([ended, after(patienceMs)]);
      await Promise.all([completions.close(), reconciling]);
      return inTime;
    },
  };
}

function after(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false).unref());
}
