import { Command } from 'commander';

interface GroupTexts {
  readonly description: string;
  readonly examples: string;
  /** Of its commands, by their names. */
  readonly commandExamples: Readonly<Record<string, string>>;
}

export interface CommandGroup<Name extends string> {
  readonly command: Command;
  /** Makes one of its commands. */
  add(name: Name, description: string): Command;
}

/** A command that is a name for several: `nexus-lambda {group} {name}`. */
export function commandGroup<Name extends string>(
  group: string,
  { description, examples, commandExamples }: GroupTexts,
): CommandGroup<Name> {
  const command = new Command(group)
    .description(description)
    .helpOption('-h, --help', 'show this')
    .addHelpText('after', examples);
  return {
    command,
    add(name, description) {
      const own = new Command(name)
        .description(description)
        .helpOption('-h, --help', 'show this')
        .addHelpText('after', commandExamples[name] ?? '')
        .showHelpAfterError(`(nexus-lambda ${group} ${name} --help shows what is allowed)`);
      command.addCommand(own);
      return own;
    },
  };
}
