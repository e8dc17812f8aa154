import type { ChangedEndpoint } from '../router/endpoint-management.ts';
import type { EndpointRequest } from '../router/endpoint-request.ts';
import { type EndpointSettings, SETTINGS } from '../router/settings.ts';
import { type Asked, confirm } from './confirm.ts';
import { createEndpointClient, type EndpointClient } from './endpoint-client.ts';
import { formatEndpoint, formatEndpoints } from './endpoint-text.ts';
import { ManagementCommandError } from './management-command-error.ts';
import { oneLine } from './output.ts';
import { type CommandProcess, type Connection, type Done, runManagementCommand } from './run-management-command.ts';

interface Named {
  readonly name: string;
}

interface Versioned extends Named {
  readonly version?: number;
}

/** What a command line says of an entry. */
interface Entry {
  readonly description?: string;
  readonly targetNamespace?: string;
  readonly targetTaskQueue?: string;
  readonly caller?: readonly string[];
}

interface Why {
  readonly reason?: string;
  /** Milliseconds. */
  readonly expiresIn?: number;
}

/** What a command line asks for. */
export type EndpointCommandOptions = Connection &
  (
    | { readonly command: 'list' }
    | ({ readonly command: 'get' } & Named)
    | ({ readonly command: 'create' } & Named & Entry)
    | ({
        readonly command: 'update';
        readonly unsetDescription?: true;
        /** Names of settings, or `all`. */
        readonly unset?: readonly string[];
      } & Versioned &
        Entry &
        Why &
        EndpointSettings)
    | ({ readonly command: 'pause' } & Versioned & Why)
    | ({ readonly command: 'resume' } & Versioned)
    | ({ readonly command: 'delete'; readonly yes?: true } & Versioned)
  );

type Of<Command extends EndpointCommandOptions['command']> = Extract<EndpointCommandOptions, { command: Command }>;

/** Where it runs, and asks. */
export type EndpointCommandProcess = CommandProcess & Asked;

/** Asks the management API, and writes what it answers. Resolves to the exit code; errors are on stderr then. */
export function runEndpointCommand(options: EndpointCommandOptions, process: EndpointCommandProcess): Promise<number> {
  return runManagementCommand(options, process, (ask) => runOn(createEndpointClient(ask), options, process));
}

async function runOn(
  client: EndpointClient,
  options: EndpointCommandOptions,
  process: EndpointCommandProcess,
): Promise<Done> {
  switch (options.command) {
    case 'list': {
      const listed = await client.list();
      return { json: listed, text: (shown) => formatEndpoints(listed.endpoints, shown) || 'no endpoints' };
    }
    case 'get': {
      const endpoint = await client.get(options.name);
      return { json: endpoint, text: (shown) => formatEndpoint(endpoint, shown) };
    }
    case 'create':
      return changed(await client.create({ name: options.name, ...entryOf(options) }), options, process);
    case 'update':
      return changed(await client.update(options.name, updateOf(options)), options, process);
    case 'pause':
      return changed(await client.pause(options.name, { ...whyOf(options), ...versionOf(options) }), options, process);
    case 'resume':
      return changed(await client.resume(options.name, versionOf(options)), options, process);
    case 'delete': {
      const { name, version, yes } = options;
      if (!yes) {
        await confirm(`Delete endpoint "${name}"? Whoever calls it is told that there is none, for good.`, process);
      }
      const deleted = await client.delete(name, version);
      return { json: deleted, text: () => `deleted: ${name}` };
    }
  }
}

function changed(endpoint: ChangedEndpoint, { output }: Connection, { stderr }: EndpointCommandProcess): Done {
  if (output === 'text') for (const note of endpoint.notes) stderr.write(`note: ${oneLine(note)}\n`);
  return { json: endpoint, text: (shown) => formatEndpoint(endpoint, shown) };
}

function updateOf(options: Of<'update'>): EndpointRequest {
  const { description, unsetDescription } = options;
  if (description !== undefined && unsetDescription) {
    throw new ManagementCommandError('give --description or --unset-description, and not both');
  }
  const settings = settingsOf(options);
  // As the API has it, in the words of a command line.
  const isSet = Object.values(settings ?? {}).some((value) => value !== null);
  if (isSet && options.reason === undefined) {
    throw new ManagementCommandError(
      "say why the settings are changed, for whoever looks next: --reason 'incident 42'",
    );
  }
  if (!isSet && options.expiresIn !== undefined) {
    throw new ManagementCommandError('--expires-in is for settings; give it with a value for one');
  }
  return {
    ...entryOf(options),
    ...(unsetDescription && { description: null }),
    ...(settings !== undefined && { settings }),
    ...whyOf(options),
    ...versionOf(options),
  };
}

function entryOf({ description, targetNamespace, targetTaskQueue, caller }: Entry): EndpointRequest {
  const target = {
    ...(targetNamespace !== undefined && { namespace: targetNamespace }),
    ...(targetTaskQueue !== undefined && { taskQueue: targetTaskQueue }),
  };
  return {
    ...(description !== undefined && { description }),
    ...(Object.keys(target).length > 0 && { target }),
    ...(caller !== undefined && { callers: caller }),
  };
}

function settingsOf(options: Of<'update'>): EndpointRequest['settings'] {
  const names = Object.keys(SETTINGS) as (keyof EndpointSettings)[];
  const set = names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]));
  const { unset = [] } = options;
  const both = set.find(([name]) => unset.includes(name) || unset.includes('all'));
  if (both !== undefined) throw new ManagementCommandError(`${both[0]} is set and unset; give one of the two`);
  if (unset.includes('all')) return null;
  const changes = [...set, ...unset.map((name) => [name, null] as const)];
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

function whyOf({ reason, expiresIn }: Why): EndpointRequest {
  return { ...(reason !== undefined && { reason }), ...(expiresIn !== undefined && { expiresInMs: expiresIn }) };
}

function versionOf({ version }: Versioned): EndpointRequest {
  return version === undefined ? {} : { version };
}
