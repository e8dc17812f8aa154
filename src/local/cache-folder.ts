import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * The folder for the bundles of a module in this folder: `node_modules/.cache/nexus-lambda` of the nearest
 * `node_modules`, or of the nearest package where there is none; a new temporary folder where that cannot be written.
 */
export function cacheFolderFor(moduleFolder: string): string {
  const owner = nearestWith('node_modules', moduleFolder) ?? nearestWith('package.json', moduleFolder);
  if (owner !== undefined) {
    const folder = join(owner, 'node_modules', '.cache', 'nexus-lambda');
    try {
      mkdirSync(folder, { recursive: true });
      removeLeftovers(folder);
      return folder;
    } catch {
      // read-only, as in some containers: any other folder will do, since the environment finds packages by the module's place
    }
  }
  return mkdtempSync(join(tmpdir(), 'nexus-lambda-'));
}

/** A name for a bundle that tells whose it is. */
export function bundleName(process: { readonly pid: number }, number: number): string {
  return `${process.pid}-${number}.mjs`;
}

function nearestWith(name: string, folder: string): string | undefined {
  if (existsSync(join(folder, name))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : nearestWith(name, parent);
}

/** What processes left there that were killed. */
function removeLeftovers(folder: string): void {
  for (const file of readdirSync(folder)) {
    const pid = /^(\d+)-\d+\.mjs$/.exec(file)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(folder, file), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'; // somebody else's process is one
  }
}
