import { createInterface } from 'node:readline/promises';
import { ManagementCommandError } from './management-command-error.ts';

/** Where somebody may be asked. */
export interface Asked {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

/** Fails with a `ManagementCommandError` where nobody says yes to it, or nobody is there. */
export async function confirm(question: string, { stdin, stderr }: Asked): Promise<void> {
  if (stdin.isTTY !== true) throw new ManagementCommandError(`${question} Nobody is here to say so; give --yes for it`);
  const terminal = createInterface({ input: stdin, output: stderr });
  // Ctrl-C and Ctrl-D end the question without an answer.
  const ended = new AbortController();
  terminal.once('close', () => ended.abort());
  const answer = await terminal.question(`${question} (y/N) `, { signal: ended.signal }).catch(() => '');
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new ManagementCommandError('nothing was done');
}
