import { randomUUID } from 'node:crypto';
import { HandlerError } from 'nexus-rpc';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { createDeduplication, type DeduplicationDeps } from '../../src/router/deduplication.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { RepeatableStart } from '../../src/router/repeated-start.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

export const START: RepeatableStart = {
  key: '["local","shop","orders","place","1"]',
  endpoint: 'shop',
  operation: 'orders/place',
  keepMs: 3_600_000,
  failureSupport: false,
};

const JSON_TYPE = { 'content-type': 'application/json' };
const bytes = (text: string) => new TextEncoder().encode(text);

/** Answers that end an operation for its caller. */
const FINAL: readonly (readonly [what: string, answer: NexusHttpResponse])[] = [
  ['a result', { status: 200, headers: { ...JSON_TYPE, 'nexus-link': '<a:b>; type="c"' }, body: bytes('"é"') }],
  ['a result of nothing', { status: 200, headers: {}, body: new Uint8Array() }],
  ['bytes', { status: 200, headers: { 'content-type': 'x/y' }, body: Uint8Array.from({ length: 256 }, (_, n) => n) }],
  ["a handler's own token", { status: 201, headers: JSON_TYPE, body: bytes('{"token":"t","state":"running"}') }],
  [
    'an OperationError',
    {
      status: 424,
      headers: { ...JSON_TYPE, 'nexus-operation-state': 'failed' },
      body: bytes('{"message":"no stock"}'),
    },
  ],
  ["a caller's mistake", { status: 400, headers: JSON_TYPE, body: bytes('{"message":"no item"}') }],
  [
    'a failure that says that it is final',
    { status: 503, headers: { ...JSON_TYPE, 'nexus-request-retryable': 'false' }, body: bytes('{"message":"never"}') },
  ],
];

const [, RESULT] = FINAL[0] ?? expect.unreachable();
const RETRYABLE: NexusHttpResponse = { status: 503, headers: JSON_TYPE, body: bytes('{"message":"busy"}') };

