import { CreateFunctionCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { singleFileZip } from '../deploy/single-file-zip.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { type Fault, type FaultyProxy, openFaultyProxy } from './faulty-proxy.ts';
import { ROWS, STEPS, type Step } from './queued-life.ts';
import { openQueuedWorld, type QueuedWorld, type QueuedWorldOptions } from './queued-world.ts';

let emulator: Ministack;
let proxy: FaultyProxy;
let secretArn: string;
let functionArn: string;

const CANCELS = `exports.handler = async () => ({ statusCode: 202, headers: {}, body: '', isBase64Encoded: false });`;

beforeAll(async () => {
  emulator = await startMinistack();
  proxy = await openFaultyProxy(emulator.url);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = emulator.env;
  const options = { endpoint: emulator.url, region, credentials: { accessKeyId, secretAccessKey } };
  const secrets = new SecretsManagerClient(options);
  const lambda = new LambdaClient(options);
  const secret = await secrets.send(new CreateSecretCommand({ Name: 'temporal', SecretString: 'Bearer temporal' }));
  secretArn = secret.ARN ?? '';
  const created = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: 'cancels',
      Runtime: 'nodejs24.x',
      Role: 'arn:aws:iam::000000000000:role/cancels',
      Handler: 'index.handler',
      Code: { ZipFile: singleFileZip('index.js', CANCELS) },
      Publish: true,
    }),
  );
  functionArn = `${created.FunctionArn}`;
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 60 }, { FunctionName: 'cancels' });
  secrets.destroy();
  lambda.destroy();
});

afterAll(async () => {
  await proxy?.close();
  await emulator?.stop();
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  for (const [name, value] of Object.entries(emulator.env)) vi.stubEnv(name, value);
  for (const level of ['warn', 'error'] as const) vi.spyOn(console, level).mockImplementation(() => {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

async function setUp({
  settings,
  completionReceives,
}: Pick<QueuedWorldOptions, 'settings' | 'completionReceives'> = {}): Promise<QueuedWorld> {
  const world = await openQueuedWorld({
    ...{ emulator, secretArn, functionArn, awsUrl: proxy.url },
    ...(settings && { settings }),
    ...(completionReceives && { completionReceives }),
  });
  onTestFinished(() => world.close());
  return world;
}

const MOST_ROUNDS = 6;

/** Messages that are there are taken, and time passes for the reconciler, until all is done. */
async function goOn(world: QueuedWorld, isDone: Step['isDone']): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (let found = true; found; ) {
      const taken = [await world.takeTask(), await world.takeCompletion()];
      expect(taken).not.toContain('comes again');
      found = taken.some((message) => message !== undefined);
    }
    if (await isDone(world)) return;
    world.passHours(2);
    expect(await world.reconcile()).toBe('looks after it');
  }
  expect.unreachable(`it is not done after ${MOST_ROUNDS} rounds: ${JSON.stringify(await world.record())}`);
}

/** What came of a step in which this call went wrong each time that it was tried. */
async function observe(
  world: QueuedWorld,
  step: Step,
  fault: Fault,
  call: (typeof ROWS)[number]['call'],
): Promise<string> {
  await step.prepare(world);
  proxy.failCall(fault, call);
  let said = await step.act(world);
  expect(proxy.heal()).toBeGreaterThan(0);
  if (step.repeat && said.startsWith('5')) said += `, then ${await step.repeat(world)}`;
  await step.lose?.(world);
  await goOn(world, step.isDone);
  const before = await world.record();
  // Nothing is left that would do anything to it.
  world.passHours(24);
  await goOn(world, step.isDone);
  expect((await world.record()).outcome).toStrictEqual(before.outcome);
  let deadLetters = 0;
  while ((await world.deadLetter()) !== undefined) deadLetters++;
  const counts = { run: world.runs(), completion: world.completions(), 'dead letter': deadLetters };
  const seen = Object.entries(counts).filter(([, count]) => count > 0);
  return [said, ...seen.map(([what, count]) => `${count} ${what}${count === 1 ? '' : 's'}`)].join(', ');
}

const NEVER: readonly Fault[] = ['a throttle', 'a reset'];
const LOST: readonly Fault[] = ['lost', 'never there'];

describe('a call of AWS in the life of a queued operation', () => {
  const cells = ROWS.flatMap((row) => [
    ...NEVER.map((fault) => ({ ...row, fault, expected: row.never })),
    ...LOST.map((fault) => ({ ...row, fault, expected: row.lost })),
  ]);

  it.each(cells)('by the $who to $step: $call.name $call.nth ($what), where its answer is $fault', async (cell) => {
    const step: Step = STEPS[cell.step];
    const world = await setUp(step);
    expect(await observe(world, step, cell.fault, cell.call)).toBe(cell.expected);
  });
});

it('a completion whose message is given up, since its record could not be written, goes on from the record', async () => {
  const world = await setUp({ completionReceives: 2 });
  await STEPS.complete.prepare(world);
  proxy.failNext('a reset', Number.POSITIVE_INFINITY);
  for (let receives = 1; receives <= 2; receives++) expect(await world.takeCompletion()).toBe('comes again');
  proxy.failNext('a reset', 0);
  expect(await world.takeCompletion()).toBeUndefined();
  expect(await world.undeliverable()).toContain('"nexusCompletion":1');
  expect((await world.record()).completion).toMatchObject({ state: 'pending', attempts: 0 });
  world.passHours(2);
  expect(await world.reconcile()).toBe('looks after it');
  expect(await world.takeCompletion()).toBe('taken');
  expect((await world.record()).completion).toMatchObject({ state: 'delivered', attempts: 1 });
  expect(world.completions()).toBe(1);
});

it('what was taken out is in the dead-letter queue with its reason, once, where nothing went wrong', async () => {
  const step = STEPS['take out'];
  const world = await setUp(step);
  await step.prepare(world);
  expect(await step.act(world)).toBe('message taken');
  await goOn(world, step.isDone);
  expect(JSON.parse((await world.deadLetter()) ?? '')).toMatchObject({
    attempt: 1,
    reason: '1 attempts crashed; the log of invocation i says why',
  });
  expect(await world.deadLetter()).toBeUndefined();
});

it('an attempt whose environment ended counts for the circuit, once, as the next one begins', async () => {
  const world = await setUp({ settings: { retryInitialMs: 100, retryMaxMs: 1_000 } });
  await world.start();
  await world.crashTask();
  expect(await world.circuit()).toBeUndefined();
  world.passHours(1);
  expect(await world.reconcile()).toBe('looks after it');
  world.passHours(1);
  world.answers.push('failure');
  await expect.poll(world.takeTask, { timeout: 10_000 }).toBe('taken');
  const circuit = {
    status: 'closed',
    streak: 1,
    lastFailure: { message: expect.stringMatching(/^attempt 1 never ended/) },
  };
  expect(await world.circuit()).toMatchObject(circuit);
  expect(await world.record()).toMatchObject({ state: 'queued', attempt: 3, crashes: 1 });
  world.passHours(1);
  expect(await world.reconcile()).toBe('looks after it');
  await expect.poll(world.takeTask, { timeout: 10_000 }).toBe('taken');
  expect(await world.circuit()).toMatchObject({ ...circuit, streak: 0 });
});
