import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { createSqliteOperationStore } from '../../src/local/sqlite-operation-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { createOperations } from '../../src/operations/operations.ts';
import type { WakeUp } from '../../src/operations/ports.ts';
import type { AttemptResult } from '../../src/operations/transitions.ts';
import { createCircuitGate } from '../../src/router/circuit-gate.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { createIntake, type Intake } from '../../src/router/intake.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';
import { newRecord } from '../contract/operation-records.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

/** Longer than what a streak must have lasted, and a probe's lease. */
const LEASE_MS = 120_000;

/** An environment writes a failure once a second: so each of them. */
const ATTEMPT_MS = 1_100;

const RESULTS = {
  succeeds: (at) => ({ kind: 'ended', outcome: { state: 'succeeded', payload: {}, links: [], at } }),
  fails: () => ({ kind: 'failed', retryable: true, message: 'no disk', failure: { message: 'no disk' } }),
} as const satisfies Record<string, (at: number) => AttemptResult>;

type End = keyof typeof RESULTS | 'crashes';

/**
 * Queued operations of one endpoint, on real stores, as they run on Lambda: each attempt may be in another environment, and
 * one that crashes takes its environment along, so that nobody says how it ended.
 */
class Queue {
  readonly clock = new ManualClock();
  readonly events: FlowEvent[] = [];
  private readonly database = openEphemeralStore();
  private readonly registry = createSqliteEndpointRegistry(this.database.db, this.clock);
  private readonly circuits = createSqliteCircuitStore(this.database.db);
  private readonly store = createSqliteOperationStore(this.database.db);
  private readonly wakeUps = new Map<string, WakeUp & { readonly visibleAt: number }>();
  private readonly operations = createOperations({
    store: this.store,
    taskQueue: {
      send: async (_, wakeUp, delayMs) =>
        void this.wakeUps.set(wakeUp.token, { ...wakeUp, visibleAt: this.clock.nowMs + delayMs }),
      mayHold: async () => false,
      deadLetter: async () => {},
    },
    completionQueue: { send: async () => {} },
    clock: this.clock,
    random: () => 0.5,
    cancelInner: async () => {},
    logger: recordingLogger().logger,
  });
  private environment = this.createEnvironment();
  private ids = 0;

  static async open(settings: EndpointSettings): Promise<Queue> {
    const queue = new Queue();
    await queue.registry.create({ name: 'shop', target: { namespace: 'n', taskQueue: 't' }, services: [], settings });
    return queue;
  }

  newEnvironment(): void {
    this.environment = this.createEnvironment();
  }

  private createEnvironment(): Intake {
    const gate = createCircuitGate({
      store: this.circuits,
      clock: this.clock,
      emit: (event) => void this.events.push(event),
      newId: () => `probe-${this.ids++}`,
      onUnwritten: () => {},
    });
    const endpointOf = (name: string) => this.registry.get(name);
    return createIntake({
      gate,
      endpointOf,
      operations: this.operations,
      clock: this.clock,
      random: () => 0,
      emit: () => {},
    });
  }

  async accept(): Promise<string> {
    const policy = { initialMs: 1_000, maxMs: 1_000, poisonAttempts: 1_000 };
    const record = newRecord({ policy, acceptedAt: this.clock.nowMs });
    await this.operations.accept({ record, effects: [{ kind: 'wake', attempt: 1, delayMs: 0 }] });
    return record.token;
  }

  /** What the wake-up of this operation comes to, once it is due. */
  async attempt(token: string, end: End): Promise<End | 'waits'> {
    const message = this.wakeUps.get(token)!;
    this.clock.nowMs = Math.max(this.clock.nowMs, message.visibleAt);
    const since = this.clock.nowMs;
    const claim = { leaseUntil: since + LEASE_MS, since, invocation: 'i' };
    const crashed = Promise.withResolvers<void>();
    let ran = false;
    const taken = this.environment.take(
      { ...message, endpoint: 'shop', principal: 'local', leaseMs: LEASE_MS },
      ({ began, ended }) =>
        this.operations.wake(message, {
          claim,
          run: async (record, canceled) => {
            ran = true;
            await began(record);
            if (end === 'crashes') {
              crashed.resolve();
              return new Promise<never>(() => {}); // nothing comes back from there
            }
            this.clock.nowMs += ATTEMPT_MS;
            const result = RESULTS[end](this.clock.nowMs);
            ended(result, canceled);
            return result;
          },
        }),
    );
    await Promise.race([taken, crashed.promise]);
    if (end === 'crashes' && ran) this.newEnvironment();
    return ran ? end : 'waits';
  }

  /** A crash is found once its lease is over, by whoever looks after what is due. */
  async find(): Promise<void> {
    this.clock.nowMs += LEASE_MS + 10_000;
    await this.operations.reconcile(10);
  }

