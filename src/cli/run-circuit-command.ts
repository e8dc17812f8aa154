import type { CircuitDescription } from '../router/circuit-description.ts';
import { type CircuitClient, createCircuitClient } from './circuit-client.ts';
import { formatCircuit, formatCircuits } from './circuit-text.ts';
import { type Asked, confirm } from './confirm.ts';
import { type CommandProcess, type Connection, type Done, runManagementCommand } from './run-management-command.ts';

/** What a command line asks for. */
export type CircuitCommandOptions = Connection &
  (
    | { readonly command: 'list' }
    | { readonly command: 'describe' | 'reset'; readonly endpoint: string }
    | { readonly command: 'trip'; readonly endpoint: string; readonly reason: string; readonly yes?: true }
  );

/** Where it runs, and asks. */
export type CircuitCommandProcess = CommandProcess & Asked;

/** Asks the management API, and writes what it answers. Resolves to the exit code; errors are on stderr then. */
export function runCircuitCommand(options: CircuitCommandOptions, process: CircuitCommandProcess): Promise<number> {
  return runManagementCommand(options, process, (ask) => runOn(createCircuitClient(ask), options, process));
}

async function runOn(
  client: CircuitClient,
  options: CircuitCommandOptions,
  process: CircuitCommandProcess,
): Promise<Done> {
  switch (options.command) {
    case 'list': {
      const listed = await client.list();
      return { json: listed, text: (shown) => formatCircuits(listed.circuits, shown) || 'no endpoints' };
    }
    case 'describe':
      return shownAs(await client.describe(options.endpoint));
    case 'reset':
      return shownAs(await client.reset(options.endpoint));
    case 'trip': {
      const { endpoint, reason, yes } = options;
      if (!yes) {
        await confirm(
          `Open the circuit of endpoint "${endpoint}"? Its requests are refused until it is reset.`,
          process,
        );
      }
      return shownAs(await client.trip(endpoint, reason));
    }
  }
}

function shownAs(circuit: CircuitDescription): Done {
  return { json: circuit, text: (shown) => formatCircuit(circuit, shown) };
}
