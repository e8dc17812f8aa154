import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startGuarded } from '../toolchain/guarded-process.ts';

export interface DevServerOptions {
  /** Module to serve, relative to this folder. */
  readonly module: string;
  readonly endpoint: string;
  readonly temporalAddress: string;
  /** Module of the data converter, relative to this folder. */
  readonly dataConverter?: string;
  /** File that gets what it prints. */
  readonly logFile: string;
}

export interface DevServer {
  /** Where it serves the endpoint: what Temporal's endpoint is given as its target. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `nexus-lambda dev` from source, as a user would, and resolves when it listens. The task queue has the endpoint's name. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const { endpoint, dataConverter } = options;
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const args = [
    ...['--conditions=nexus-lambda-source', '--disable-warning=ExperimentalWarning', here('../../src/cli/main.ts')],
    ...['dev', here(options.module), '--port', '0', '--endpoint', endpoint, '--task-queue', endpoint],
    ...['--temporal-address', options.temporalAddress, '--ephemeral'],
    ...(dataConverter === undefined ? [] : ['--data-converter', here(dataConverter)]),
  ];
  const server = startGuarded(process.execPath, args, { output: 'pipe' });
  const log = createWriteStream(options.logFile);
  server.process.stdout!.pipe(log);
  server.process.stderr!.pipe(log, { end: false });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (what: string) =>
      reject(new Error(`nexus-lambda dev ${options.module} ${what}; it said:\n${said.join('\n')}`));
    const read = (line: string) => {
      said.push(line);
      // It listens before the module is loaded, and then lists what that serves.
      const operation = /POST (http:\S+\/services)\//.exec(line);
      if (operation !== null) resolve(operation[1]!);
      if (line.startsWith('the module does not load')) fail('does not load its module');
    };
    createInterface({ input: server.process.stdout! }).on('line', read);
    createInterface({ input: server.process.stderr! }).on('line', read);
    void server.exited.then((code) => fail(`ended with code ${code}`));
  });
  return {
    url,
    async stop() {
      await server.stop();
      if (!log.closed) await once(log, 'close');
    },
  };
}
