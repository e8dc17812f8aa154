import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { outliveClosedPipes } from '../../src/cli/closed-pipe.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

it('ends a command as ever where nobody reads what it writes', async () => {
  const api = createServer((_, response) => response.end('{"circuits":[]}'));
  await once(api.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void api.close());
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const command = spawn(
    process.execPath,
    ['--conditions=nexus-lambda-source', MAIN, 'circuit', 'list', '--url', url, '-o', 'json'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const errors: string[] = [];
  command.stderr.on('data', (chunk) => errors.push(String(chunk)));
  // The end that it writes to has no other one from here on.
  command.stdout.destroy();
  const [code] = await once(command, 'close');
  expect({ code, errors: errors.join('') }).toEqual({ code: 0, errors: '' });
});

it('fails with every other error of a stream', () => {
  const stream = new EventEmitter();
  outliveClosedPipes([stream]);
  expect(() => stream.emit('error', Object.assign(new Error('no space left'), { code: 'ENOSPC' }))).toThrow(
    'no space left',
  );
});
