import { Argument, Command, Option } from 'commander';
import type { DevOptions } from '../local/dev-options.ts';
import { StartError } from '../local/start-error.ts';
import {
  endpointNameOf,
  parseAddress,
  parseEndpointName,
  parseModulePath,
  parseNonEmpty,
  parseOperation,
  parsePort,
} from './arguments.ts';
import { quietSqliteWarning } from './sqlite-warning.ts';
import { closeOnSignal } from './stop-signals.ts';

interface DevArguments {
  readonly port: number;
  readonly endpoint?: string;
  readonly taskQueue?: string;
  readonly temporalAddress?: string;
  readonly temporalNamespace?: string;
  readonly data: string;
  readonly ephemeral?: true;
  readonly queue?: readonly string[];
  readonly deduplicate?: true;
  readonly promote?: readonly string[];
  readonly absorbFailures?: readonly string[];
  readonly dataConverter?: string;
}

const EXAMPLE = `
Example:
  $ npx nexus-lambda dev ./shop.ts --endpoint shop
  $ curl --json '{"item":"tea"}' http://127.0.0.1:9233/nexus/endpoints/shop/services/orders/place

Errors of the module are shown with their place; until they are mended, the last version that
loads goes on serving. Ctrl-C finishes what runs; a second Ctrl-C does not wait.`;

/** `nexus-lambda dev`. */
export function devCommand(): Command {
  return new Command('dev')
    .description('Serve the Nexus operations of a module on this machine, and reload it when it changes.')
    .helpOption('-h, --help', 'show this')
    .addArgument(
      new Argument('<module>', 'the file that exports nexus-rpc service handlers; .ts works as it is').argParser(
        parseModulePath,
      ),
    )
    .addOption(
      new Option('--port <number>', 'the port on 127.0.0.1; 0 is any free one').default(9233).argParser(parsePort),
    )
    .addOption(
      new Option(
        '--endpoint <name>',
        "the endpoint's name (default: the module's file name without its extension, other characters than letters and digits as hyphens)",
      ).argParser(parseEndpointName),
    )
    .addOption(
      new Option(
        '--task-queue <name>',
        "the endpoint's target, and where its workflows run (default: the endpoint's name)",
      )
        .env('TEMPORAL_TASK_QUEUE')
        .argParser(parseNonEmpty),
    )
    .addOption(
      new Option(
        '--temporal-address <host:port>',
        "Temporal for handlers that use it (default: the SDK's environment configuration, else 127.0.0.1:7233)",
      ).argParser(parseAddress),
    )
    .addOption(
      new Option(
        '--temporal-namespace <name>',
        'the namespace of the target, and of its workflows (default: "default")',
      )
        .env('TEMPORAL_NAMESPACE')
        .argParser(parseNonEmpty),
    )
    .addOption(
      new Option('--data <dir>', 'the folder of what must survive a restart; one server at a time')
        .default('.nexus-lambda')
        .argParser(parseNonEmpty),
    )
    .addOption(new Option('--ephemeral', 'keep everything in memory instead (default: off)').conflicts('data'))
    .addOption(
      new Option(
        '--queue <service/operation>',
        'deliver this operation through a queue, where it waits while the module does not load; repeatable (default: none)',
      ).argParser(addOperation),
    )
    .addOption(
      new Option(
        '--promote <service/operation>',
        "answer this operation with a token where it is not done in its caller's time, and go on; repeatable (default: none)",
      ).argParser(addOperation),
    )
    .addOption(
      new Option(
        '--absorb-failures <service/operation>',
        'queue this operation where its handler fails and may be tried again, instead of telling its caller; repeatable (default: none)',
      ).argParser(addOperation),
    )
    .addOption(
      new Option(
        '--deduplicate',
        'answer a repeated start (the same Nexus-Request-Id) with the answer of the first one (default: it runs again)',
      ),
    )
    .addOption(
      new Option(
        '--data-converter <module>',
        "a file whose default export is the SDK's data converter: payloadConverter, failureConverter, payloadCodecs (default: the SDK's own)",
      ).argParser(parseModulePath),
    )
    .addHelpText('after', EXAMPLE)
    .action(dev);
}

function addOperation(operation: string, before: readonly string[] = []): readonly string[] {
  return [...before, parseOperation(operation)];
}

async function dev(modulePath: string, given: DevArguments): Promise<void> {
  try {
    const options = toDevOptions(modulePath, given);
    quietSqliteWarning();
    const { startDev } = await import('../local/dev.ts');
    const server = await startDev(options, { stdout: process.stdout, stderr: process.stderr });
    closeOnSignal(() => server.close());
    // Whoever reads this may send a signal at once.
    process.stdout.write(`${server.greeting}\n`);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
  }
}

function toDevOptions(modulePath: string, given: DevArguments): DevOptions {
  const endpoint = given.endpoint ?? endpointNameOf(modulePath);
  return {
    modulePath,
    port: given.port,
    endpoint,
    taskQueue: given.taskQueue ?? endpoint,
    ...(given.temporalAddress === undefined ? {} : { temporalAddress: given.temporalAddress }),
    ...(given.temporalNamespace === undefined ? {} : { temporalNamespace: given.temporalNamespace }),
    ...(given.ephemeral ? {} : { dataFolder: given.data }),
    ...(given.queue === undefined ? {} : { queue: given.queue }),
    ...(given.deduplicate && { deduplicate: true }),
    ...(given.promote === undefined ? {} : { promote: given.promote }),
    ...(given.absorbFailures === undefined ? {} : { absorbFailures: given.absorbFailures }),
    ...(given.dataConverter === undefined ? {} : { dataConverterPath: given.dataConverter }),
  };
}
