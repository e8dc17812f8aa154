import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { COMPLETION_STATES, OPERATION_STATES } from '../router/operation-query.ts';
import { parseAge } from './age.ts';
import { parseEndpointName, parseNonEmpty } from './arguments.ts';
import { commandGroup } from './command-group.ts';
import { withConnection } from './connection-options.ts';
import { type OperationCommandOptions, runOperationCommand } from './run-operation-command.ts';

const EXAMPLE = `
Examples:
  $ npx nexus-lambda operation list --state dead-lettered
  $ npx nexus-lambda operation list --endpoint shop --older-than 1h -o json | jq -r '.operations[].token'
  $ npx nexus-lambda operation describe TOKEN
  $ npx nexus-lambda operation redrive --endpoint shop
  $ npx nexus-lambda operation count --url https://API.execute-api.eu-west-1.amazonaws.com

They are about operations that are delivered through a queue. Without --url they ask "nexus-lambda dev".
A gateway on AWS answers its administrators: roles and users that its deployer named in
\`administrators\` of the NexusGateway, and let in with grantManage(). It is called with an AWS
signature, by the credentials that the AWS CLI would use. Exit code 0: done; 1: it could not be asked
for, or was refused, with the reason on stderr.`;

const EXAMPLES: Readonly<Record<string, string>> = {
  list: `
Examples:
  $ npx nexus-lambda operation list
  $ npx nexus-lambda operation list --endpoint shop --state queued --older-than 10m
  $ npx nexus-lambda operation list --completion dead-lettered -o json`,
  count: `
Examples:
  $ npx nexus-lambda operation count --endpoint shop
  $ npx nexus-lambda operation count --newer-than 1h
  $ npx nexus-lambda operation count --state dead-lettered -o json`,
  describe: `
Examples:
  $ npx nexus-lambda operation describe TOKEN
  $ npx nexus-lambda operation describe TOKEN -o json | jq .lastFailure`,
  result: `
Examples:
  $ npx nexus-lambda operation result TOKEN
  $ npx nexus-lambda operation result TOKEN -o json | jq .result.value

Exit code 0: it succeeded; 2: it failed or was canceled; 3: it has no result yet, or will have none here.`,
  cancel: `
Examples:
  $ npx nexus-lambda operation cancel TOKEN

An operation that does not run ends at once. One that runs is told, and its handler decides.`,
  retry: `
Examples:
  $ npx nexus-lambda operation retry TOKEN
  $ npx nexus-lambda operation retry --endpoint shop

With --endpoint: every operation that is queued, such as those that waited for a pause or a circuit that is over.`,
  redrive: `
Examples:
  $ npx nexus-lambda operation redrive TOKEN
  $ npx nexus-lambda operation redrive --endpoint shop
  $ npx nexus-lambda operation redrive --endpoint shop --refused

With --endpoint: every operation that is dead-lettered, and every completion that is. A refused
completion was for an operation that its caller does not know any more, and is left out.`,
};

/** `nexus-lambda operation`. */
export function operationCommand(): Command {
  const { command, add } = commandGroup<OperationCommandOptions['command']>('operation', {
    description: 'See and mend operations that are delivered through a queue.',
    examples: EXAMPLE,
    commandExamples: EXAMPLES,
  });

  withConnection(
    add('list', 'List operations, the newest first.')
      .addOption(endpoint('only those of this endpoint (default: all)'))
      .addOption(
        new Option('--state <state>', 'only those in this state (default: any)').choices([...OPERATION_STATES]),
      )
      .addOption(
        new Option('--completion <state>', 'only those that ended and whose completion is so (default: any)').choices([
          ...COMPLETION_STATES,
        ]),
      )
      .addOption(olderThan())
      .addOption(newerThan())
      .addOption(new Option('--limit <number>', 'how many at most').default(50).argParser(parseLimit)),
  ).action((given) => run({ command: 'list', ...given }));

  withConnection(
    add('count', 'Count operations by state.')
      .addOption(endpoint('only those of this endpoint (default: all)'))
      .addOption(
        new Option('--state <state>', 'only those in this state (default: all)').choices([...OPERATION_STATES]),
      )
      .addOption(olderThan())
      .addOption(newerThan()),
  ).action((given) => run({ command: 'count', ...given }));

  withConnection(add('describe', 'Show all that is known of an operation.').addArgument(token('its token'))).action(
    (one, given) => run({ command: 'describe', token: one, ...given }),
  );

  withConnection(add('result', 'Show what an operation came to.').addArgument(token('its token'))).action(
    (one, given) => run({ command: 'result', token: one, ...given }),
  );

  withConnection(add('cancel', 'Ask for operations to be canceled.').addArgument(tokens('<token...>'))).action(
    (many, given) => run({ command: 'cancel', tokens: many, ...given }),
  );

  withConnection(
    add('retry', 'Make the next attempt of operations that are queued or dead-lettered now.')
      .addArgument(tokens('[token...]'))
      .addOption(endpoint('all that is queued of this endpoint, in place of tokens')),
  ).action((many, given) => run({ command: 'retry', tokens: many, ...given }));

  withConnection(
    add('redrive', 'Take up what was dead-lettered: operations, and completions.')
      .addArgument(tokens('[token...]'))
      .addOption(endpoint('all that is dead-lettered of this endpoint, in place of tokens'))
      .addOption(new Option('--refused', 'with --endpoint: the refused completions instead (default: off)')),
  ).action((many, given) => run({ command: 'redrive', tokens: many, ...given }));

  return command;
}

async function run(options: OperationCommandOptions): Promise<void> {
  process.exitCode = await runOperationCommand(options, process);
}

function endpoint(description: string): Option {
  return new Option('--endpoint <name>', description).argParser(parseEndpointName);
}

function olderThan(): Option {
  return new Option(
    '--older-than <age>',
    'only those accepted so long ago or before: 90s, 10m, 2h, 3d (default: any)',
  ).argParser(parseAge);
}

function newerThan(): Option {
  return new Option('--newer-than <age>', 'only those accepted since so long ago (default: any)').argParser(parseAge);
}

function token(description: string): Argument {
  return new Argument('<token>', description).argParser(parseNonEmpty);
}

function tokens(name: '<token...>' | '[token...]'): Argument {
  return new Argument(name, 'their tokens').argParser((one: string, before: readonly string[] = []) => [
    ...before,
    parseNonEmpty(one),
  ]);
}

function parseLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1) throw new InvalidArgumentError('Give a number from 1 to 999999.');
  return limit;
}
