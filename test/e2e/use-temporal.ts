import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { DataConverter, NexusOperationFailure } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { afterAll, inject } from 'vitest';
import type { CallTarget } from './workflows/callers.ts';
import { callerQueues, type ServerVersion, type TemporalWorld } from './world.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;

/** How long `expect.poll` asks a server: long enough for a busy machine, as nothing that works takes it. */
export const patience = { timeout: 30_000, interval: 50 } as const;

/** The Temporal server of one version as the tests of one file use it. */
export interface TemporalUnderTest {
  readonly world: TemporalWorld;
  readonly client: Client;
  /** An endpoint of its own for one test: Temporal's circuit breaker counts failures by endpoint. */
  createEndpoint(url: string): Promise<string>;
  /** Starts a caller workflow that calls an operation with an input. */
  call(target: CallTarget, ...input: [] | [unknown]): Promise<WorkflowHandle>;
  /** The result that the caller workflow of `call` gets. */
  resultOf(target: CallTarget, ...input: [] | [unknown]): Promise<unknown>;
  /** The failure that the caller workflow of `call` gets. */
  failureOf(target: CallTarget, ...input: [] | [unknown]): Promise<NexusOperationFailure>;
  /** Events of a workflow that have these attributes. */
  eventsOf<A extends keyof HistoryEvent>(workflowId: string, attributes: A): Promise<EventWith<A>[]>;
}

export interface EventWith<A extends keyof HistoryEvent> {
  readonly eventId: number;
  readonly attributes: NonNullable<HistoryEvent[A]>;
  readonly links: readonly temporal.api.common.v1.ILink[];
}

export interface UseTemporalOptions {
  /** Which workers run the callers. Default `plain`. */
  readonly callers?: keyof typeof callerQueues;
  /** Data converter of the client. */
  readonly dataConverter?: DataConverter;
}

/** Connects to a server for the tests of one `describe`. */
export function useTemporal(version: ServerVersion, options: UseTemporalOptions = {}): TemporalUnderTest {
  const world = inject('world').servers[version];
  const connection = Connection.lazy({ address: world.address });
  const { dataConverter } = options;
  const client = new Client({ connection, ...(dataConverter === undefined ? {} : { dataConverter }) });
  const taskQueue = callerQueues[options.callers ?? 'plain'];
  afterAll(() => connection.close());

  const call: TemporalUnderTest['call'] = (target, ...input) =>
    client.workflow.start('callOperation', { taskQueue, workflowId: `call-${randomUUID()}`, args: [target, ...input] });
  return {
    world,
    client,
    call,
    async createEndpoint(url) {
      const name = `e-${randomUUID()}`;
      await connection.operatorService.createNexusEndpoint({ spec: { name, target: { external: { url } } } });
      return name;
    },
    resultOf: async (target, ...input) => (await call(target, ...input)).result(),
    async failureOf(target, ...input) {
      const handle = await call(target, ...input);
      return handle.result().then(
        (result) => Promise.reject(new Error(`the operation succeeded, with ${JSON.stringify(result)}`)),
        (error: { cause: NexusOperationFailure }) => error.cause,
      );
    },
    async eventsOf(workflowId, attributes) {
      const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
      return (events ?? []).flatMap((event) => {
        const found = event[attributes];
        if (found === null || found === undefined) return [];
        return [{ eventId: Number(event.eventId), attributes: found, links: event.links ?? [] }];
      });
    },
  };
}