  get circuit() {
    return this.registry.get('shop').then((endpoint) => endpoint?.circuit);
  }

  close(): void {
    this.database.close();
  }
}

describe('a crash that nobody saw', () => {
  it('counts once, with the attempt after it: a handler that always crashes opens its circuit with the fifth', async () => {
    const queue = await Queue.open({});
    const token = await queue.accept();
    for (let crash = 1; crash <= 5; crash++) {
      expect(await queue.circuit).not.toMatchObject({ status: 'open' });
      expect(await queue.attempt(token, 'crashes')).toBe('crashes');
      await queue.find();
    }
    expect(await queue.circuit).toMatchObject({ status: 'closed', streak: 4 });
    await queue.attempt(token, 'crashes');
    expect(await queue.circuit).toMatchObject({
      ...{ status: 'open', streak: 5 },
      lastFailure: { message: expect.stringMatching(/^attempt 5 never ended: its environment crashed/) },
    });
    expect(queue.events).toMatchObject([{ kind: 'circuit-changed', from: 'closed', to: 'open' }]);
    await queue.find();
    queue.close();
  });

  it('of a probe is no failure of the circuit, which frees it by its lease: neither while it is open nor once it is closed', async () => {
    const queue = await Queue.open({ circuitFailures: 1 });
    const [first, second] = [await queue.accept(), await queue.accept()];
    await queue.attempt(first, 'fails');
    const opened = await queue.circuit;
    expect(opened).toMatchObject({ status: 'open', streak: 1, lastFailure: { message: 'no disk' } });
    queue.clock.nowMs += 60_000;
    expect(await queue.attempt(first, 'crashes')).toBe('crashes');
    queue.clock.nowMs += 60_000;
    expect(await queue.attempt(second, 'succeeds')).toBe('succeeds');
    const closed = await queue.circuit;
    expect(closed).toMatchObject({ status: 'closed', streak: 0 });
    await queue.find();
    expect(await queue.attempt(first, 'succeeds')).toBe('succeeds');
    expect(await queue.circuit).toEqual(closed);
    queue.close();
  });

  it('is not counted again by the next probe', async () => {
    const queue = await Queue.open({ circuitFailures: 1 });
    const token = await queue.accept();
    await queue.attempt(token, 'fails');
    queue.clock.nowMs += 60_000;
    await queue.attempt(token, 'crashes');
    await queue.find();
    await queue.attempt(token, 'crashes');
    expect(await queue.circuit).toMatchObject({ status: 'open', streak: 1, lastFailure: { message: 'no disk' } });
    queue.close();
  });

  it('is as any failure in a row: the circuit opens with the last of so many, and with no other', async () => {
    const ends = fc.constantFrom<End>('crashes', 'crashes', 'fails', 'succeeds');
    const arbitrary = fc.record({
      circuitFailures: fc.integer({ min: 1, max: 6 }),
      attempts: fc.array(fc.record({ ends, operation: fc.nat(2), newEnvironment: fc.boolean() }), { maxLength: 25 }),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ circuitFailures, attempts }) => {
        const queue = await Queue.open({ circuitFailures });
        const tokens = [await queue.accept(), await queue.accept(), await queue.accept()];
        /** When the last attempt of an operation began that crashed. */
        const crashed = new Map<string, number>();
        /** Failures since the last success that is known. */
        let row = 0;
        /** Of the last success that ended a row, which all know, or that the environment had itself. */
        let succeededAt = Number.NEGATIVE_INFINITY;
        let endedRowAt = Number.NEGATIVE_INFINITY;
        for (const { ends: end, operation, newEnvironment } of attempts) {
          const token = tokens[operation]!;
          if (newEnvironment) {
            queue.newEnvironment();
            succeededAt = endedRowAt;
          }
          const before = crashed.get(token);
          crashed.delete(token);
          if (before !== undefined && before > succeededAt) row++;
          const opens = row === circuitFailures;
          expect(await queue.attempt(token, end)).toBe(end);
          if (end === 'crashes') {
            crashed.set(token, queue.clock.nowMs);
            succeededAt = endedRowAt;
          }
          if (end === 'fails') row++;
          if (end === 'succeeds') {
            tokens[operation] = await queue.accept();
            succeededAt = queue.clock.nowMs;
            if (row > 0) endedRowAt = succeededAt;
            if (!opens) row = 0;
          }
          const circuit = await queue.circuit;
          expect(circuit?.status ?? 'closed').toBe(row >= circuitFailures ? 'open' : 'closed');
          if (row >= circuitFailures) break;
          await queue.find();
        }
        queue.close();
      }),
      { numRuns: 100 },
    );
  });
});