/** What deduplication does on every store. Time is moved, also that of the store's client. */
export function describeDeduplication(
  adapter: string,
  open: () => Promise<Pick<DeduplicationDeps, 'createLayer' | 'maxAnswerBytes'>>,
): void {
  describe(`deduplication on ${adapter}`, () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
    afterEach(() => void vi.useRealTimers());

    async function setUp(deps: Partial<DeduplicationDeps> = {}) {
      const { lines, logger } = recordingLogger();
      const slept: number[] = [];
      const deduplicate = createDeduplication({
        ...(await open()),
        logger,
        clock: Date,
        random: Math.random,
        // Whoever waits lets the others go on, and time pass.
        async sleep(ms) {
          slept.push(ms);
          vi.setSystemTime(Date.now() + ms);
          await new Promise((resolve) => setImmediate(resolve));
        },
        ...deps,
      });
      let runs = 0;
      /** A request of this start, with so much time, to a handler that does this. */
      const request = (
        start: Partial<RepeatableStart> = {},
        deliver: () => Promise<NexusHttpResponse> = async () => RESULT,
        timeMs = 10_000,
      ) => {
        const endsAt = Date.now() + timeMs;
        const counted = () => {
          runs++;
          return deliver();
        };
        return deduplicate({ ...START, ...start }, counted, () => endsAt - Date.now());
      };
      return { request, lines, slept, runs: () => runs };
    }

    it.each(FINAL)('answers a repeated start with the answer of the first one: %s', async (_what, answer) => {
      const { request, runs } = await setUp();
      const first = await request({}, async () => answer);
      const second = await request({}, () => expect.unreachable());
      expect(first).toEqual(answer);
      expect({ ...second, body: new Uint8Array(second.body) }).toEqual(answer);
      expect(runs()).toBe(1);
    });

    it('delivers each start of another key', async () => {
      const { request, runs } = await setUp();
      const keys = ['a', '["local","shop","orders","place","2"]', 'k'.repeat(10_000)];
      for (const key of [START.key, ...keys]) expect(await request({ key })).toEqual(RESULT);
      expect(runs()).toBe(4);
    });

    it.each([
      ['answer', async () => RETRYABLE],
      ['error', () => Promise.reject(new InvokeError('timeout', 'no answer'))],
      ['refusal', () => Promise.reject(new HandlerError('RESOURCE_EXHAUSTED', 'too many'))],
    ])('runs the handler again after an %s that callers try again', async (_what, deliver) => {
      const { request, lines, runs } = await setUp();
      const failed = await request({}, deliver).catch((error: unknown) => error);
      expect(failed).toEqual(await deliver().catch((error: unknown) => error));
      expect(await request()).toEqual(RESULT);
      expect(await request()).toMatchObject({ status: 200 });
      expect(runs()).toBe(2);
      expect(lines).toEqual([]);
    });

    it('lets a repetition wait for the first one, and gives it the same answer', async () => {
      const { request, runs, slept } = await setUp();
      const { promise, resolve } = Promise.withResolvers<NexusHttpResponse>();
      const started = Promise.withResolvers<void>();
      const first = request({}, () => {
        started.resolve();
        return promise;
      });
      await started.promise;
      const second = request();
      while (slept.length < 3) await new Promise((later) => setImmediate(later));
      resolve(RESULT);
      expect(await first).toEqual(RESULT);
      expect(await second).toMatchObject({ status: 200, headers: RESULT.headers });
      expect(runs()).toBe(1);
      expect(slept.slice(0, 3)).toEqual([50, 100, 200]);
    });

    it('runs a start once however many come at the same time', async () => {
      const { request, runs } = await setUp();
      const answers = await Promise.all(Array.from({ length: 20 }, () => request()));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(runs()).toBe(1);
    });

    it('tells a repetition whose own time ends first to come again, and leaves time to do so', async () => {
      const { request, runs } = await setUp();
      const never = new Promise<NexusHttpResponse>(() => {});
      const started = Promise.withResolvers<void>();
      void request({}, () => {
        started.resolve();
        return never;
      });
      await started.promise;
      const startedAt = Date.now();
      const { status, headers, body } = await request({}, () => expect.unreachable(), 5_000);
      expect(status).toBe(503);
      expect(headers).toMatchObject({ 'retry-after': '1' });
      // What a caller never tries again ends its operation.
      expect(headers).not.toHaveProperty('nexus-request-retryable');
      expect(new TextDecoder().decode(body)).toContain(
        "a start of operation 'orders/place' with this Nexus-Request-Id",
      );
      expect(Date.now() - startedAt).toBe(4_000);
      expect(runs()).toBe(1);
    });

    it('takes over from a delivery that ended without a word, once its time is over', async () => {
      const { request, runs } = await setUp();
      const started = Promise.withResolvers<void>();
      void request({}, () => {
        started.resolve();
        return new Promise(() => {});
      });
      await started.promise;
      const startedAt = Date.now();
      expect(await request({}, async () => RESULT, 30_000)).toEqual(RESULT);
      // The first one's ten seconds, and the second that clocks may differ by; then the next look.
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(11_000);
      expect(Date.now() - startedAt).toBeLessThanOrEqual(12_001);
      expect(runs()).toBe(2);
      expect(await request({}, () => expect.unreachable())).toMatchObject({ status: 200 });
    });

    it('forgets an answer when it is not to be kept any longer', async () => {
      const { request, runs } = await setUp();
      await request();
      vi.setSystemTime(Date.now() + START.keepMs - 2_000);
      await request({}, () => expect.unreachable());
      vi.setSystemTime(Date.now() + 4_000);
      expect(await request()).toEqual(RESULT);
      expect(runs()).toBe(2);
    });

    it('keeps an answer of the largest size that it takes, gives larger ones without keeping them, and says so once', async () => {
      const largest = { maxAnswerBytes: 390_000, ...(await open()) }.maxAnswerBytes;
      const { request, lines, runs } = await setUp({ maxAnswerBytes: largest });
      const headers = { 'content-type': 'x/y' };
      const of = (size: number) => async () => ({ status: 200, headers, body: new Uint8Array(size).fill(7) });
      const room = largest - 'content-typex/y'.length;
      await request({ key: 'fits' }, of(room));
      expect((await request({ key: 'fits' }, () => expect.unreachable())).body.length).toBe(room);
      expect(lines).toEqual([]);
      expect((await request({}, of(room + 1))).body.length).toBe(room + 1);
      expect((await request({}, of(room + 1))).body.length).toBe(room + 1);
      expect(runs()).toBe(3);
      expect(lines).toEqual([
        {
          level: 'warn',
          message: 'an answer is too large to be kept for repetitions of its start, which run the handler again',
          meta: { endpoint: 'shop', operation: 'orders/place', bytes: largest + 1, maxBytes: largest },
        },
      ]);
    });

    it('keeps no name and no id of a caller where answers are kept', async () => {
      const { createLayer } = await open();
      const { request } = await setUp({ createLayer });
      const key = `["basic:ada","shop","orders","place","${randomUUID()}"]`;
      await request({ key });
      const layer = createLayer(() => 1_000);
      layer.configure({ config: { hashFunction: 'sha256', eventKeyJmesPath: '' } as never, keyPrefix: 'start' });
      expect((await layer.getRecord(key)).idempotencyKey).toMatch(/^start#[\w+/]{43}=$/);
    });
  });
}
