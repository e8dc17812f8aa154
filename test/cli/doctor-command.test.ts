import { expect, it } from 'vitest';
import { temporaryFolder } from '../local/temporary-folder.ts';
import { freePorts } from '../toolchain/free-ports.ts';
import { runCommandLine } from './command-line.ts';

const URL_ = 'http://shop:s3cret@127.0.0.1:1/nexus/endpoints/shop/services';

async function run(args: readonly string[], env?: Record<string, string>) {
  const command = runCommandLine(temporaryFolder(), ['doctor', ...args], env);
  const { code } = await command.exited;
  return { code, output: command.output() };
}

it('shows every option of doctor with its default, and examples', async () => {
  const { code, output } = await run(['--help']);
  const options = ['--endpoint', '--bearer', '--sign', '--temporal-address', '--temporal-namespace', '--timeout'];
  const described = output.split(/^ {2}(?=--|-[a-z],)/m);
  const withDefault = described.filter((text) => /\(.*default:/s.test(text)).map((text) => text.split(' ', 1)[0]);
  expect(withDefault).toEqual([...options, '-o,']);
  expect(output).toContain('npx nexus-lambda doctor --url http://127.0.0.1:9233/nexus/endpoints/shop/services');
  expect(code).toBe(0);
});

it.each([
  [[], "required option '--url <url>' not specified"],
  [['--url', 'shop'], '--url is no URL'],
  [['--url', 'https://host'], '--url names no endpoint'],
  [['--url', 'https://host', '--endpoint', 'my_shop'], 'Give two to 200 letters'],
  [['--url', URL_, '--bearer', 'token'], 'user information in --url and --bearer were given'],
  [['--url', 'https://host', '--endpoint', 'shop', '--sign'], 'set AWS_REGION'],
  [['--url', URL_, '--temporal-address', 'http://host:1'], 'Give host and port'],
  [['--url', URL_, '--timeout', '0'], 'Give a number of seconds from 1 to 300'],
  [['--url', URL_, '-o', 'xml'], 'Allowed choices are text, json'],
])('fails when called with %j, saying what is allowed', async (args, message) => {
  const { code, output } = await run(args);
  expect(output).toContain(message);
  expect(output).not.toMatch(/ {4}at |s3cret/);
  expect(code).toBe(1);
});

it('writes one JSON object where it is asked for, and nothing secret', async () => {
  const [port] = await freePorts(1);
  const { code, output } = await run(['--url', URL_.replace(':1/', `:${port}/`), '-o', 'json']);
  const walk = JSON.parse(output);
  expect(walk).toMatchObject({ url: `http://127.0.0.1:${port}/nexus/endpoints/shop/services`, ok: false });
  expect(walk.hops[0]).toMatchObject({ hop: 'address', status: 'fail' });
  expect(output).not.toContain('s3cret');
  expect(code).toBe(1);
});

it('takes the Temporal server of the environment', async () => {
  const [port, other] = await freePorts(2);
  const { output } = await run(['--url', URL_.replace(':1/', `:${port}/`), '-o', 'json'], {
    TEMPORAL_ADDRESS: `127.0.0.1:${other}`,
    TEMPORAL_NAMESPACE: 'shop',
  });
  const temporal = JSON.parse(output).hops.find(({ hop }: { hop: string }) => hop === 'temporal');
  expect(temporal).toMatchObject({ status: 'fail', says: expect.stringContaining(`Temporal at 127.0.0.1:${other}`) });
});
