import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { CallTarget, cancelOperation } from '../e2e/workflows/callers.ts';
import { startTemporal } from '../toolchain/temporal-server.ts';

const TASK_QUEUE = 'callers';

/** A Temporal server of version 1.32.1, with a worker whose workflows call operations. */
export interface TemporalCallers {
  readonly client: Client;
  /** Adds an endpoint with this target URL. */
  createEndpoint(name: string, url: string): Promise<void>;
  /** Starts a workflow that calls an operation. */
  call(target: CallTarget, input?: unknown): Promise<WorkflowHandle>;
  /** Starts a workflow that calls an operation with each of these inputs, so many at a time. */
  callAll(target: CallTarget, inputs: readonly unknown[], atATime: number): Promise<WorkflowHandle>;
  /** Starts a workflow that calls an operation, and cancels it once it has started. */
  callAndCancel(target: CallTarget, input?: unknown): Promise<WorkflowHandle<typeof cancelOperation>>;
  /** Names of the types of the events in a workflow's history that are about operations. */
  operationEvents(handle: WorkflowHandle): Promise<string[]>;
  /** Tokens of the operations of a workflow that have started, in the order in which it called them. */
  startedTokens(handle: WorkflowHandle): Promise<string[]>;
  /** Ids of the events that scheduled the operations of a workflow, for each that completed. */
  completedOperations(handle: WorkflowHandle): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startTemporalCallers(): Promise<TemporalCallers> {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  const workflowsPath = fileURLToPath(new URL('../e2e/workflows/callers.ts', import.meta.url));
  const [server, workflowBundle] = await Promise.all([
    // What one workflow may have pending, 30 by default.
    startTemporal({ version: 'new', settings: { 'component.nexusoperations.limit.operation.concurrency': 500 } }),
    bundleWorkflowCode({ workflowsPath, logger }),
  ]);
  const nativeConnection = await NativeConnection.connect({ address: server.address });
  const worker = await Worker.create({ connection: nativeConnection, taskQueue: TASK_QUEUE, workflowBundle });
  const running = worker.run();
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection });
  const start = (workflow: string, args: unknown[]) =>
    client.workflow.start(workflow, { taskQueue: TASK_QUEUE, workflowId: `${workflow}-${randomUUID()}`, args });

  return {
    client,
    async createEndpoint(name, url) {
      await connection.operatorService.createNexusEndpoint({ spec: { name, target: { external: { url } } } });
    },
    call: (target, input) => start('callOperation', [target, input]),
    callAll: (target, inputs, atATime) => start('callInTurn', [target, inputs, atATime]),
    async callAndCancel(target, input) {
      const handle = await start('cancelOperation', [target, input, 'WAIT_CANCELLATION_COMPLETED']);
      return client.workflow.getHandle<typeof cancelOperation>(handle.workflowId);
    },
    async operationEvents(handle) {
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap((event) =>
        Object.keys(event).flatMap((name) => /^nexusOperation(\w+)EventAttributes$/.exec(name)?.[1] ?? []),
      );
    },
    async startedTokens(handle) {
      const { events } = await handle.fetchHistory();
      return (events ?? [])
        .flatMap(({ nexusOperationStartedEventAttributes: started }) => started ?? [])
        .sort((one, other) => Number(one.scheduledEventId) - Number(other.scheduledEventId))
        .map(({ operationToken }) => operationToken ?? '');
    },
    async completedOperations(handle) {
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap(({ nexusOperationCompletedEventAttributes: completed }) =>
        completed ? String(completed.scheduledEventId) : [],
      );
    },
    async stop() {
      worker.shutdown();
      await running;
      await Promise.all([connection.close(), nativeConnection.close()]);
      await server.stop();
    },
  };
}
