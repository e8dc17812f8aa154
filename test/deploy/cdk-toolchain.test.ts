import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cdkBootstrap, cdkDeploy, cdkDestroy, cdkFailure, type StackOutputs } from '../toolchain/cdk.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';

const LONGEST_INSTALL_MS = 10 * 60_000;
const app = `node ${join(import.meta.dirname, '../toolchain/fixtures/cdk-app/app.ts')}`;
const context = { parameterName: '/of/the/context' };

let emulator: Ministack;
beforeAll(async () => {
  // With auth more can go wrong: roles are assumed, and their policies are checked.
  emulator = await startMinistack({ auth: true, onProgress: console.log });
  await cdkBootstrap(emulator);
}, LONGEST_INSTALL_MS);
afterAll(() => emulator.stop());

async function invoke(name: string | undefined): Promise<unknown> {
  const { env } = emulator;
  const client = new LambdaClient({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  });
  const { Payload } = await client.send(new InvokeCommand({ FunctionName: name }));
  return JSON.parse(Buffer.from(Payload!).toString());
}

describe('the CDK CLI against MiniStack', { timeout: 120_000 }, () => {
  let deployed: StackOutputs[string] = {};

  it('deploys an app as it is, whose functions find the AWS SDK and nothing else that they did not bring', async () => {
    const outputs = await cdkDeploy({ emulator, app, context, stacks: ['Functions'] });
    deployed = outputs.Functions ?? {};
    const found = { node: '24', sdk: 'object', other: 'ERR_MODULE_NOT_FOUND' };
    expect(await invoke(deployed.requireName)).toEqual(found);
    expect(await invoke(deployed.importName)).toEqual(found);
  });

  it('says why a stack could not be deployed', async () => {
    const deploying = cdkDeploy({ emulator, app, context, stacks: ['Conflict'] });
    await expect(deploying).rejects.toThrow(/^cdk deploy failed with code 1:\n.*Conflict failed.*already exists/s);
  });

  it('deletes what it deployed', async () => {
    await cdkDestroy({ emulator, app, context, stacks: ['Functions'] });
    await expect(invoke(deployed.requireName)).rejects.toThrow('Function not found');
  });
});

describe('what is said of a failed run of the CDK CLI', () => {
  const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

  it('begins at the first failed stack', () => {
    const lines = [...numbered(500), '❌  A failed', 'because', ...numbered(500)];
    expect(cdkFailure('cdk deploy', { code: 1, lines })).toMatch(
      /^cdk deploy failed with code 1:\n❌ {2}A failed\nbecause\nline 0\n(line \d+\n){56}line 57$/,
    );
  });

  it('is its last lines where no stack is named', () => {
    expect(cdkFailure('cdk destroy', { code: 2, lines: numbered(500) })).toMatch(
      /^cdk destroy failed with code 2:\nline 470\n(line \d+\n){28}line 499$/,
    );
  });
});
