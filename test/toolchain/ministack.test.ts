import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AwsVariables } from './aws-variables.ts';
import { startMinistack } from './ministack.ts';
import { ensurePythonTools } from './python-environment.ts';

const LONGEST_INSTALL_MS = 10 * 60_000;

beforeAll(async () => {
  await ensurePythonTools({ onProgress: console.log });
}, LONGEST_INSTALL_MS);

function secretsOf({ env, key = env.AWS_ACCESS_KEY_ID }: { readonly env: AwsVariables; readonly key?: string }) {
  return new SecretsManagerClient({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: { accessKeyId: key, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  });
}

const missing = new GetSecretValueCommand({ SecretId: 'missing' });

describe('MiniStack', () => {
  it('answers as soon as it has started, and leaves nothing when it is stopped', async () => {
    const emulator = await startMinistack();
    await expect(secretsOf(emulator).send(missing)).rejects.toThrow("can't find the specified secret");
    await emulator.stop();
    await expect(access(emulator.logFile)).rejects.toThrow('ENOENT');
  });

  it('takes any access key by default, and with auth those that it knows, its root key among them', async () => {
    const open = await startMinistack();
    const closed = await startMinistack({ auth: true });
    expect(open.env.AWS_ACCESS_KEY_ID).not.toBe(closed.env.AWS_ACCESS_KEY_ID);
    const notFound = "can't find the specified secret";
    await expect(secretsOf({ env: open.env, key: 'OTHER' }).send(missing)).rejects.toThrow(notFound);
    await expect(secretsOf(closed).send(missing)).rejects.toThrow(notFound);
    await expect(secretsOf({ env: closed.env, key: 'OTHER' }).send(missing)).rejects.toThrow(
      'The security token included in the request is invalid.',
    );
    await Promise.all([open.stop(), closed.stop()]);
  });

  it('ends when the process that started it is killed', async () => {
    const script = `
      import { startMinistack } from ${JSON.stringify(new URL('ministack.ts', import.meta.url).href)};
      const emulator = await startMinistack();
      console.log(emulator.port);`;
    const starter = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [port] = (await once(createInterface({ input: starter.stdout! }), 'line')) as [string];
    const socket = connect(Number(port), '127.0.0.1').resume();
    await once(socket, 'connect');
    const lost = Promise.race([once(socket, 'error'), once(socket, 'close')]);
    starter.kill('SIGKILL');
    await lost;
  });
});
