/*
 * `npm start`: the sample services in `nexus-lambda dev`, and behind them, where it can be had, a Temporal server with
 * a caller workflow that calls them once.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { freePorts } from '../../test/toolchain/free-ports.ts';
import { ensureTemporalCli } from '../../test/toolchain/temporal-binaries.ts';
import { type RunningTemporal, startTemporal } from '../../test/toolchain/temporal-server.ts';

const PORT = Number(process.env.PORT ?? 9233);

const stopping = new AbortController();
const closers: (() => Promise<unknown>)[] = [];
const say = (line: string) => console.log(`${styleText('magenta', 'demo')}  ${line}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second Ctrl-C does not wait.
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort();
    void stop(0);
  });
}

const [grpc, http, ui] = await temporalPorts();
const dev = startDev(`127.0.0.1:${grpc}`);
dev.once('exit', (code) => {
  if (!stopping.signal.aborted) void stop(code ?? 1);
});
try {
  await runTemporal();
} catch (error) {
  if (!stopping.signal.aborted) {
    say(styleText('yellow', `no Temporal server: ${error instanceof Error ? error.message : String(error)}`));
    say('the sync operation is served all the same; `onboard` starts a workflow and needs the server');
  }
}

function startDev(temporalAddress: string): ChildProcess {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const services = fileURLToPath(new URL('../greeting/handler.ts', import.meta.url));
  const options = ['--endpoint', 'greeting', '--port', String(PORT), '--temporal-address', temporalAddress];
  // A process group of its own: a Ctrl-C of the terminal reaches this script only, which then ends it in order.
  const child = spawn(process.execPath, [...process.execArgv, main, 'dev', services, ...options], {
    stdio: 'inherit',
    detached: true,
  });
  closers.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return child;
}

async function runTemporal(): Promise<void> {
  const cli = await ensureTemporalCli({ onProgress: say });
  if (stopping.signal.aborted) return;
  say('starting a Temporal dev server');
  const temporal: RunningTemporal = await startTemporal({ version: { cli }, ui: true, ports: { grpc, http, ui } });
  closers.unshift(() => temporal.stop());
  if (stopping.signal.aborted) return;
  say(`Temporal is at ${temporal.address}, its UI at ${temporal.uiUrl}; bundling the sample's workflows for a worker`);
  // Loaded now, since its native library would keep the sync operations waiting.
  const { pointEndpoint, startDemoWorker } = await import('./run-caller.ts');
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

async function stop(code: number): Promise<void> {
  // What was started last ends first.
  for (const close of closers) await close().catch((error: unknown) => say(`while ending: ${String(error)}`));
  process.exit(code);
}

/** Temporal's own ports where they are free, since people know them by heart. */
async function temporalPorts(): Promise<[number, number, number]> {
  const usual: [number, number, number] = [7233, 7243, 8233];
  const free = await Promise.all(usual.map(isFree));
  if (free.every(Boolean)) return usual;
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
