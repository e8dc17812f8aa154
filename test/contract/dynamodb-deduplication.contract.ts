import { CreateTableCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANSWERS } from '../../src/aws/contract.ts';
import { createDynamoAnswers, MAX_ANSWER_BYTES } from '../../src/aws/dynamodb-answers.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { createDeduplication } from '../../src/router/deduplication.ts';
import { recordingLogger } from '../handler/recording-logger.ts';
import type { AwsVariables } from '../toolchain/aws-variables.ts';
import { describeDeduplication, START } from './deduplication.contract.ts';

/** A server that speaks DynamoDB. */
interface Emulator {
  readonly env: AwsVariables;
  stop(): Promise<void>;
}

/** What deduplication does on this emulator, the contract of all adapters included. */
export function describeDynamoDeduplication(name: string, start: () => Promise<Emulator>): void {
  let emulator: Emulator | undefined;
  let client: DynamoDBClient;
  let tables = 0;

  function createClient(options: { endpoint?: string } = {}): DynamoDBClient {
    const { AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } =
      emulator?.env ?? expect.unreachable();
    return new DynamoDBClient({
      endpoint: AWS_ENDPOINT_URL,
      region: AWS_REGION,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
      ...options,
    });
  }

  beforeAll(async () => {
    emulator = await start();
    client = createClient();
  });

  afterAll(async () => {
    client?.destroy();
    await emulator?.stop();
  });

  async function createTable(): Promise<string> {
    const tableName = `answers-${++tables}`;
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: ANSWERS.partitionKey, KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: ANSWERS.partitionKey, AttributeType: 'S' }],
      }),
    );
    return tableName;
  }

  describeDeduplication(name, async () => ({
    createLayer: createDynamoAnswers({ client, tableName: await createTable() }),
    maxAnswerBytes: MAX_ANSWER_BYTES,
  }));

  describe(`deduplication on ${name}, by itself,`, () => {
    const clock = { time: 0, now: () => clock.time };
    const RESULT: NexusHttpResponse = { status: 200, headers: {}, body: new Uint8Array() };

    function deduplicateWith(given: DynamoDBClient, tableName: string) {
      const { lines, logger } = recordingLogger();
      const createLayer = createDynamoAnswers({ client: given, tableName });
      const deduplicate = createDeduplication({ createLayer, logger, clock, random: Math.random });
      let runs = 0;
      const request = (timeMs = 10_000) => {
        const endsAt = Date.now() + timeMs;
        const deliver = async () => {
          runs++;
          return RESULT;
        };
        return deduplicate(START, deliver, () => endsAt - Date.now());
      };
      return { request, lines, runs: () => runs };
    }

    it('knows its own write again where the answer to it was lost, and the client repeated it', async () => {
      const twice = createClient();
      // Each request goes out a second time, and the answer to the first one is never seen.
      twice.middlewareStack.add(
        (next) => async (args) => {
          await next(args).catch(() => {});
          return next(args);
        },
        { step: 'deserialize', priority: 'low' },
      );
      const { request, runs, lines } = deduplicateWith(twice, await createTable());
      expect(await request()).toEqual(RESULT);
      expect(await request()).toMatchObject({ status: 200 });
      expect(runs()).toBe(1);
      expect(lines).toEqual([]);
    });

    it('delivers where the store cannot be reached, each time within half of the time there is, and says so once a second', async () => {
      const nowhere = createClient({ endpoint: 'http://127.0.0.1:1' });
      const { request, runs, lines } = deduplicateWith(nowhere, 'answers');
      const startedAt = performance.now();
      for (let n = 0; n < 3; n++) expect(await request(400)).toEqual(RESULT);
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      clock.time += 1_000;
      expect(await request(400)).toEqual(RESULT);
      expect(runs()).toBe(4);
      const failed = { level: 'warn', message: 'the store of answers failed; this start is delivered' };
      expect(lines).toMatchObject([
        { ...failed, meta: { endpoint: 'shop', operation: 'orders/place', unsaid: 0 } },
        { ...failed, meta: { unsaid: 2 } },
      ]);
    });

    it('gives the answer where the store is lost while the handler runs', async () => {
      const tableName = await createTable();
      const flaky = createClient();
      let broken = false;
      flaky.middlewareStack.add(
        (next) => async (args) => {
          if (broken) throw new Error('connection reset');
          const result = await next(args);
          broken = true;
          return result;
        },
        { step: 'initialize' },
      );
      const { request, lines } = deduplicateWith(flaky, tableName);
      expect(await request()).toEqual(RESULT);
      expect(lines).toMatchObject([
        {
          message: 'the store of answers failed; a repetition of this start may run it again',
          meta: { endpoint: 'shop' },
        },
      ]);
      const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
      expect(Items).toMatchObject([{ status: { S: 'INPROGRESS' } }]);
    });

    it('makes two calls for a start, and one for a repetition', async () => {
      const counted = createClient();
      const calls: string[] = [];
      counted.middlewareStack.add(
        (next, { commandName }) =>
          async (args) => {
            calls.push(String(commandName));
            return next(args);
          },
        { step: 'initialize' },
      );
      const { request } = deduplicateWith(counted, await createTable());
      await request();
      expect(calls).toEqual(['PutItemCommand', 'UpdateItemCommand']);
      await request();
      expect(calls.slice(2)).toEqual(['PutItemCommand']);
    });
  });
}
