/*
 * `npm start`: the sample services in `nexus-lambda dev`, and behind them, where it can be had, a Temporal server with
 * a caller workflow that calls them once.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync, globSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { styleText } from 'node:util';
import type { RunningTemporal } from '../../test/toolchain/temporal-server.ts';

const root = join(import.meta.dirname, '../..');
const PORT = Number(process.env.PORT ?? 9233);
const MAIN = 'dist/src/cli/main.js';

const SAME_KEYPRESS_MS = 300;

const stopping = new AbortController();
let stoppingAt = 0;
const closers: (() => Promise<unknown>)[] = [];
const PREFIX = `${styleText('magenta', 'demo')}  `;
const say = (line: string) => console.log(PREFIX + line);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second Ctrl-C does not wait. (What npm passes on of the first comes at once.)
    if (stopping.signal.aborted && performance.now() - stoppingAt > SAME_KEYPRESS_MS) {
      dev.kill('SIGKILL');
      process.exit(1);
    }
    if (stopping.signal.aborted) return;
    stoppingAt = performance.now();
    stopping.abort();
    void stop(0);
  });
}

buildIfStale();
const [grpc, http, ui] = await temporalPorts();
const dev = startDev(`127.0.0.1:${grpc}`);
dev.once('exit', (code) => {
  if (!stopping.signal.aborted) void stop(code ?? 1);
});
// Not beside it: the operations are what somebody waits for, and the server takes a core for a while.
await serving(dev);
try {
  const temporal = await temporalServer();
  if (temporal !== undefined) await callFromWorkflow(temporal);
} catch (error) {
  if (!stopping.signal.aborted) {
    say(styleText('yellow', error instanceof Error ? error.message : String(error)));
    say('the sync operation is served all the same; `onboard` starts a workflow and needs a Temporal server');
  }
}

function startDev(temporalAddress: string): ChildProcess {
  const main = join(root, MAIN);
  const services = join(root, 'functions/greeting/handler.ts');
  const options = ['--endpoint', 'greeting', '--port', String(PORT), '--temporal-address', temporalAddress];
  // The demo has a Temporal server of its own: settings of another one are not for it.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  const env = {
    ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
    ...Object.fromEntries(inherited),
    TEMPORAL_CONFIG_FILE: join(root, 'no-such-file.toml'),
  };
  // A process group of its own: a Ctrl-C of the terminal reaches this script only, which then ends it in order.
  const child = spawn(process.execPath, [main, 'dev', services, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env,
  });
  child.stdout.pipe(process.stdout, { end: false });
  closers.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return child;
}

async function serving({ stdout }: ChildProcess): Promise<void> {
  if (stdout === null) return;
  let said = '';
  for await (const [chunk] of on(stdout, 'data', { close: ['end'] })) {
    said += chunk;
    if (said.includes('listening on')) return;
  }
}

async function temporalServer(): Promise<RunningTemporal | undefined> {
  const { ensureTemporalCli } = await import('../../test/toolchain/temporal-binaries.ts');
  const { startTemporal } = await import('../../test/toolchain/temporal-server.ts');
  const { createProgress } = await import('../../test/toolchain/progress.ts');
  const progress = createProgress(process.stdout, () => performance.now(), PREFIX);
  const cli = await ensureTemporalCli({ onProgress: progress.show }).finally(progress.done);
  if (stopping.signal.aborted) return undefined;
  say('starting a Temporal dev server');
  const temporal = await startTemporal({ version: { cli }, ui: true, ports: { grpc, http, ui } });
  closers.unshift(() => temporal.stop());
  return stopping.signal.aborted ? undefined : temporal;
}

async function callFromWorkflow(temporal: RunningTemporal): Promise<void> {
  say(`Temporal is at ${temporal.address}, its UI at ${temporal.uiUrl}; bundling the sample's workflows for a worker`);
  const { pointEndpoint, quietWorkers, startDemoWorker } = await import('./run-caller.ts');
  quietWorkers();
  const worker = await startDemoWorker(temporal.address);
  closers.unshift(() => worker.stop());
  await pointEndpoint(worker.client, 'greeting', `http://127.0.0.1:${PORT}/nexus/endpoints/greeting/services`);
  say("calling both operations from a workflow, through the external Nexus endpoint 'greeting'");
  const { result, uiPaths } = await worker.runCaller('Ada');
  say(`hello    ${styleText('green', JSON.stringify(result.hello))}`);
  say(`onboard  ${styleText('green', JSON.stringify(result.onboard))}`);
  say('its links, to follow in the UI:');
  for (const path of uiPaths) say(`  ${temporal.uiUrl}${path}`);
  say('Ctrl-C ends all of it');
}

/** `npm ci` builds; a changed source, or an install without scripts, makes it stale. */
function buildIfStale(): void {
  const newest = Math.max(...globSync('src/**/*.ts', { cwd: root }).map((file) => statSync(join(root, file)).mtimeMs));
  const built = join(root, MAIN);
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return;
  say('building nexus-lambda');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
}

async function stop(code: number): Promise<void> {
  // What was started last ends first.
  for (let close = closers.shift(); close; close = closers.shift())
    await close().catch((error: unknown) => say(`while ending: ${String(error)}`));
  process.exit(code);
}

/** Temporal's own ports where they are free, since people know them by heart. */
async function temporalPorts(): Promise<[number, number, number]> {
  const usual: [number, number, number] = [7233, 7243, 8233];
  const free = await Promise.all(usual.map(isFree));
  if (free.every(Boolean)) return usual;
  const { freePorts } = await import('../../test/toolchain/free-ports.ts');
  const [grpcPort, httpPort, uiPort] = await freePorts(3);
  return [grpcPort ?? 0, httpPort ?? 0, uiPort ?? 0];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
