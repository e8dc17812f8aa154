/*
 * `npm run test:aws`: deploys the sample app into the AWS account of the environment's credentials, calls it, destroys it,
 * and prints what that cost. It has to be asked for with --yes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { callSample } from './call-sample.ts';
import { costOf } from './cost.ts';

const root = join(import.meta.dirname, '../..');
const STACK = 'NexusLambdaSample';
/** A name that no DNS has: the sync operation, which is all that is called here, needs no Temporal server. */
const NO_TEMPORAL = 'temporal.invalid:7233';

const region = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
if (region === undefined) {
  console.error(
    'AWS_REGION is not set; it takes the region to deploy into: AWS_REGION=eu-west-1 npm run test:aws -- --yes',
  );
  process.exit(1);
}
if (!process.argv.includes('--yes')) {
  console.error(
    `This deploys the stack ${STACK} into ${region} with the AWS credentials of your environment, calls it some 30 times, and\n` +
      'destroys it: about five minutes, and less than a cent. The region must be bootstrapped (npx cdk bootstrap).\n' +
      'To do it: npm run test:aws -- --yes',
  );
  process.exit(1);
}

/** Ends the CLI in its own way on Ctrl-C; the stack is destroyed all the same. */
let interrupted = false;
process.on('SIGINT', () => {
  if (interrupted) process.exit(130);
  interrupted = true;
  console.error(`\ndestroying ${STACK}; Ctrl-C again leaves it as it is`);
});

const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-aws-'));
const began = performance.now();
const used = { requests: 0, invocations: 0, milliseconds: 0 };
let failed = 0;
try {
  const outputsFile = join(folder, 'outputs.json');
  await cdk('deploy', STACK, '--require-approval', 'never', '--outputs-file', outputsFile);
  const outputs = JSON.parse(await readFile(outputsFile, 'utf8'))[STACK] as Record<string, string>;
  const keys = await fromNodeProviderChain()();
  const secrets = new SecretsManagerClient({ region });
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: outputs.BasicAuthSecretArn }));
  const password = JSON.parse(SecretString ?? '').greeting as string;
  // On an emulator the API has another address than the one that CloudFormation writes.
  const url = process.env.NEXUS_TEST_API_URL?.replace('{ApiId}', outputs.ApiId ?? '') ?? outputs.ApiUrl ?? '';
  for await (const { title, passed, saw, milliseconds } of callSample({ url, region, keys, password })) {
    used.requests++;
    used.invocations += 3;
    used.milliseconds += milliseconds * 2;
    if (!passed) failed++;
    const mark = passed ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
    console.log(`${mark} ${title} (${Math.round(milliseconds)} ms)${passed ? '' : `: ${saw}`}`);
    if (interrupted) break;
  }
} catch (error) {
  failed++;
  console.error(error);
} finally {
  await cdk('destroy', STACK, '--force').catch((error: unknown) => {
    failed++;
    console.error(`${STACK} could not be destroyed; delete the stack in the console: ${String(error)}`);
  });
  await rm(folder, { recursive: true, force: true });
}
const minutes = (performance.now() - began) / 60_000;
const cost = costOf({ ...used, minutes });
console.log(`\nwhat it cost, by list prices (USD), in ${minutes.toFixed(1)} minutes:`);
for (const [line, usd] of cost) console.log(`  ${line.padEnd(20)} ${usd.toFixed(6)}`);
console.log(`  ${'together'.padEnd(20)} ${[...cost.values()].reduce((sum, usd) => sum + usd, 0).toFixed(6)}`);
console.log(failed === 0 ? 'all as it should be' : `${failed} not as it should be`);
process.exitCode = failed === 0 && !interrupted ? 0 : 1;

/** Runs the CDK's own command line, whose progress is shown. */
async function cdk(...args: readonly string[]): Promise<void> {
  // A group of its own: a Ctrl-C must not end a deploy half-way, but be followed by a destroy.
  const child = spawn('cdk', [...args, '--context', 'keep=false'], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TEMPORAL_ADDRESS: NO_TEMPORAL },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`cdk ${args[0]} ended with code ${code}`);
}
