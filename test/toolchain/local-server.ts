import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from './free-ports.ts';
import { startGuarded } from './guarded-process.ts';

/** A server that speaks HTTP, to be started on a free port of 127.0.0.1. */
export interface LocalServerSpec {
  /** As it reads in a sentence: `MiniStack`. */
  readonly title: string;
  /** What to run, given the port and a folder of its own, which is removed in the end. */
  readonly launch: (where: { readonly port: number; readonly folder: string }) => Promise<LocalServerLaunch>;
  /** Path that is asked until `isReady` takes the answer. */
  readonly readyPath: string;
  readonly isReady: (response: Response) => boolean;
  /** Milliseconds from SIGTERM to SIGKILL. Default 1,000, since what is kept in memory needs no orderly end. */
  readonly killAfterMs?: number;
  /** Milliseconds until a server that does not answer is given up. Default 60,000: build machines are slow. */
  readonly timeoutMs?: number;
}

export interface LocalServerLaunch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface LocalServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** What the server says; gone after `stop`. */
  readonly logFile: string;
  /** Resolves once the server has ended, by `stop` or by itself. */
  readonly ended: Promise<unknown>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

const LOG_FILE = 'server.log';
const MOST_ATTEMPTS = 3;
const ASK_AGAIN_MS = 50;
const ANSWER_WITHIN_MS = 2_000;

/**
 * Starts a server and resolves when it answers. The server ends with this process at the latest.
 *
 * Fails with the end of the server's log where it does not come up.
 */
export async function startLocalServer(spec: LocalServerSpec): Promise<LocalServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(spec);
    } catch (error) {
      // A port that was free a moment ago may be taken by now; another will be free.
      const taken = /address (is )?already in use|failed to bind/i.test(messageOf(error));
      if (!taken || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

async function startOnce(spec: LocalServerSpec): Promise<LocalServer> {
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-server-'));
  const logFile = join(folder, LOG_FILE);
  try {
    const { command, args, env } = await spec.launch({ port, folder });
    const log = openSync(logFile, 'a');
    const server = startGuarded(command, args, { env, output: log, killAfterMs: spec.killAfterMs ?? 1_000, folder });
    closeSync(log);
    const asking = new AbortController();
    try {
      await Promise.race([
        answers(url, spec, asking.signal),
        server.exited.then((code) => Promise.reject(new Error(`it ended with code ${code}`))),
      ]);
    } catch (error) {
      const said = await tail(logFile);
      await server.stop();
      throw new Error(`${spec.title} on 127.0.0.1:${port} did not start: ${messageOf(error)}\n${said}`, {
        cause: error,
      });
    } finally {
      asking.abort();
    }
    return {
      url,
      port,
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

async function answers(url: string, spec: LocalServerSpec, signal: AbortSignal): Promise<void> {
  const { readyPath, isReady, timeoutMs = 60_000 } = spec;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const last = await fetch(new URL(readyPath, url), { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }).then(
      async (response) => {
        await response.body?.cancel();
        return isReady(response) ? undefined : `status ${response.status}`;
      },
      (error: unknown) => messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error),
    );
    if (last === undefined) return;
    if (performance.now() > deadline) {
      throw new Error(`${readyPath} was not answered as it should be for ${timeoutMs} ms; the last answer: ${last}`);
    }
    await delay(ASK_AGAIN_MS, undefined, { signal });
  }
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
