import { parseApiUrl } from './api-url.ts';
import { type AskManagement, createManagementClient } from './management-client.ts';
import { ManagementCommandError } from './management-command-error.ts';
import { type Shown, shownHere } from './output.ts';
import { findPackagesFrom } from './project-packages.ts';

/** What every command says that asks the management API. */
export interface Connection {
  readonly url: string;
  readonly sign?: true;
  readonly output: 'text' | 'json';
}

/** Where it runs, and writes. */
export interface CommandProcess {
  readonly stdout: { write(text: string): unknown; readonly columns?: number };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  cwd(): string;
}

/** What is to be written to stdout, and the exit code. */
export interface Done {
  readonly json: unknown;
  readonly text: (shown: Shown) => string;
  readonly code?: number;
}

/** Asks the management API, and writes what came of it. Resolves to the exit code; errors are on stderr then. */
export async function runManagementCommand(
  { url, sign, output }: Connection,
  { stdout, stderr, env, cwd }: CommandProcess,
  run: (ask: AskManagement) => Promise<Done>,
): Promise<number> {
  try {
    findPackagesFrom(cwd());
    const {
      json,
      text,
      code = 0,
    } = await run(createManagementClient({ url: parseApiUrl(url), sign: sign === true, env }));
    const written = output === 'json' ? JSON.stringify(json, undefined, 2) : text(shownHere(stdout));
    if (written !== '') stdout.write(`${written}\n`);
    return code;
  } catch (error) {
    if (!(error instanceof ManagementCommandError)) throw error;
    stderr.write(`error: ${error.message}\n`);
    return 1;
  }
}
