import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandLine, runCommandLine } from '../cli/command-line.ts';
import { temporaryFolder } from './temporary-folder.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** A user's project, outside of this repository. */
export interface Project {
  readonly folder: string;
  write(file: string, text: string): void;
}

/** A project with these files, in which `packages` are installed. */
export function createProject(files: Record<string, string>, packages: readonly string[] = ['nexus-rpc']): Project {
  const folder = temporaryFolder();
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  for (const name of packages) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    const installed = name === 'nexus-lambda' ? REPOSITORY : join(REPOSITORY, 'node_modules', name);
    symlinkSync(installed, join(folder, 'node_modules', name));
  }
  return { folder, write };
}

/** `nexus-lambda dev` once it listens. */
export interface RunningDev extends CommandLine {
  readonly url: string;
  /** POSTs JSON to `/nexus/endpoints/{path}`. */
  call(path: string, input?: unknown): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON of the body, undefined for an empty one. */
  readonly value: unknown;
}

/** Runs `nexus-lambda dev shop.ts` on a free port, and waits until it listens. */
export async function startDev(
  project: Project,
  args: readonly string[] = [],
  env?: Record<string, string>,
): Promise<RunningDev> {
  const command = runCommandLine(project.folder, ['dev', 'shop.ts', '--port', '0', ...args], env);
  const url = (await command.line(/^listening on /)).replace('listening on ', '');
  return {
    ...command,
    url,
    async call(path, input) {
      const response = await fetch(`${url}/nexus/endpoints/${path}`, {
        method: 'POST',
        ...(input === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, value: text === '' ? undefined : JSON.parse(text) };
    },
  };
}

/** A module with the service `orders`: an operation for each of these handlers, which are given as source text. */
export function ordersModule(handlers: Record<string, string>, before = ''): string {
  const operations = Object.keys(handlers).map((name) => `${name}: nexus.operation<unknown, unknown>(),`);
  const functions = Object.entries(handlers).map(([name, text]) => `  ${name}: ${text},`);
  return [
    "import * as nexus from 'nexus-rpc';",
    before,
    `const orders = nexus.service('orders', { ${operations.join(' ')} });`,
    'export const ordersHandler = nexus.serviceHandler(orders, {',
    ...functions,
    '});',
  ].join('\n');
}
