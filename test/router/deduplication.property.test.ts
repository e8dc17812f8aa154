import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSqliteAnswers } from '../../src/local/sqlite-answers.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { NexusHttpResponse } from '../../src/nexus/message.ts';
import { createDeduplication } from '../../src/router/deduplication.ts';
import { START } from '../contract/deduplication.contract.ts';
import { recordingLogger } from '../handler/recording-logger.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** One request of a caller that repeats a start: when it comes, how long its handler takes, and how that ends. */
const request = fc.record({
  atMs: fc.integer({ min: 0, max: 60_000 }),
  timeMs: fc.integer({ min: 100, max: 29_000 }),
  takesMs: fc.integer({ min: 0, max: 40_000 }),
  ends: fc.constantFrom('answers', 'fails', 'crashes'),
});

it('runs a start one at a time, and never again once it was answered for good, whatever comes when', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 12 }), async (requests) => {
      const store = openEphemeralStore();
      const deduplicate = createDeduplication({
        createLayer: createSqliteAnswers(store.db),
        logger: recordingLogger().logger,
        clock: Date,
        random: Math.random,
      });
      const runs: { from: number; until: number; answered: boolean; crashed: boolean }[] = [];
      const answers: NexusHttpResponse[] = [];

      const send = async ({ atMs, timeMs, takesMs, ends }: (typeof requests)[number], index: number) => {
        await after(atMs);
        const endsAt = Date.now() + timeMs;
        const deliver = async () => {
          // As the router and Lambda do: a delivery is over when its time is, and one that crashes says nothing more.
          const ms = Math.min(takesMs, Math.max(0, endsAt - Date.now()));
          const answered = ends === 'answers' && takesMs <= ms;
          const from = Date.now();
          // A crash may come at any moment: nobody may take over before the time is over.
          const crashed = ends === 'crashes';
          const run = { from, until: crashed ? endsAt : from + ms, answered, crashed };
          runs.push(run);
          await after(ms);
          if (crashed) return new Promise<never>(() => {});
          return { status: answered ? 200 : 503, headers: {}, body: new Uint8Array([index]) };
        };
        const given = deduplicate({ ...START, keepMs: 3_600_000 }, deliver, () => endsAt - Date.now());
        void given.then((answer) => answers.push(answer));
      };
      const all = requests.map(send);
      await vi.advanceTimersByTimeAsync(200_000);
      await Promise.all(all);
      store.close();

      expect(runs.length).toBeGreaterThan(0);
      for (const [index, run] of runs.entries()) {
        const before = runs.slice(0, index);
        expect(before.filter(({ answered }) => answered)).toEqual([]);
        expect(before.filter(({ until }) => until > run.from)).toEqual([]);
      }
      const results = answers.filter(({ status }) => status === 200).map(({ body }) => body[0]);
      expect(new Set(results).size).toBeLessThanOrEqual(1);
      // Whoever's delivery did not crash is answered.
      expect(answers.length).toBe(requests.length - runs.filter(({ crashed }) => crashed).length);
    }),
    { numRuns: 60 },
  );
});

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
