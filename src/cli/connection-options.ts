import { type Command, Option } from 'commander';
import { DEV_URL } from './api-url.ts';
import { parseNonEmpty } from './arguments.ts';

/** The options of every command that asks the management API. */
export function withConnection(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'the API of a deployment, or the dev server').default(DEV_URL).argParser(parseNonEmpty),
    )
    .addOption(
      new Option('--sign', 'send an AWS signature to any host, for AWS_REGION (default: to hosts of AWS only)'),
    )
    .addOption(
      new Option('-o, --output <format>', 'the form of what is shown').choices(['text', 'json']).default('text'),
    );
}
