import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { type GuardedProcess, startGuarded } from './guarded-process.ts';
import { type BinaryOptions, ensureOldTemporalCli, ensureTemporalServer } from './temporal-binaries.ts';
import { temporalReady } from './temporal-ready.ts';
import { type TemporalServerPorts, temporalServerConfig, temporalServices } from './temporal-server-config.ts';
import { type TemporalSettings, temporalSettings } from './temporal-settings.ts';

export interface StartTemporalOptions extends BinaryOptions {
  /**
   * `old` is 1.29.1 (the dev server of the Temporal CLI 1.5.1), `new` is 1.32.1 (the server itself): the two ends of
   * what is tested. A path is that of a `temporal` command, whose dev server is started.
   */
  readonly version: 'old' | 'new' | { readonly cli: string };
  /** SQLite file that keeps workflows and endpoints. Default: kept in memory and gone at the end. */
  readonly dbFile?: string;
  /** Serve the web UI too; the dev server of a CLI has one, the server itself has none. Default false. */
  readonly ui?: boolean;
  /** Ports to listen on instead of free ones, by what a user of the server needs to know. */
  readonly ports?: { readonly grpc?: number; readonly http?: number; readonly ui?: number };
  /** Dynamic configuration that is laid over that of `temporalSettings`; `undefined` takes a key out. */
  readonly settings?: TemporalSettings;
  /** Milliseconds until a server that does not answer is given up. Default 60,000: the disks of build machines are slow. */
  readonly timeoutMs?: number;
}

/** A Temporal server on 127.0.0.1 that calls external Nexus endpoints, with the namespace `default`. */
export interface RunningTemporal {
  /** `host:port` for clients and workers. */
  readonly address: string;
  readonly httpPort: number;
  readonly uiUrl?: string;
  /** What the server logs; gone after `stop`. */
  readonly logFile: string;
  /** Resolves once the server has ended, by `stop` or by itself. */
  readonly ended: Promise<unknown>;
  /** Ends the server and removes its files, `dbFile` excepted. */
  stop(): Promise<void>;
}

const LOG_FILE = 'server.log';
const MOST_ATTEMPTS = 3;

interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly address: string;
  readonly httpPort: number;
  readonly uiUrl?: string;
}

/**
 * Starts a Temporal server and resolves when it takes workflows. The server ends with this process at the latest.
 *
 * Fails with the end of the server's log where it does not come up.
 */
export async function startTemporal(options: StartTemporalOptions): Promise<RunningTemporal> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      // A port that was free a moment ago may be taken by now; others will be free.
      const mayTryAgain = attempt < MOST_ATTEMPTS && options.ports === undefined;
      if (!(mayTryAgain && messageOf(error).includes('address already in use'))) throw error;
    }
  }
}

async function startOnce(options: StartTemporalOptions): Promise<RunningTemporal> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-temporal-'));
  const logFile = join(folder, LOG_FILE);
  try {
    const launch = await prepare(options, folder);
    const server = startLogged(launch, folder, options);
    const asking = new AbortController();
    try {
      await Promise.race([
        temporalReady(launch.address, { timeoutMs: options.timeoutMs ?? 60_000, signal: asking.signal }),
        server.exited.then((code) => Promise.reject(new Error(`it ended with code ${code}`))),
      ]);
    } catch (error) {
      const said = await tail(logFile);
      await server.stop();
      throw new Error(`the Temporal server on ${launch.address} did not start: ${messageOf(error)}\n${said}`, {
        cause: error,
      });
    } finally {
      asking.abort();
    }
    return {
      address: launch.address,
      httpPort: launch.httpPort,
      ...(launch.uiUrl === undefined ? {} : { uiUrl: launch.uiUrl }),
      logFile,
      ended: server.exited,
      async stop() {
        await server.stop();
        // Where it ended by itself before, its folder is still there.
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function startLogged(launch: Launch, folder: string, options: StartTemporalOptions): GuardedProcess {
  const log = openSync(join(folder, LOG_FILE), 'a');
  try {
    // What is kept in memory needs no orderly end, and a file of SQLite survives a hard one.
    const killAfterMs = options.dbFile === undefined ? 500 : 3_000;
    return startGuarded(launch.command, launch.args, { output: log, killAfterMs, folder });
  } finally {
    closeSync(log);
  }
}

async function prepare(options: StartTemporalOptions, folder: string): Promise<Launch> {
  const [grpcFree = 0, httpFree = 0, ...free] = await freePorts(2 + 2 * temporalServices.length);
  const grpc = options.ports?.grpc ?? grpcFree;
  const http = options.ports?.http ?? httpFree;
  const settings = Object.fromEntries(
    Object.entries({ ...temporalSettings(`127.0.0.1:${http}`), ...options.settings }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const where = { address: `127.0.0.1:${grpc}`, httpPort: http };
  if (options.version === 'new') {
    const services = Object.fromEntries(
      temporalServices.map((service, n) => [
        service,
        { rpc: service === 'frontend' ? grpc : free[2 * n], membership: free[2 * n + 1] },
      ]),
    ) as TemporalServerPorts['services'];
    const dynamicConfigFile = join(folder, 'dynamic-config.yaml');
    const configFile = join(folder, 'config.yaml');
    const entries = Object.entries(settings).map(([key, value]) => [key, [{ value }]]);
    await writeFile(dynamicConfigFile, JSON.stringify(Object.fromEntries(entries)));
    const { dbFile } = options;
    const config = temporalServerConfig({
      ports: { http, services },
      dynamicConfigFile,
      ...(dbFile === undefined ? {} : { dbFile }),
    });
    await writeFile(configFile, JSON.stringify(config));
    const command = await ensureTemporalServer(options);
    return { ...where, command, args: ['--config-file', configFile, '--allow-no-auth', 'start'] };
  }
  const command = options.version === 'old' ? await ensureOldTemporalCli(options) : options.version.cli;
  const ui = options.ports?.ui ?? free[0];
  const args = [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(grpc), '--http-port', String(http)],
    ...['--metrics-port', String(free[1]), '--log-format', 'json'],
    ...(options.ui === true ? ['--ui-ip', '127.0.0.1', '--ui-port', String(ui)] : ['--headless']),
    ...(options.dbFile === undefined ? [] : ['--db-filename', options.dbFile]),
    ...Object.entries(settings).flatMap(([key, value]) => [
      '--dynamic-config-value',
      `${key}=${JSON.stringify(value)}`,
    ]),
  ];
  return { ...where, command, args, ...(options.ui === true ? { uiUrl: `http://127.0.0.1:${ui}` } : {}) };
}

async function tail(logFile: string): Promise<string> {
  const log = await readFile(logFile, 'utf8');
  return log.trim() === ''
    ? 'It logged nothing.'
    : `The end of its log:\n${log.trimEnd().split('\n').slice(-20).join('\n')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
