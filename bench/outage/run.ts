/*
 * Takes a handler function down for ten minutes under the load of a real Temporal server, and shows what its callers see:
 *
 *     node bench/outage/run.ts                     its capacity is taken away
 *     node bench/outage/run.ts --failing           it fails at every request, and its failures are absorbed
 *     … --minutes 10 --rate 2                      for so long, with so many calls a second
 *
 * Fails where a caller's pending operation ever is BLOCKED, where one is lost, or where the last is done more than two
 * minutes after the handler is back. Needs `npm run build` first.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  DeleteFunctionConcurrencyCommand,
  GetAliasCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { emulatedApi } from '../../test/deploy/emulated-api.ts';
import { cdkBootstrap, cdkDeploy } from '../../test/toolchain/cdk.ts';
import { startMinistack } from '../../test/toolchain/ministack.ts';
import { startTemporal } from '../../test/toolchain/temporal-server.ts';

const { PENDING_NEXUS_OPERATION_STATE_BLOCKED: BLOCKED } = proto.temporal.api.enums.v1.PendingNexusOperationState;
const MOST_MS_AFTER = 120_000;
const LOOK_EVERY_MS = 10_000;

const { values } = parseArgs({
  options: {
    failing: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '2' },
  },
});
const [minutes, rate] = [positive('minutes', values.minutes), positive('rate', values.rate)];

function positive(name: string, text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  console.error(`--${name} is "${text}"; it takes a number above 0`);
  process.exit(2);
}

const ends: (() => Promise<unknown>)[] = [];
const began = performance.now();
const say = (text: string) => console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${text}`);

try {
  const failure = await run();
  if (failure !== undefined) {
    console.error(`FAILED: ${failure}`);
    process.exitCode = 1;
  }
} finally {
  for (const end of ends.reverse()) await end().catch((error: unknown) => console.error(error));
}

/** What went wrong, if anything did. */
async function run(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-lambda-outage-'));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const outageFile = join(folder, 'outage');

  say('deploying to an emulator of AWS');
  const emulator = await startMinistack();
  ends.push(() => emulator.stop());
  await cdkBootstrap(emulator);
  const deployed = await cdkDeploy({
    emulator,
    app: 'node --conditions=nexus-lambda-source --disable-warning=ExperimentalWarning bench/outage/app.ts',
    env: { OUTAGE_FILE: outageFile },
    cwd: join(import.meta.dirname, '../..'),
  });
  const { ApiId, ShopFunction, Queue, DeadLetterQueue } = deployed.Outage as Record<string, string>;
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = emulator.env;
  const options = { endpoint: emulator.url, region, credentials: { accessKeyId, secretAccessKey } };
  const [lambda, sqs] = [new LambdaClient(options), new SQSClient(options)];
  // What SQS waits before a message comes again whose function had no room: on AWS six of the function's timeouts.
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: Queue, Attributes: { VisibilityTimeout: '12' } }));

  say('starting Temporal');
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
  const [server, workflowBundle] = await Promise.all([
    startTemporal({ version: 'new' }),
    bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') }),
  ]);
  ends.push(() => server.stop());
  const native = await NativeConnection.connect({ address: server.address });
  ends.push(() => native.close());
  const worker = await Worker.create({ connection: native, taskQueue: 'callers', workflowBundle });
  const working = worker.run();
  ends.push(async () => {
    worker.shutdown();
    await working;
  });
  const connection = await Connection.connect({ address: server.address });
  ends.push(() => connection.close());
  const client = new Client({ connection });
  const base = emulatedApi(emulator, ApiId ?? '').url.replace('://', '://shop:password@');
  const url = `${base}/basic/nexus/endpoints/shop/services`;
  await connection.operatorService.createNexusEndpoint({ spec: { name: 'shop', target: { external: { url } } } });

  const open = new Map<number, WorkflowHandle>();
  const wrong: string[] = [];
  const isWrong = (what: string) => {
    wrong.push(what);
    if (wrong.length === 1) say(`the first that is wrong: ${what}`);
  };
  let started = 0;
  async function call(): Promise<void> {
    const number = ++started;
    const handle = await client.workflow.start('order', {
      taskQueue: 'callers',
      workflowId: `order-${randomUUID()}`,
      args: [number],
    });
    open.set(number, handle);
    handle.result().then(
      (result) => {
        if (result !== number) isWrong(`order ${number} got ${result}`);
        open.delete(number);
      },
      (error: Error) => {
        isWrong(`order ${number} failed: ${error.cause ?? error}`);
        open.delete(number);
      },
    );
  }

  /** Whether an operation of these callers is blocked by Temporal's own circuit breaker. */
  async function look(): Promise<void> {
    for (const [number, handle] of [...open].slice(-20)) {
      const { raw } = await handle.describe();
      const pending = raw.pendingNexusOperations ?? [];
      const blocked = pending.find(({ state }) => state === BLOCKED);
      if (blocked !== undefined) {
        isWrong(`order ${number} is BLOCKED: ${blocked.blockedReason}; ${blocked.lastAttemptFailure?.message}`);
      }
    }
  }

  async function load(seconds: number, title: string): Promise<void> {
    const until = performance.now() + seconds * 1_000;
    for (let next = performance.now(), lookAt = next + LOOK_EVERY_MS; next < until; next += 1_000 / rate) {
      await wait(Math.max(0, next - performance.now()));
      await call();
      if (performance.now() < lookAt) continue;
      await look();
      say(`${title}: ${started} calls, ${open.size} wait, ${wrong.length} wrong`);
      lookAt = performance.now() + LOOK_EVERY_MS;
    }
  }

  // What starts for the first time here takes seconds, and Temporal's breaker opens where a server is that slow.
  await call();
  while (open.size > 0 && wrong.length === 0) await wait(100);
  await load(10, 'the handler is up');
  say(values.failing ? 'the handler fails from now on' : 'the handler has no capacity from now on');
  const bringBack = values.failing ? await fail(outageFile) : await close(lambda, ShopFunction ?? '');
  await load(minutes * 60, 'the handler is down');
  await bringBack();
  say(`the handler is back: ${open.size} of ${started} calls wait`);
  const backAt = performance.now();
  while (open.size > 0 && performance.now() - backAt < 2 * MOST_MS_AFTER) {
    await wait(1_000);
    if (Math.floor((performance.now() - backAt) / 1_000) % 10 === 0) say(`${open.size} calls wait`);
  }
  const afterMs = performance.now() - backAt;
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: DeadLetterQueue, AttributeNames: [...names] }),
  );
  const deadLetters = Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0);
  say(`${started} calls; the last was done ${(afterMs / 1_000).toFixed(0)} s after the handler was back`);
  if (wrong.length > 0) return `${wrong.length} are wrong, such as: ${wrong.slice(0, 5).join('; ')}`;
  if (open.size > 0) return `${open.size} calls were not done`;
  if (deadLetters > 0) return `${deadLetters} operations are dead-lettered`;
  return afterMs > MOST_MS_AFTER ? 'it took more than two minutes' : undefined;
}

async function fail(outageFile: string): Promise<() => Promise<void>> {
  await writeFile(outageFile, '');
  return () => rm(outageFile);
}

async function close(lambda: LambdaClient, FunctionName: string): Promise<() => Promise<void>> {
  const alias = { FunctionName, Name: 'live' };
  const { FunctionVersion } = await lambda.send(new GetAliasCommand(alias));
  // Where an alias names a published version, the emulator lets all through.
  await lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion: '$LATEST' }));
  await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
  return async () => {
    await lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    await lambda.send(new UpdateAliasCommand({ ...alias, FunctionVersion }));
  };
}
