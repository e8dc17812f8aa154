import type { OperationSummary } from '../router/operation-description.ts';
import type { HandledPage } from '../router/operation-management.ts';
import { MAX_LIST_LIMIT } from '../router/operation-query.ts';
import type { Query } from './management-client.ts';
import { ManagementCommandError } from './management-command-error.ts';
import { createOperationClient, type OperationAction, type OperationClient } from './operation-client.ts';
import { formatCounts, formatDescription, formatOperations, formatResult } from './operation-text.ts';
import { oneLine } from './output.ts';
import { type CommandProcess, type Connection, type Done, runManagementCommand } from './run-management-command.ts';

/** Milliseconds that lie between now and the time when an operation was accepted. */
interface Ages {
  readonly olderThan?: number;
  readonly newerThan?: number;
}

/** What a command line asks for. */
export type OperationCommandOptions = Connection &
  (
    | ({
        readonly command: 'list';
        readonly endpoint?: string;
        readonly state?: string;
        readonly completion?: string;
        readonly limit: number;
      } & Ages)
    | ({ readonly command: 'count'; readonly endpoint?: string; readonly state?: string } & Ages)
    | { readonly command: 'describe' | 'result'; readonly token: string }
    | {
        readonly command: OperationAction;
        readonly tokens: readonly string[];
        readonly endpoint?: string;
        readonly refused?: true;
      }
  );

type Of<Command extends OperationCommandOptions['command']> = Extract<OperationCommandOptions, { command: Command }>;

/** So many are done by one request: a Lambda function is done with them long before its gateway gives up. */
const HANDLED_PAGE = 100;

/** Asks the management API, and writes what it answers. Resolves to the exit code; errors are on stderr then. */
export function runOperationCommand(options: OperationCommandOptions, process: CommandProcess): Promise<number> {
  return runManagementCommand(options, process, (ask) => runOn(createOperationClient(ask), options, process.stderr));
}

function runOn(
  client: OperationClient,
  options: OperationCommandOptions,
  stderr: CommandProcess['stderr'],
): Promise<Done> {
  switch (options.command) {
    case 'list':
      return list(client, options, stderr);
    case 'count':
      return count(client, options, stderr);
    case 'describe':
      return describe(client, options.token);
    case 'result':
      return result(client, options.token);
    case 'retry':
    case 'redrive': {
      const { command, tokens, endpoint, refused } = options;
      if (tokens.length > 0) {
        if (endpoint === undefined && refused === undefined) return act(client, options, stderr);
        throw new ManagementCommandError('give tokens, or --endpoint NAME without them');
      }
      if (endpoint === undefined) {
        const all = command === 'retry' ? 'queued' : 'dead-lettered';
        throw new ManagementCommandError(`name what to ${command}: tokens, or --endpoint NAME for all that is ${all}`);
      }
      return command === 'retry'
        ? retryAll(client, endpoint, stderr)
        : redriveAll(client, { endpoint, ...(refused && { refused }) }, stderr);
    }
    default:
      return act(client, options, stderr);
  }
}

async function list(
  client: OperationClient,
  { endpoint, state, completion, limit, ...ages }: Of<'list'>,
  stderr: CommandProcess['stderr'],
): Promise<Done> {
  const accepted = acceptedBy(ages);
  const operations: OperationSummary[] = [];
  let from: string | undefined;
  do {
    const page = await client.list({
      ...{ endpoint, state, completion, ...accepted, from },
      limit: Math.min(limit - operations.length, MAX_LIST_LIMIT),
    });
    operations.push(...page.operations);
    from = page.next;
  } while (from !== undefined && operations.length < limit);
  if (from !== undefined) stderr.write(`there are more; --limit ${limit * 2} shows them\n`);
  return {
    json: { operations },
    text: (shown) => formatOperations(operations, shown) || 'no such operations',
  };
}

async function count(
  client: OperationClient,
  { endpoint, state, ...ages }: Of<'count'>,
  stderr: CommandProcess['stderr'],
): Promise<Done> {
  const accepted = acceptedBy(ages);
  const counts: Record<string, number> = {};
  let from: string | undefined;
  do {
    const page = await client.count({ endpoint, ...accepted, from });
    for (const [name, one] of Object.entries(page.counts)) counts[name] = (counts[name] ?? 0) + one;
    from = page.next;
    if (from !== undefined) stderr.write(`${sumOf(counts)} operations counted …\n`);
  } while (from !== undefined);
  if (state === undefined) {
    const all = { counts, total: sumOf(counts) };
    return { json: all, text: () => formatCounts(all) };
  }
  const one = counts[state] ?? 0;
  return { json: { counts: { [state]: one }, total: one }, text: () => String(one) };
}

