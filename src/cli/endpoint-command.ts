import { type Command, InvalidArgumentError, Option } from 'commander';
import { MAX_EXPIRES_IN_MS, MIN_EXPIRES_IN_MS } from '../router/endpoint-request.ts';
import { formatAge, parseAge } from './age.ts';
import { parseEndpointName, parseNonEmpty } from './arguments.ts';
import { commandGroup } from './command-group.ts';
import { withConnection } from './connection-options.ts';
import { type EndpointCommandOptions, runEndpointCommand } from './run-endpoint-command.ts';
import { parseUnset, withSettingOptions } from './setting-options.ts';

const EXAMPLE = `
Examples:
  $ npx nexus-lambda endpoint list
  $ npx nexus-lambda endpoint get --name shop
  $ npx nexus-lambda endpoint update --name shop --requests-per-second 5 --reason 'incident 42' --expires-in 2h
  $ npx nexus-lambda endpoint pause --name shop --reason 'the database moves' --expires-in 30m
  $ npx nexus-lambda endpoint list --url https://API.execute-api.eu-west-1.amazonaws.com

What is set at run time reaches everything that runs within ten seconds, and deploys leave it alone.
A host of AWS is called with an AWS signature, by the credentials that the AWS CLI would use. Exit code 0: done;
1: it could not be asked for, or was refused, with the reason on stderr.`;

const EXAMPLES: Readonly<Record<string, string>> = {
  list: `
Examples:
  $ npx nexus-lambda endpoint list
  $ npx nexus-lambda endpoint list -o json | jq '.endpoints[] | select(.drift != [])'`,
  get: `
Examples:
  $ npx nexus-lambda endpoint get --name shop
  $ npx nexus-lambda endpoint get --name shop -o json | jq .settings.effective`,
  create: `
Examples:
  $ npx nexus-lambda endpoint create --name bank --target-namespace default --target-task-queue shop

Another name for a task queue that a handler is deployed for. An endpoint of its own is deployed.`,
  update: `
Examples:
  $ npx nexus-lambda endpoint update --name shop --requests-per-second 5 --burst 10 --reason 'incident 42' --expires-in 2h
  $ npx nexus-lambda endpoint update --name shop --unset requests-per-second --unset burst
  $ npx nexus-lambda endpoint update --name shop --unset all
  $ npx nexus-lambda endpoint update --name bank --description 'what the bank lends' --version 3

Settings hold over those of the deploy until they expire or are unset. Description, target and callers of an
endpoint that a stack deployed are changed there.`,
  pause: `
Examples:
  $ npx nexus-lambda endpoint pause --name shop --reason 'the database moves'
  $ npx nexus-lambda endpoint pause --name shop --reason 'the database moves' --expires-in 30m

Direct calls are refused, to be tried again; queued operations are accepted, and wait. What runs goes on.`,
  resume: `
Examples:
  $ npx nexus-lambda endpoint resume --name shop

Direct calls are let through again. A queued operation that the pause kept waiting comes by itself at the time that
"operation list" shows as its next; "operation retry --endpoint shop" has all of them come now.`,
  delete: `
Examples:
  $ npx nexus-lambda endpoint delete --name bank
  $ npx nexus-lambda endpoint delete --name bank --yes --version 3

What a stack deployed is taken out there.`,
};

/** `nexus-lambda endpoint`. */
export function endpointCommand(): Command {
  const { command, add } = commandGroup<EndpointCommandOptions['command']>('endpoint', {
    description: 'See and change endpoints: their settings at run time, pauses, entries.',
    examples: EXAMPLE,
    commandExamples: EXAMPLES,
  });
  const addNamed = (name: EndpointCommandOptions['command'], description: string) =>
    add(name, description).addOption(
      new Option('--name <name>', 'of the endpoint').argParser(parseEndpointName).makeOptionMandatory(),
    );

  withConnection(add('list', 'List endpoints, with what differs from their deploy.')).action((given) =>
    run({ command: 'list', ...given }),
  );

  withConnection(addNamed('get', 'Show all that is known of an endpoint.')).action((given) =>
    run({ command: 'get', ...given }),
  );

  withConnection(
    addNamed('create', 'Give a task queue another name.')
      .addOption(text('--target-namespace <namespace>', 'where its requests go').makeOptionMandatory())
      .addOption(text('--target-task-queue <queue>', 'where its requests go').makeOptionMandatory())
      .addOption(text('--description <text>', 'what it is for (default: none)'))
      .addOption(caller('a principal that may call it; may be repeated (default: local, of the dev server)')),
  ).action((given) => run({ command: 'create', ...given }));

  const update = addNamed('update', 'Set settings at run time, or change an entry.');
  withConnection(
    withSettingOptions(update)
      .addOption(
        new Option(
          '--unset <setting>',
          'have it as declared again, or `all` of them; may be repeated (default: none)',
        ).argParser(parseUnset),
      )
      .addOption(reason('why, for whoever looks next; needed with a setting'))
      .addOption(expiresIn())
      .addOption(text('--description <text>', 'what it is for (default: unchanged)'))
      .addOption(new Option('--unset-description', 'leave it without a description (default: off)'))
      .addOption(text('--target-namespace <namespace>', 'where its requests go (default: unchanged)'))
      .addOption(text('--target-task-queue <queue>', 'where its requests go (default: unchanged)'))
      .addOption(caller('a principal that may call it, in place of all others; may be repeated (default: unchanged)'))
      .addOption(version()),
  ).action((given) => run({ command: 'update', ...given }));

  withConnection(
    addNamed('pause', 'Let nothing through to the handler.')
      .addOption(reason('why, for its callers and whoever looks next').makeOptionMandatory())
      .addOption(expiresIn())
      .addOption(version()),
  ).action((given) => run({ command: 'pause', ...given }));

  withConnection(addNamed('resume', 'End a pause.').addOption(version())).action((given) =>
    run({ command: 'resume', ...given }),
  );

  withConnection(
    addNamed('delete', 'Remove an endpoint that no stack deployed.')
      .addOption(new Option('-y, --yes', 'do not ask (default: off)'))
      .addOption(version()),
  ).action((given) => run({ command: 'delete', ...given }));

  return command;
}

async function run(options: EndpointCommandOptions): Promise<void> {
  process.exitCode = await runEndpointCommand(options, process);
}

function text(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseNonEmpty);
}

function reason(description: string): Option {
  return text('--reason <text>', description);
}

function expiresIn(): Option {
  return new Option(
    '--expires-in <time>',
    'how long it holds: 90s, 10m, 2h, 3d (default: until it is taken back)',
  ).argParser((given) => {
    const ms = parseAge(given);
    if (ms >= MIN_EXPIRES_IN_MS && ms <= MAX_EXPIRES_IN_MS) return ms;
    throw new InvalidArgumentError(
      `Give a time from ${formatAge(MIN_EXPIRES_IN_MS)} to ${formatAge(MAX_EXPIRES_IN_MS)}.`,
    );
  });
}

function caller(description: string): Option {
  return new Option('--caller <principal>', description).argParser((one: string, before: readonly string[] = []) => [
    ...before,
    parseNonEmpty(one),
  ]);
}

function version(): Option {
  return new Option('--version <number>', 'refuse where it is at another (default: any)').argParser((given) => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : 0;
    if (number < 1) throw new InvalidArgumentError('Give the version that "endpoint get" shows.');
    return number;
  });
}
