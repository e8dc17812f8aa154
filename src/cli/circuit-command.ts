import { Argument, type Command, Option } from 'commander';
import { parseEndpointName, parseNonEmpty } from './arguments.ts';
import { commandGroup } from './command-group.ts';
import { withConnection } from './connection-options.ts';
import { type CircuitCommandOptions, runCircuitCommand } from './run-circuit-command.ts';

const EXAMPLE = `
Examples:
  $ npx nexus-lambda circuit list
  $ npx nexus-lambda circuit describe shop
  $ npx nexus-lambda circuit trip shop --reason 'the database moves'
  $ npx nexus-lambda circuit reset shop
  $ npx nexus-lambda circuit list --url https://API.execute-api.eu-west-1.amazonaws.com

An endpoint whose handler fails several times in a row is left alone for a while: its circuit is open. A host of AWS
is called with an AWS signature, by the credentials that the AWS CLI would use. Exit code 0: done; 1: it could not be
asked for, or was refused, with the reason on stderr.`;

const EXAMPLES: Readonly<Record<string, string>> = {
  list: `
Examples:
  $ npx nexus-lambda circuit list
  $ npx nexus-lambda circuit list -o json | jq '.circuits[] | select(.status != "closed")'`,
  describe: `
Examples:
  $ npx nexus-lambda circuit describe shop
  $ npx nexus-lambda circuit describe shop -o json | jq .lastFailure`,
  trip: `
Examples:
  $ npx nexus-lambda circuit trip shop --reason 'the database moves'
  $ npx nexus-lambda circuit trip shop --reason 'incident 42' --yes

No request is let through, not even one to see whether it works, until somebody resets it. Every environment
of the router knows of it within ten seconds.`,
  reset: `
Examples:
  $ npx nexus-lambda circuit reset shop

Requests are let through again, whoever or whatever opened it.
A queued operation that it kept waiting comes by itself at the time that
"operation list" shows as its next; "operation retry --endpoint shop" has all of them come now.`,
};

/** `nexus-lambda circuit`. */
export function circuitCommand(): Command {
  const { command, add } = commandGroup<CircuitCommandOptions['command']>('circuit', {
    description: 'See, open and close the circuits of endpoints.',
    examples: EXAMPLE,
    commandExamples: EXAMPLES,
  });

  withConnection(add('list', 'List the circuits of all endpoints.')).action((given) =>
    run({ command: 'list', ...given }),
  );

  withConnection(add('describe', 'Show all that is known of a circuit.').addArgument(endpoint())).action(
    (name, given) => run({ command: 'describe', endpoint: name, ...given }),
  );

  withConnection(
    add('trip', 'Open a circuit until it is reset.')
      .addArgument(endpoint())
      .addOption(
        new Option('--reason <text>', 'why, for its callers and whoever looks next')
          .argParser(parseNonEmpty)
          .makeOptionMandatory(),
      )
      .addOption(new Option('-y, --yes', 'do not ask (default: off)')),
  ).action((name, given) => run({ command: 'trip', endpoint: name, ...given }));

  withConnection(add('reset', 'Close a circuit.').addArgument(endpoint())).action((name, given) =>
    run({ command: 'reset', endpoint: name, ...given }),
  );

  return command;
}

async function run(options: CircuitCommandOptions): Promise<void> {
  process.exitCode = await runCircuitCommand(options, process);
}

function endpoint(): Argument {
  return new Argument('<endpoint>', 'its name').argParser(parseEndpointName);
}
