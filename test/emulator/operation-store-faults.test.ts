import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import type { OperationStore } from '../../src/operations/ports.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { NOW } from '../contract/operation-records.ts';
import { createOperationsTable } from '../contract/operations-table.ts';
import { type Ministack, startMinistack } from '../toolchain/ministack.ts';
import { type Fault, type FaultyProxy, openFaultyProxy } from './faulty-proxy.ts';
import { CALLS, type Call, newScene } from './operation-store-calls.ts';

/** How often the client tries a call. */
const ATTEMPTS = 3;

let emulator: Ministack;
let proxy: FaultyProxy;

beforeAll(async () => {
  emulator = await startMinistack();
  proxy = await openFaultyProxy(emulator.url);
});

afterAll(async () => {
  await proxy?.close();
  await emulator?.stop();
});

/** A client of its own: one that had many errors before tries less often. */
function connect(endpoint: string, options: DynamoDBClientConfig = {}): DynamoDBClient {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = emulator.env;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const client = new DynamoDBClient({ endpoint, region, credentials, ...options });
  onTestFinished(() => client.destroy());
  return client;
}

/** A store behind the proxy, what others use meanwhile, and a scene that is set on it. */
async function setUp(fault?: Fault) {
  const sound = connect(emulator.url);
  const requestHandler = { requestTimeout: fault === 'never there' ? 500 : 30_000, throwOnRequestTimeout: true };
  const faulty = connect(proxy.url, { maxAttempts: ATTEMPTS, requestHandler });
  const tableName = await createOperationsTable(sound);
  const others = createDynamoOperationStore({ client: sound, tableName });
  const scene = newScene();
  await others.create(scene.stored, NOW);
  proxy.takeCalls();
  return { store: createDynamoOperationStore({ client: faulty, tableName }), others, scene };
}

async function expectStored(others: OperationStore, records: readonly OperationRecord[]): Promise<void> {
  const byToken = (a: OperationRecord, b: OperationRecord) => (a.token < b.token ? -1 : 1);
  const { records: stored } = await others.list({}, { limit: 100 });
  expect(stored.toSorted(byToken)).toStrictEqual(records.toSorted(byToken));
}

const calls = Object.entries<Call>(CALLS);

describe('a call of the store of operations', () => {
  it.each(calls)('%s asks DynamoDB for no more than it needs', async (_, { run, result, leaves, asks }) => {
    const { store, others, scene } = await setUp();
    expect(await run(store, scene)).toStrictEqual(result(scene));
    expect(proxy.takeCalls()).toEqual(asks);
    await expectStored(others, leaves(scene));
  });

  /** What each call rejects with where this goes wrong each time that the client tries. */
  const FAULTS: readonly (readonly [Fault, RegExp])[] = [
    ['a throttle', /^ProvisionedThroughputExceededException/],
    ['an error', /^InternalServerError/],
    ['a reset', /ECONNRESET|socket hang up/],
    ['lost', /ECONNRESET|socket hang up/],
    ['never there', /^TimeoutError/],
  ];
  const everyCallAndFault = calls.flatMap(([name, call]) =>
    FAULTS.map(([fault, error]) => [name, fault, call, error] as const),
  );

  it.each(everyCallAndFault)(
    '%s does the same as ever where the first answer is %s',
    async (_, fault, { run, result, leaves, asks }) => {
      const { store, others, scene } = await setUp(fault);
      proxy.failNext(fault, 1);
      expect(await run(store, scene)).toStrictEqual(result(scene));
      expect(proxy.takeCalls().length).toBeGreaterThan(asks.length);
      await expectStored(others, leaves(scene));
    },
  );

  it.each(everyCallAndFault)(
    '%s rejects where each answer is %s, and does the same as ever when its caller repeats it',
    async (_, fault, { run, result, leaves }, error) => {
      const { store, others, scene } = await setUp(fault);
      proxy.failNext(fault, Number.POSITIVE_INFINITY);
      const failure = await run(store, scene).catch((thrown: unknown) => thrown);
      expect(String(failure)).toMatch(error);
      expect(proxy.takeCalls().length % ATTEMPTS).toBe(0);
      proxy.failNext(fault, 0);
      expect(await run(store, scene)).toStrictEqual(result(scene));
      await expectStored(others, leaves(scene));
    },
  );
});

describe('a write whose answers were all lost, and after which somebody else wrote, when it is repeated', () => {
  it.each<[string, Call, 'fresh' | 'stored', unknown]>([
    ['is done, where it was a create: the token says so', CALLS.create, 'fresh', undefined],
    ['comes too late, where it was a claim', CALLS.claim, 'stored', undefined],
    ['comes too late, where it was an update', CALLS.update, 'stored', false],
  ])('%s, and writes nothing', async (_, { run }, written, result) => {
    const { store, others, scene } = await setUp();
    proxy.failNext('lost', ATTEMPTS);
    await expect(run(store, scene)).rejects.toThrow();
    const read = await others.get(scene[written].token);
    const theirs = { ...read!, version: read!.version + 1, wakeUps: 7 };
    expect(await others.update(read!, theirs)).toBe(true);
    expect(await run(store, scene)).toBe(result);
    expect(await others.get(theirs.token)).toStrictEqual(theirs);
  });
});
