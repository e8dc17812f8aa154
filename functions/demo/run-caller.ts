import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { callGreeting } from './workflows.ts';

export interface CallerRun {
  readonly result: Awaited<ReturnType<typeof callGreeting>>;
  /** Paths in Temporal's web UI: of the caller, and of the workflow that the handler started. */
  readonly uiPaths: readonly string[];
}

/** The demo's worker: it runs workflows only, there is no Nexus worker anywhere. */
export interface DemoWorker {
  readonly client: Client;
  runCaller(name: string): Promise<CallerRun>;
  stop(): Promise<void>;
}

const TASK_QUEUE = 'greeting';

/** Keeps what workers log of their comings and goings off the terminal. Once in a process, before its first worker. */
export function quietWorkers(): void {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}

/** Connects to a Temporal server and starts to run the sample's workflows. Takes some seconds: they are bundled first. */
export async function startDemoWorker(address: string): Promise<DemoWorker> {
  const logger = new DefaultLogger('ERROR');
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
    logger,
  });
  const workerConnection = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection: workerConnection, taskQueue: TASK_QUEUE, workflowBundle });
  const running = worker.run();
  const client = new Client({ connection: await Connection.connect({ address }) });
  return {
    client,
    async runCaller(name) {
      const handle = await client.workflow.start<typeof callGreeting>('callGreeting', {
        args: [name],
        taskQueue: TASK_QUEUE,
        workflowId: `call-greeting-${randomUUID()}`,
      });
      const result = await handle.result();
      const { events } = await handle.fetchHistory();
      const linked = (events ?? [])
        .flatMap(({ links }) => links ?? [])
        .flatMap(({ workflowEvent }) => workflowEvent ?? []);
      const pages = [{ workflowId: handle.workflowId, runId: handle.firstExecutionRunId }, ...linked];
      return {
        result,
        uiPaths: pages.map(
          ({ workflowId, runId }) =>
            `/namespaces/default/workflows/${encodeURIComponent(workflowId ?? '')}/${runId}/history`,
        ),
      };
    },
    async stop() {
      worker.shutdown();
      await running;
      await client.connection.close();
      await workerConnection.close();
    },
  };
}

/** Points an external Nexus endpoint of the Temporal server at a base URL, made or moved as needed. */
export async function pointEndpoint(client: Client, name: string, targetUrl: string): Promise<void> {
  const { operatorService } = client.connection as Connection;
  const spec = { name, target: { external: { url: targetUrl } } };
  const { endpoints } = await operatorService.listNexusEndpoints({ name });
  const [endpoint] = endpoints ?? [];
  if (!endpoint) await operatorService.createNexusEndpoint({ spec });
  else await operatorService.updateNexusEndpoint({ id: endpoint.id ?? null, version: endpoint.version ?? null, spec });
}
