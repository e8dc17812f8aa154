import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { createProgress } from '../toolchain/progress.ts';
import { startTemporal } from '../toolchain/temporal-server.ts';
import { startDevServer } from './dev-server.ts';
import { bundleWorkflows, startWorkers, type WorkflowBundles } from './workflow-workers.ts';
import type { ServerVersion, TemporalWorld } from './world.ts';

/** Starts everything that the suite runs against, once, and ends it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Each worker runs its workflows in threads, whose output Node pipes into this process's: past ten it warns of a leak.
  for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(50);
  const ends: (() => Promise<unknown>)[] = [];
  const progress = createProgress(process.stdout, Date.now);
  /** In the reverse order of starting: workers before the server that they poll. */
  const endAll = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    // For the tests of what is published and of the demo, which run it.
    await promisify(execFile)('npm', ['run', 'build'], { cwd: fileURLToPath(new URL('../..', import.meta.url)) });
    const logs = await mkdtemp(join(tmpdir(), 'nexus-lambda-e2e-'));
    ends.push(() => rm(logs, { recursive: true, force: true }));

    const startModule = async (version: ServerVersion, address: string, module: string, dataConverter?: string) => {
      const logFile = join(logs, `${version}-${module}.log`);
      const server = await startDevServer({
        module: `services/${module}.ts`,
        endpoint: module,
        temporalAddress: address,
        logFile,
        ...(dataConverter === undefined ? {} : { dataConverter }),
      });
      ends.push(server.stop);
      return { url: server.url, logFile };
    };

    const startServer = async (version: ServerVersion, bundles: WorkflowBundles): Promise<TemporalWorld> => {
      const temporal = await startTemporal({ version, onProgress: progress.show });
      ends.push(temporal.stop);
      const { address } = temporal;
      const workers = await startWorkers(address, bundles);
      ends.push(workers.stop);
      const shop = await startModule(version, address, 'shop');
      const warehouse = await startModule(version, address, 'warehouse');
      const vault = await startModule(version, address, 'vault', 'converters/encrypting.ts');
      return {
        address,
        shopUrl: shop.url,
        shopLog: shop.logFile,
        warehouseUrl: warehouse.url,
        vaultUrl: vault.url,
      };
    };

    const bundles = await bundleWorkflows();
    const older = await startServer('old', bundles);
    const newer = await startServer('new', bundles);
    const catalog = await startModule('new', newer.address, 'catalog', 'converters/protobuf.ts');
    project.provide('world', {
      servers: { old: older, new: newer },
      catalogUrl: catalog.url,
    });
  } catch (error) {
    await endAll();
    throw error;
  }
  return endAll;
}
