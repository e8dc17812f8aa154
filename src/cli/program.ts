import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Command } from 'commander';
import { circuitCommand } from './circuit-command.ts';
import { outliveClosedPipes } from './closed-pipe.ts';
import { devCommand } from './dev-command.ts';
import { doctorCommand } from './doctor-command.ts';
import { endpointCommand } from './endpoint-command.ts';
import { operationCommand } from './operation-command.ts';
import { tokensLast } from './tokens-last.ts';

/** Runs the command line; `argv` as in `process.argv`. Wrong arguments end the process with exit code 1. */
export async function run(argv: readonly string[]): Promise<void> {
  outliveClosedPipes([process.stdout, process.stderr]);
  const program = new Command('nexus-lambda')
    .description('Temporal Nexus services on AWS Lambda, with no Nexus worker to keep alive.')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'show this')
    .showHelpAfterError('(nexus-lambda --help, or nexus-lambda dev --help, shows what is allowed)')
    // `--version` of a command is that of what it changes.
    .enablePositionalOptions();
  program.addCommand(devCommand().copyInheritedSettings(program));
  program.addCommand(
    doctorCommand()
      .copyInheritedSettings(program)
      .showHelpAfterError('(nexus-lambda doctor --help shows what is allowed)'),
  );
  program.addCommand(
    operationCommand()
      .copyInheritedSettings(program)
      .showHelpAfterError('(nexus-lambda operation --help shows what is allowed)'),
  );
  program.addCommand(
    endpointCommand()
      .copyInheritedSettings(program)
      .showHelpAfterError('(nexus-lambda endpoint --help shows what is allowed)'),
  );
  program.addCommand(
    circuitCommand()
      .copyInheritedSettings(program)
      .showHelpAfterError('(nexus-lambda circuit --help shows what is allowed)'),
  );
  await program.parseAsync(tokensLast(argv));
}

function packageVersion(): string {
  const file = createRequire(import.meta.url).resolve('nexus-lambda/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
