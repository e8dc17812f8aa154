import { randomBytes } from 'node:crypto';
import {
  type AttributeValue,
  DynamoDBClient,
  type DynamoDBClientConfig,
  type QueryCommandInput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createDynamoOperationStore } from '../../src/aws/dynamodb-operation-store.ts';
import { itemKey } from '../../src/aws/operation-item.ts';
import { RecordTooLargeError } from '../../src/operations/errors.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { attemptEnded } from '../../src/operations/transitions.ts';
import type { AwsVariables } from '../toolchain/aws-variables.ts';
import { CLAIM, claimedRecord, NOW, newRecord } from './operation-records.ts';
import { describeOperationStore } from './operation-store.contract.ts';
import { createOperationsTable } from './operations-table.ts';

/** A server that speaks DynamoDB. */
interface Emulator {
  readonly env: AwsVariables;
  stop(): Promise<void>;
}

/** What the adapter for DynamoDB does on this emulator, the contract of all adapters included. */
export function describeDynamoOperationStore(name: string, start: () => Promise<Emulator>): void {
  let emulator: Emulator | undefined;
  let client: DynamoDBClient;
  let options: DynamoDBClientConfig;

  beforeAll(async () => {
    emulator = await start();
    const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = emulator.env;
    const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
    options = { endpoint: AWS_ENDPOINT_URL, region: AWS_REGION, credentials };
    client = new DynamoDBClient(options);
  });

  afterAll(async () => {
    client?.destroy();
    await emulator?.stop();
  });

  async function setUp() {
    const tableName = await createOperationsTable(client);
    return { tableName, store: createDynamoOperationStore({ client, tableName }) };
  }

  describeOperationStore(name, async () => (await setUp()).store, { runs: 15 });

  describe(`the store of operations on ${name}, by itself,`, () => {
    const claim = { ...CLAIM, attempt: 1 };

    /** A client of its own, to which a page of an index is three items, as 1 MB is to DynamoDB. */
    function withSmallPages(): DynamoDBClient {
      const own = new DynamoDBClient(options);
      onTestFinished(() => own.destroy());
      own.middlewareStack.add(
        (next) => (args) => {
          const { IndexName, Limit = 3 } = args.input as QueryCommandInput;
          return next(
            IndexName === undefined ? args : { ...args, input: { ...args.input, Limit: Math.min(Limit, 3) } },
          );
        },
        { step: 'initialize' },
      );
      return own;
    }

    function startWith(body: Buffer) {
      return { service: 's', operation: 'o', headers: {}, query: '', body: body.toString('base64') };
    }

    it('lists and counts more than a page of each shard', async () => {
      const { store } = await setUp();
      // The name of the endpoint is in the index: seven of its items are a page of 1 MB.
      const endpoint = 'e'.repeat(150_000);
      const records = Array.from({ length: 120 }, (_, n) => newRecord({ endpoint, acceptedAt: NOW + n }));
      await Promise.all(records.map((record) => store.create(record, NOW)));
      expect(await store.count({ endpoint })).toMatchObject({ counts: { queued: 120 } });
      const { records: found } = await store.list({ state: 'queued' }, { limit: 120 });
      expect(found.map(({ token }) => token)).toEqual(records.map(({ token }) => token).toReversed());
    });

    it('lists and counts what takes more queries than a call makes, call by call, none twice and none left out', async () => {
      const { tableName } = await setUp();
      const store = createDynamoOperationStore({ client: withSmallPages(), tableName });
      const endpoint = 'shop';
      // Four queries of each shard read a dozen of some twenty.
      const records = Array.from({ length: 160 }, (_, n) =>
        newRecord({ endpoint, acceptedAt: NOW + Math.floor(n / 2) }),
      );
      for (const record of records) await store.create(record, NOW);
      const wanted = records.filter((_, n) => n % 20 === 0);
      const inOrder = wanted.map(({ token }) => token).toReversed();
      for (const record of wanted) expect(await store.update(record, claimedRecord(record))).toBe(true);

      let [calls, from]: [number, string | undefined] = [0, undefined];
      const found: string[] = [];
      do {
        const page = await store.list({ state: 'claimed' }, { limit: 100, ...(from !== undefined && { from }) });
        found.push(...page.records.map(({ token }) => token));
        from = page.next;
        calls++;
      } while (from !== undefined);
      expect(found).toEqual(inOrder);
      expect(calls).toBeGreaterThan(1);

      const sum = { queued: 0, claimed: 0 };
      for (calls = 0; calls === 0 || from !== undefined; calls++) {
        const { counts, next } = await store.count({ endpoint }, from);
        sum.queued += counts.queued;
        sum.claimed += counts.claimed;
        from = next;
      }
      expect(sum).toEqual({ queued: 152, claimed: 8 });
      expect(calls).toBeGreaterThan(1);
    });

    it('keeps a body of 2 MiB that can be compressed', async () => {
      const { store } = await setUp();
      const lines = Array.from({ length: 40_000 }, (_, n) => ({
        sku: `sku-${(n * 7_919) % 100_000}`,
        quantity: n % 7,
      }));
      const body = Buffer.from(JSON.stringify(lines).padEnd(2 * 1024 * 1024));
      const record = newRecord({ start: startWith(body) });
      expect(await store.create(record, NOW)).toBeUndefined();
      expect(await store.get(record.token)).toStrictEqual(record);
    });

    it.each([384 * 1024, 2 * 1024 * 1024])(
      'refuses a record with %i bytes that cannot be compressed',
      async (bytes) => {
        const { store } = await setUp();
        const record = newRecord({ start: startWith(randomBytes(bytes)) });
        const failure = store.create(record, NOW);
        await expect(failure).rejects.toThrow(RecordTooLargeError);
        await expect(failure).rejects.toMatchObject({ limit: 384 * 1024 });
        const { bytes: given } = (await failure.catch((error: unknown) => error)) as RecordTooLargeError;
        expect(given).toBeGreaterThan(bytes);
        expect(given).toBeLessThan(bytes * 1.02 + 1_000);
        expect(await store.get(record.token)).toBeUndefined();
      },
    );

    it('can claim and end whatever it took', async () => {
      const { store } = await setUp();
      const record = newRecord({ start: startWith(randomBytes(389_000)), callback: { url: 'http://a', headers: {} } });
      expect(await store.create(record, NOW)).toBeUndefined();
      const claimed = await store.claim(record.token, claim, NOW);
      const failure = { message: 'no'.repeat(2_000) };
      const result = { kind: 'ended', outcome: { state: 'failed', failure, links: [], at: NOW } } as const;
      const ended = attemptEnded(claimed!, { attempt: 1, result, now: NOW, random: 0 })!.record;
      expect(await store.update(claimed!, ended)).toBe(true);
      expect(await store.get(record.token)).toStrictEqual(ended);
    });

    it.each([200_000, 2 * 1024 * 1024])(
      'refuses an outcome of %i bytes that does not fit beside the start',
      async (size) => {
        const { store } = await setUp();
        const record = newRecord({ start: startWith(randomBytes(300_000)) });
        await store.create(record, NOW);
        const claimed = await store.claim(record.token, claim, NOW);
        const payload = { data: randomBytes(size).toString('base64') };
        const result = { kind: 'ended', outcome: { state: 'succeeded', payload, links: [], at: NOW } } as const;
        const ended = attemptEnded(claimed!, { attempt: 1, result, now: NOW, random: 0 })!.record;
        const failure = store.update(claimed!, ended);
        await expect(failure).rejects.toThrow(RecordTooLargeError);
        await expect(failure).rejects.toThrow(/ takes \d{6,7} bytes, and the limit is 409600; pass a reference/);
        expect(await store.get(record.token)).toStrictEqual(claimed);
      },
    );

    it('fails where a token leads to no key, before anything is written', async () => {
      const { store } = await setUp();
      await expect(store.create({ ...newRecord(), token: 'mine' }, NOW)).rejects.toThrow(TypeError);
      expect(await store.count({})).toMatchObject({ counts: { queued: 0 } });
    });

    it.each<[string, string, Record<string, AttributeValue>]>([
      ['no policy', 'REMOVE #policy', {}],
      ['an attempt that is no number', 'SET attempt = :value', { ':value': { S: '1' } }],
      ['a start that is not compressed', 'SET #start = :value', { ':value': { B: Buffer.from('{}') } }],
      ['a completion that is no JSON', 'SET completion = :value', { ':value': { S: '{' } }],
    ])('fails naming table and key where an item has %s', async (_, expression, values) => {
      const { store, tableName } = await setUp();
      const record = newRecord();
      await store.create(record, NOW);
      const [, name] = /#(\w+)/.exec(expression) ?? [];
      await client.send(
        new UpdateItemCommand({
          TableName: tableName,
          Key: itemKey(record.token),
          UpdateExpression: expression,
          ...(name && { ExpressionAttributeNames: { [`#${name}`]: name } }),
          ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
        }),
      );
      const problem = `the item pk = "${record.token.slice(0, 43)}" of table ${tableName} is no operation that this version`;
      await expect(store.get(record.token)).rejects.toThrow(problem);
      await expect(store.create(newRecord({ key: record.key }), NOW)).rejects.toThrow(problem);
      await expect(store.list({}, { limit: 1 })).rejects.toThrow(problem);
    });

    it('fails naming the table where there is none', async () => {
      const store = createDynamoOperationStore({ client, tableName: 'missing' });
      const record = newRecord();
      const attempts: (() => Promise<unknown>)[] = [
        () => store.create(record, NOW),
        () => store.get(record.token),
        () => store.claim(record.token, claim, NOW),
        () => store.update(record, { ...record, version: 2 } satisfies OperationRecord),
        () => store.due(NOW, 1),
        () => store.list({}, { limit: 1 }),
        () => store.count({}),
      ];
      for (const attempt of attempts) {
        await expect(attempt()).rejects.toThrow(
          'there is no table missing of operations; deploy the stack of its NexusGateway first',
        );
      }
    });
  });
}
