import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { temporaryFolder } from '../local/temporary-folder.ts';
import { runCommandLine } from './command-line.ts';

async function run(args: readonly string[], env?: Record<string, string>) {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'shop.ts'), '');
  writeFileSync(join(cwd, '1.ts'), '');
  mkdirSync(join(cwd, 'folder'));
  const command = runCommandLine(cwd, args, env);
  const { code } = await command.exited;
  return { code, output: command.output(), cwd };
}

it('shows every option of dev with its default, and an example', async () => {
  const { code, output } = await run(['dev', '--help']);
  const options = [
    ...['--port', '--endpoint', '--task-queue', '--temporal-address', '--temporal-namespace', '--data', '--ephemeral'],
    ...['--queue', '--promote', '--absorb-failures', '--deduplicate', '--data-converter'],
  ];
  const described = output.split(/^ {2}(?=--)/m);
  const withDefault = described.filter((text) => /\(default:/.test(text)).map((text) => text.split(' ', 1)[0]);
  expect(withDefault).toEqual(options);
  expect(output).toContain('npx nexus-lambda dev ./shop.ts');
  expect(code).toBe(0);
});

it('prints its version', async () => {
  expect(await run(['--version'])).toMatchObject({ code: 0, output: packageJson.version });
});

it.each([[[]], [['dev']], [['doctor']], [['endpoint']], [['endpoint', 'pause']]])(
  'shows with -h what it shows with --help: %j',
  async (command) => {
    const [short, long] = await Promise.all([run([...command, '-h']), run([...command, '--help'])]);
    expect(short).toMatchObject({ code: 0, output: long.output });
  },
);

it('lists its commands with --help, and without a command as an error', async () => {
  const [help, bare] = await Promise.all([run(['--help']), run([])]);
  expect(help).toMatchObject({ code: 0, output: expect.stringContaining('dev [options] <module>') });
  expect(bare).toMatchObject({ code: 1, output: expect.stringContaining('dev [options] <module>') });
});

it.each([
  [['dev'], "missing required argument 'module'"],
  [['dev', 'nope.ts'], 'There is no file'],
  [['dev', 'folder'], 'There is no file'],
  [['dev', 'shop.ts', 'more'], 'Expected 1 argument but got 2'],
  [['dev', 'shop.ts', '--prot', '1'], '(Did you mean --port?)'],
  [['dev', 'shop.ts', '--port', 'http'], "'http' is invalid. Give a number from 0 to 65535"],
  [['dev', 'shop.ts', '--port', '65536'], "'65536' is invalid. Give a number from 0 to 65535"],
  [['dev', 'shop.ts', '--port', '-1'], "'-1' is invalid"],
  [['dev', 'shop.ts', '--temporal-address', 'localhost'], "'localhost' is invalid. Give host and port"],
  [['dev', 'shop.ts', '--temporal-address', 'http://localhost:7233'], 'Give host and port, without a scheme'],
  [['dev', 'shop.ts', '--temporal-address', 'localhost:99999'], 'Give host and port'],
  [['dev', 'shop.ts', '--endpoint', 'my_shop'], "'my_shop' is invalid. Give two to 200 letters, digits and hyphens"],
  [['dev', 'shop.ts', '--task-queue', ''], 'It must not be empty'],
  [['dev', 'shop.ts', '--data-converter', 'nope.ts'], 'There is no file'],
  [['dev', 'shop.ts', '--ephemeral', '--data', 'x'], "'--ephemeral' cannot be used with option '--data <dir>'"],
  [['dev', '--queue', 'buy', 'shop.ts'], 'Give the names of service and operation: orders/place'],
  [['dev', '--promote', 'buy', 'shop.ts'], 'Give the names of service and operation: orders/place'],
  [['dev', '--absorb-failures', 'buy', 'shop.ts'], 'Give the names of service and operation: orders/place'],
  [['dev', '1.ts'], '"1" cannot be made the name of an endpoint'],
  [['serve'], "unknown command 'serve'"],
])('fails when called with %j, saying what is allowed', async (args, message) => {
  const { code, output } = await run(args);
  expect(output).toContain(message);
  expect(output).not.toContain('    at ');
  expect(code).toBe(1);
});

it('names the path at which it looked for the module', async () => {
  const { output, cwd } = await run(['dev', 'src/nope.ts']);
  expect(output).toContain(join(cwd, 'src/nope.ts'));
});