/** By now: of a list in pages, each page is to have the same bounds. */
function acceptedBy({ olderThan, newerThan }: Ages) {
  const now = Date.now();
  return {
    acceptedFrom: newerThan === undefined ? undefined : now - newerThan,
    acceptedBefore: olderThan === undefined ? undefined : now - olderThan,
  };
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, one) => sum + one, 0);
}

async function describe(client: OperationClient, token: string): Promise<Done> {
  const described = await client.describe(token);
  return { json: described, text: (shown) => formatDescription(described, shown) };
}

async function result(client: OperationClient, token: string): Promise<Done> {
  const found = await client.result(token);
  const code = { succeeded: 0, failed: 2, canceled: 2 }[found.state as string] ?? 3;
  return { json: found, text: (shown) => formatResult(found, shown), code };
}

/** One after the other: what fails for one is said, and does not keep the others from it. */
async function act(
  client: OperationClient,
  { command, tokens }: Of<OperationAction>,
  stderr: CommandProcess['stderr'],
): Promise<Done> {
  const operations: OperationSummary[] = [];
  let failures = 0;
  for (const token of tokens) {
    try {
      operations.push(await client.act(token, command));
    } catch (error) {
      if (!(error instanceof ManagementCommandError)) throw error;
      failures++;
      stderr.write(`error: ${error.message}\n`);
    }
  }
  return {
    json: { operations },
    text: (shown) => formatOperations(operations, shown),
    code: failures === 0 ? 0 : 1,
  };
}

async function retryAll(client: OperationClient, endpoint: string, stderr: CommandProcess['stderr']): Promise<Done> {
  const say = (count: number) => `${count} operations retried …`;
  const pages = await eachPage((page) => client.actOnPage('retry', { endpoint, ...page }), say, stderr);
  const failed = failedOf(pages, stderr);
  const sum = { operations: doneOf(pages), failed };
  return {
    json: sum,
    text: () => `retried: ${counted(sum.operations, 'operation')}`,
    code: failed.length === 0 ? 0 : 1,
  };
}

async function redriveAll(
  client: OperationClient,
  { endpoint, refused }: { readonly endpoint: string; readonly refused?: true },
  stderr: CommandProcess['stderr'],
): Promise<Done> {
  const redrive = (what: 'operations' | 'completions', filter: Query) =>
    eachPage(
      (page) => client.actOnPage('redrive', { endpoint, ...filter, ...page }),
      (count) => `${count} ${what} redriven …`,
      stderr,
    );
  const operations = refused ? [] : await redrive('operations', { state: 'dead-lettered' });
  const completions = await redrive('completions', { completion: refused ? 'refused' : 'dead-lettered' });
  const failed = failedOf([...operations, ...completions], stderr);
  const sum = { operations: doneOf(operations), completions: doneOf(completions), failed };
  return {
    json: sum,
    text: () => `redriven: ${counted(sum.operations, 'operation')} and ${counted(sum.completions, 'completion')}`,
    code: failed.length === 0 ? 0 : 1,
  };
}

async function eachPage(
  act: (page: Query) => Promise<HandledPage>,
  say: (count: number) => string,
  stderr: CommandProcess['stderr'],
): Promise<readonly HandledPage[]> {
  const pages: HandledPage[] = [];
  let from: string | undefined;
  do {
    const page = await act({ from, limit: HANDLED_PAGE });
    pages.push(page);
    from = page.next;
    // One page is done before anybody would wonder.
    if (from !== undefined) stderr.write(`${say(doneOf(pages).length)}\n`);
  } while (from !== undefined);
  return pages;
}

function doneOf(pages: readonly HandledPage[]): readonly string[] {
  return pages.flatMap(({ done }) => done);
}

function failedOf(pages: readonly HandledPage[], stderr: CommandProcess['stderr']): HandledPage['failed'] {
  const failed = pages.flatMap((page) => page.failed);
  for (const { token, message } of failed) stderr.write(`error: ${token}: ${oneLine(message)}\n`);
  return failed;
}

function counted({ length }: readonly unknown[], what: string): string {
  return `${length} ${what}${length === 1 ? '' : 's'}`;
}
