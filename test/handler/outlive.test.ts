import { HandlerError, operation, service, serviceHandler } from 'nexus-rpc';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LambdaHttpResult, NexusInvocation } from '../../src/handler/invocation.ts';
import type { QueueSide } from '../../src/handler/queue-side.ts';
import { createServiceHandler } from '../../src/handler/service-handler.ts';
import { recordingLogger } from './recording-logger.ts';
import { bodyJson, context, invocation } from './requests.ts';

const CUT_OFF_MS = 8_500;
const TOLD: LambdaHttpResult = { statusCode: 201, headers: {}, body: '"told"', isBase64Encoded: false };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const orders = service('orders', { place: operation<number, string>() });

interface Seen {
  readonly deadlineMs: number;
  readonly abortSignal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
}

/** A function whose one operation takes as many milliseconds as its input says. */
function setUp({ queue = true } = {}) {
  const seen: Seen[] = [];
  const settled: PromiseSettledResult<LambdaHttpResult>[] = [];
  const counts = { loads: 0, looks: 0 };
  let found: 'canceled' | undefined;
  const side: QueueSide = {
    consume: async () => ({ batchItemFailures: [] }),
    async pastCutOff() {
      counts.loads++;
      return {
        async look() {
          counts.looks++;
          return found;
        },
        async settle(ended) {
          settled.push(ended);
          return TOLD;
        },
      };
    },
  };
  const handler = createServiceHandler({
    ...(queue && { queue: side }),
    logger: recordingLogger().logger,
    services: [
      serviceHandler(orders, {
        async place({ requestDeadline, abortSignal, headers }, ms) {
          seen.push({ deadlineMs: Number(requestDeadline) - Date.now(), abortSignal, headers });
          await new Promise<void>((resolve, reject) => {
            setTimeout(resolve, ms);
            abortSignal.addEventListener('abort', () => reject(abortSignal.reason));
          });
          if (ms < 0) throw new HandlerError('UNAVAILABLE', 'not now');
          return `after ${ms}`;
        },
      }),
    ],
  });
  const call = (ms: number, { headers = {}, remainingMs = 60_000, promotion = {} } = {}) => {
    const request = invocation('/orders/place', {
      body: String(ms),
      headers: { 'request-timeout': '10s', ...headers },
      timeoutMs: CUT_OFF_MS,
    });
    const promotable: NexusInvocation = {
      ...request,
      promotion: {
        cutOffMs: CUT_OFF_MS,
        tables: { operations: 'operations', endpoints: 'endpoints' },
        draft: {},
        ...promotion,
      },
    };
    const endsAt = Date.now() + remainingMs;
    return handler(promotable, { ...context(), getRemainingTimeInMillis: () => endsAt - Date.now() });
  };
  return { call, seen, settled, counts, find: (what: 'canceled') => (found = what) };
}

describe('a promotable invocation', () => {
  it('that is done before its cut-off answers, and loads nothing', async () => {
    const { call, counts, settled } = setUp();
    const answer = call(CUT_OFF_MS - 1);
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS - 1);
    expect(bodyJson(await answer)).toBe(`after ${CUT_OFF_MS - 1}`);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(counts).toEqual({ loads: 0, looks: 0 });
    expect(settled).toEqual([]);
  });

  it('that ends later writes what came of it, loaded once and in advance, and answers what that says', async () => {
    const { call, counts, settled } = setUp();
    const answer = call(25_000);
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS + 1);
    expect(counts.loads).toBe(1);
    await vi.advanceTimersByTimeAsync(25_000 - CUT_OFF_MS);
    expect(await answer).toEqual(TOLD);
    expect(settled).toEqual([{ status: 'fulfilled', value: expect.objectContaining({ body: '"after 25000"' }) }]);
    expect(counts).toEqual({ loads: 1, looks: 3 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(counts.looks).toBe(3);
  });

  it("has the function's time, less what writing takes, and not its caller's", async () => {
    const { call, seen } = setUp();
    const answer = call(1, { remainingMs: 300_000 });
    await vi.advanceTimersByTimeAsync(1);
    await answer;
    expect(seen[0]?.deadlineMs).toBe(297_500);
    expect(seen[0]?.headers['request-timeout']).toBeUndefined();
  });

  it("has the operation's own time where that is shorter", async () => {
    const { call, seen } = setUp();
    const answer = call(1, { remainingMs: 300_000, headers: { 'operation-timeout': '30s' } });
    await vi.advanceTimersByTimeAsync(1);
    await answer;
    expect(seen[0]?.deadlineMs).toBe(29_500);
  });

  it("that runs out of the function's time writes that, too", async () => {
    const { call, settled } = setUp();
    const answer = call(100_000, { remainingMs: 60_000 });
    await vi.advanceTimersByTimeAsync(58_000);
    expect(await answer).toEqual(TOLD);
    expect(settled).toEqual([{ status: 'fulfilled', value: expect.objectContaining({ statusCode: 520 }) }]);
  });

  it('is told of a cancel that the record has', async () => {
    const { call, seen, find } = setUp();
    const answer = call(50_000);
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS + 3_000);
    expect(seen[0]?.abortSignal.aborted).toBe(false);
    find('canceled');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(seen[0]?.abortSignal.reason).toMatchObject({ name: 'AbortError', message: 'the operation was canceled' });
    expect(await answer).toEqual(TOLD);
  });

  it.each([
    ['has nothing to write with', { queue: false }, {}],
    ['is not told where to write', { queue: true }, { tables: undefined }],
  ])("has its caller's time where the function %s", async (_, options, promotion) => {
    const { call, seen, counts } = setUp(options);
    const answer = call(100_000, { promotion });
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS);
    expect((await answer).statusCode).toBe(520);
    expect(seen[0]?.deadlineMs).toBe(CUT_OFF_MS - 500);
    expect(counts.loads).toBe(0);
  });

  it('counts the start of a new environment towards its cut-off, once', async () => {
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', 'on-demand');
    // Since the environment was started.
    vi.spyOn(performance, 'now').mockImplementation(() => Date.now() - startedAt);
    const startedAt = Date.now();
    await vi.advanceTimersByTimeAsync(3_000);
    const { call, settled, counts } = setUp();
    const cold = call(CUT_OFF_MS - 2_000);
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS - 2_000);
    expect(await cold).toEqual(TOLD);
    expect(settled).toHaveLength(1);
    const warm = call(CUT_OFF_MS - 2_000);
    await vi.advanceTimersByTimeAsync(CUT_OFF_MS - 2_000);
    expect((await warm).statusCode).toBe(200);
    expect(counts.loads).toBe(1);
  });
});
