import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, Connection } from '@temporalio/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureOldTemporalCli, ensureTemporalServer } from './temporal-binaries.ts';
import { startTemporal } from './temporal-server.ts';

const LONGEST_BUILD_MS = 30 * 60_000;

beforeAll(async () => {
  await ensureOldTemporalCli({ onProgress: console.log });
  await ensureTemporalServer({ onProgress: console.log });
}, LONGEST_BUILD_MS);

/** Connects to the server, and returns what resolves when the server drops the connection. */
async function connectionLost(address: string): Promise<{ readonly lost: Promise<unknown> }> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  socket.resume();
  // A reset ends a connection as well as an orderly close does.
  const lost = Promise.race([once(socket, 'error'), new Promise((resolve) => socket.once('close', resolve))]);
  return { lost };
}

describe.each(['old', 'new'] as const)('the %s Temporal server', { timeout: 30_000 }, (version) => {
  it('takes workflows as soon as it has started, and leaves nothing when it is stopped', async () => {
    const server = await startTemporal({ version });
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection });
    const handle = await client.workflow.start('nobodyRunsThis', { taskQueue: 'nobody', workflowId: 'w' });
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await connection.close();
    const { lost } = await connectionLost(server.address);
    await server.stop();
    await lost;
    await expect(access(server.logFile)).rejects.toThrow('ENOENT');
  });

  it('keeps workflows in a file where it is given one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-test-'));
    const dbFile = join(folder, 'temporal.db');
    const first = await startTemporal({ version, dbFile });
    const { workflow } = new Client({ connection: Connection.lazy({ address: first.address }) });
    await workflow.start('nobodyRunsThis', { taskQueue: 'nobody', workflowId: 'kept' });
    await first.stop();
    const second = await startTemporal({ version, dbFile });
    const client = new Client({ connection: Connection.lazy({ address: second.address }) });
    expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
    await second.stop();
    await rm(folder, { recursive: true });
  });

  it('ends when the process that started it is killed', async () => {
    const script = `
      import { startTemporal } from ${JSON.stringify(new URL('temporal-server.ts', import.meta.url).href)};
      const server = await startTemporal({ version: '${version}' });
      console.log(server.address);`;
    const starter = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [address] = (await once(createInterface({ input: starter.stdout! }), 'line')) as [string];
    const { lost } = await connectionLost(address);
    starter.kill('SIGKILL');
    await lost;
  });
});

it('takes other ports where one is taken meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-test-'));
  const cli = join(folder, 'temporal');
  const once = `if [ ! -e ${folder}/tried ]; then touch ${folder}/tried; echo "bind: address already in use"; exit 1; fi`;
  await writeFile(cli, `#!/bin/sh\n${once}\nexec ${await ensureOldTemporalCli()} "$@"\n`);
  await chmod(cli, 0o755);
  const server = await startTemporal({ version: { cli } });
  await server.stop();
  await rm(folder, { recursive: true });
});

it('says why a server did not start, with the end of its log', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-test-'));
  const cli = join(folder, 'temporal');
  await writeFile(cli, '#!/bin/sh\necho "unable to open the database"\nexit 3\n');
  await chmod(cli, 0o755);
  await expect(startTemporal({ version: { cli } })).rejects.toThrow(
    /^the Temporal server on 127\.0\.0\.1:\d+ did not start: it ended with code 3\nThe end of its log:\nunable to open the database$/,
  );
  await rm(folder, { recursive: true });
});
