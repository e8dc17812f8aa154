import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { expect, it, onTestFinished } from 'vitest';
import { SampleStack } from '../../cdk/sample-stack.ts';
import { EverythingStack } from '../cdk/everything-stack.ts';
import { ensurePythonTools } from '../toolchain/python-environment.ts';
import { runCommand } from '../toolchain/run-command.ts';

/** Checks that are left out, each with its reason. */
const IGNORED = {
  W3005: 'the CDK writes DependsOn beside references that say the same, for each role and its policy',
};

it.each<[string, (app: App) => unknown]>([
  ['the sample app', (app) => new SampleStack(app, 'Sample', { temporalAddress: 'temporal.internal:7233' })],
  ['a stack with everything on', (app) => new EverythingStack(app, 'Everything')],
])('cfn-lint finds nothing in the template of %s', async (_what, build) => {
  const outdir = await mkdtemp(join(tmpdir(), 'nexus-lambda-lint-'));
  onTestFinished(() => rm(outdir, { recursive: true, force: true }));
  const app = new App({ outdir });
  build(app);
  const [stack] = app.synth().stacks;
  const { cfnLint } = await ensurePythonTools({});
  const args = [
    '--ignore-checks',
    ...Object.keys(IGNORED),
    '--regions',
    'us-east-1',
    '--',
    stack?.templateFullPath ?? '',
  ];
  const { code, lines } = await runCommand(cfnLint, args);
  expect(lines).toEqual([]);
  expect(code).toBe(0);
});
