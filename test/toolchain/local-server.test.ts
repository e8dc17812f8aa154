import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type LocalServer, type LocalServerLaunch, startLocalServer } from './local-server.ts';

/** What starts a server that runs `script`, where `port` is the one to listen on. */
function node(script: string): LocalServerLaunch {
  return { command: process.execPath, args: ['--eval', script], env: {} };
}

const serve = (port: number) =>
  `require('node:http').createServer((q, s) => s.end('here')).listen(${port}, '127.0.0.1')`;

const start = (launch: (port: number, folder: string) => LocalServerLaunch): Promise<LocalServer> =>
  startLocalServer({
    title: 'the server',
    launch: async ({ port, folder }) => launch(port, folder),
    readyPath: '/',
    isReady: (response) => response.ok,
  });

describe('a local server', () => {
  it('answers as soon as it has started, and leaves nothing when it is stopped', async () => {
    const server = await start((port) => node(serve(port)));
    expect(await (await fetch(server.url)).text()).toBe('here');
    await server.stop();
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
    await expect(access(server.logFile)).rejects.toThrow('ENOENT');
  });

  it('takes another port where one is taken meanwhile', async () => {
    const ports: number[] = [];
    const server = await start((port) => {
      ports.push(port);
      return node(ports.length === 1 ? `console.log('address already in use'); process.exit(1)` : serve(port));
    });
    expect(ports).toHaveLength(2);
    expect(server.port).toBe(ports[1]);
    await server.stop();
  });

  it('says why it did not start, with the end of its log, and leaves nothing', async () => {
    let folder = '';
    const starting = start((_port, given) => {
      folder = given;
      return node(`console.log('no such disk'); process.exit(3)`);
    });
    await expect(starting).rejects.toThrow(
      /^the server on 127\.0\.0\.1:\d+ did not start: it ended with code 3\nThe end of its log:\nno such disk$/,
    );
    await expect(access(folder)).rejects.toThrow('ENOENT');
  });

  it('is given up where it does not answer as it should', async () => {
    const starting = startLocalServer({
      title: 'the server',
      launch: async ({ port }) => node(serve(port)),
      readyPath: '/health',
      isReady: () => false,
      timeoutMs: 2_000,
    });
    await expect(starting).rejects.toThrow(
      '/health was not answered as it should be for 2000 ms; the last answer: status 200',
    );
  });
});

describe('a process group', () => {
  it('ends what the command started, although the command does not', async () => {
    const server = await start((port) => {
      const child = `${serve(port)}; process.on('SIGTERM', () => {})`;
      const parent = `require('node:child_process').spawn(process.execPath, ['--eval', ${JSON.stringify(child)}])
        process.once('SIGTERM', () => process.exit())`;
      const group = fileURLToPath(new URL('process-group.ts', import.meta.url));
      return { ...node(''), args: [group, process.execPath, '--eval', parent] };
    });
    const socket = connect(server.port, '127.0.0.1').resume();
    await once(socket, 'connect');
    const lost = Promise.race([once(socket, 'error'), once(socket, 'close')]);
    await server.stop();
    await lost;
  });
});
