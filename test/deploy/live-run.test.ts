import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { cdkBootstrap } from '../toolchain/cdk.ts';
import { startMinistack } from '../toolchain/ministack.ts';
import { runCommand } from '../toolchain/run-command.ts';

const root = join(import.meta.dirname, '../..');
const script = join(root, 'test/live/run-on-aws.ts');

const runScript = (args: readonly string[], aws: Readonly<Record<string, string>>) => {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'));
  const PATH = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  return runCommand(process.execPath, [script, ...args], { env: { ...Object.fromEntries(own), PATH, ...aws } });
};

it('npm run test:aws deploys the sample, calls it, destroys it and says what it cost', async () => {
  const emulator = await startMinistack();
  onTestFinished(() => emulator.stop());
  await cdkBootstrap(emulator);
  const NEXUS_TEST_API_URL = `${emulator.url}/_aws/execute-api/{ApiId}`;
  const { code, lines } = await runScript(['--yes'], { ...emulator.env, NEXUS_TEST_API_URL });
  const checks = lines.filter((line) => /^(ok|FAIL) /.test(line));
  expect(checks.length).toBeGreaterThan(20);
  expect(checks.filter((line) => line.startsWith('FAIL'))).toEqual([]);
  expect(lines).toContainEqual(expect.stringMatching(/NexusLambdaSample: destroyed$/));
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}together +0\.000\d+$/));
  expect(code).toBe(0);
});

it('npm run test:aws does nothing that was not asked for, and says what to type', async () => {
  const unasked = await runScript([], { AWS_REGION: 'eu-west-1' });
  expect(unasked).toMatchObject({ code: 1, lines: expect.arrayContaining(['To do it: npm run test:aws -- --yes']) });
  const nowhere = await runScript(['--yes'], {});
  expect(nowhere.code).toBe(1);
  expect(nowhere.lines[0]).toMatch(/^AWS_REGION is not set/);
});
