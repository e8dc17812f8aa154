import { Command, InvalidArgumentError, Option } from 'commander';
import type { DoctorOptions } from '../doctor/doctor.ts';
import { DoctorUsageError } from '../doctor/doctor-usage-error.ts';
import { parseAddress, parseEndpointName, parseNonEmpty } from './arguments.ts';
import { findPackagesFrom } from './project-packages.ts';
import { closeOnSignal } from './stop-signals.ts';

interface DoctorArguments {
  readonly url: string;
  readonly endpoint?: string;
  readonly bearer?: string;
  readonly sign?: true;
  readonly temporalAddress?: string;
  readonly temporalNamespace?: string;
  readonly timeout: number;
  readonly output: 'text' | 'json';
}

const EXAMPLE = `
Examples:
  $ npx nexus-lambda doctor --url http://127.0.0.1:9233/nexus/endpoints/shop/services
  $ npx nexus-lambda doctor --url https://shop:PASSWORD@API.execute-api.eu-west-1.amazonaws.com --endpoint shop \\
      --temporal-address temporal.example:7233

User information in the URL is sent as HTTP Basic. A host of AWS without it is called with an AWS
signature, by the credentials that the AWS CLI would use. Nothing secret is printed. Exit code 1
means that a hop is broken. What it starts in Temporal it ends again, on Ctrl-C too.`;

/** What a shell reports for a process that SIGINT ended. */
const INTERRUPTED = 130;

/** `nexus-lambda doctor`. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Walk the hops of an operation, from credentials to its completion; name the broken one and what to type.',
    )
    .helpOption('-h, --help', 'show this')
    .addOption(
      new Option('--url <url>', "an endpoint's base URL, or the URL of the API together with --endpoint")
        .makeOptionMandatory()
        .argParser(parseNonEmpty),
    )
    .addOption(
      new Option('--endpoint <name>', "the endpoint's name (default: the one in --url)").argParser(parseEndpointName),
    )
    .addOption(
      new Option('--bearer <token>', 'send a bearer token (default: NEXUS_BEARER_TOKEN)').argParser(parseNonEmpty),
    )
    .addOption(
      new Option('--sign', 'send an AWS signature to any host, for AWS_REGION (default: to hosts of AWS only)'),
    )
    .addOption(
      new Option(
        '--temporal-address <host:port>',
        "the Temporal server that calls (default: the SDK's environment configuration; without one its hops are skipped)",
      ).argParser(parseAddress),
    )
    .addOption(
      new Option(
        '--temporal-namespace <name>',
        'the namespace that calls (default: the SDK\'s environment configuration, else "default")',
      ).argParser(parseNonEmpty),
    )
    .addOption(new Option('--timeout <seconds>', 'how long one hop may take').default(15).argParser(parseTimeout))
    .addOption(
      new Option('-o, --output <format>', 'the form of what is found').choices(['text', 'json']).default('text'),
    )
    .addHelpText('after', EXAMPLE)
    .action(doctor);
}

async function doctor(given: DoctorArguments): Promise<void> {
  const stop = new AbortController();
  const ended = Promise.withResolvers<void>();
  closeOnSignal(
    () => {
      stop.abort();
      return ended.promise;
    },
    {
      on: (signal, listener) => process.on(signal, listener),
      // Half a walk says nothing: 0 would say that all is well.
      exit: (code) => process.exit(code === 0 ? INTERRUPTED : code),
      now: () => performance.now(),
      say: (text) => process.stderr.write(text),
    },
  );
  findPackagesFrom(process.cwd());
  const { runDoctor } = await import('../doctor/doctor.ts');
  try {
    const well = await runDoctor(toOptions(given), (text) => process.stdout.write(text), stop.signal);
    process.exitCode = well ? 0 : 1;
  } catch (error) {
    process.exitCode = 1;
    if (stop.signal.aborted) return;
    const problem = error instanceof DoctorUsageError ? error.message : `the walk broke off: ${String(error)}`;
    process.stderr.write(`error: ${problem}\n`);
  } finally {
    ended.resolve();
  }
}

function toOptions({ timeout, sign, ...given }: DoctorArguments): DoctorOptions {
  return { ...given, sign: sign === true, timeoutMs: timeout * 1000 };
}

function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 300)) throw new InvalidArgumentError('Give a number of seconds from 1 to 300.');
  return seconds;
}
