import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import { encryptionCodec } from './converters/encryption-codec.ts';
import { callerQueues } from './world.ts';

/** Workflow code, bundled once for the workers of all servers. */
export interface WorkflowBundles {
  readonly plain: WorkflowBundle;
  readonly encrypting: WorkflowBundle;
  readonly protobuf: WorkflowBundle;
}

/** Ordinary workers of workflows, in this process. None of them serves Nexus. */
export interface WorkflowWorkers {
  stop(): Promise<void>;
}

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const encryptingPath = pathOf('converters/encrypting-failures.ts');
const protobufPath = pathOf('converters/protobuf-payloads.ts');

/** Bundles the workflows; converters that workflow code itself runs are part of the bundle. */
export async function bundleWorkflows(): Promise<WorkflowBundles> {
  // Workflows that fail are what is tested here.
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  const workflowsPath = pathOf('workflows/index.ts');
  const bundle = (options: { failureConverterPath?: string; payloadConverterPath?: string }) =>
    bundleWorkflowCode({ workflowsPath, logger, ...options });
  return {
    plain: await bundle({}),
    encrypting: await bundle({ failureConverterPath: encryptingPath }),
    protobuf: await bundle({ payloadConverterPath: protobufPath }),
  };
}

/** Starts the workers of one server: of the callers, and of what handlers start. */
export async function startWorkers(address: string, bundles: WorkflowBundles): Promise<WorkflowWorkers> {
  const connection = await NativeConnection.connect({ address });
  const running: { worker: Worker; run: Promise<void> }[] = [];
  const start = async (taskQueue: string, workflowBundle: WorkflowBundle, dataConverter: DataConverter = {}) => {
    const worker = await Worker.create({ connection, taskQueue, workflowBundle, dataConverter });
    running.push({ worker, run: worker.run() });
  };
  const stop = async () => {
    for (const { worker } of running) worker.shutdown();
    await Promise.all(running.map(({ run }) => run));
    await connection.close();
  };
  const encrypting = { failureConverterPath: encryptingPath, payloadCodecs: [encryptionCodec] };
  try {
    await start(callerQueues.plain, bundles.plain);
    await start('shop', bundles.plain);
    await start('warehouse', bundles.plain);
    await start(callerQueues.encrypting, bundles.encrypting, encrypting);
    await start('vault', bundles.encrypting, encrypting);
    await start(callerQueues.protobuf, bundles.protobuf, { payloadConverterPath: protobufPath });
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
