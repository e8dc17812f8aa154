import { expect, it } from 'vitest';
import { runCommandLine } from '../cli/command-line.ts';
import { createProject, ordersModule, startDev } from './project.ts';

it('the circuit of the dev server is seen, opened and closed from the command line', async () => {
  const project = createProject({ 'shop.ts': ordersModule({ place: 'async (_ctx, input) => input' }) });
  const dev = await startDev(project);
  async function circuit(...args: readonly string[]) {
    const command = runCommandLine(project.folder, ['circuit', ...args, '--url', dev.url], { TZ: 'UTC' });
    const { code } = await command.exited;
    return { code, output: command.output() };
  }

  expect((await circuit('list')).output.split('\n')[1]).toMatch(/^shop +closed +0$/);
  const tripped = await circuit('trip', 'shop', '--reason', 'the bank moves', '--yes');
  expect(tripped.output).toMatch(/^state +open by hand, until somebody resets it$/m);
  expect(tripped.output).toMatch(/^tripped by +local, .*: the bank moves$/m);
  await dev.line(/shop.* circuit closed → open .*the bank moves.*by local/);

  const again = await circuit('trip', 'shop', '--reason', 'again', '--yes');
  expect(again).toMatchObject({ code: 1, output: expect.stringContaining('by local: the bank moves; reset it first') });
  expect((await circuit('reset', 'shop')).output).toMatch(/^state +closed$/m);
});
