import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { StoredCircuit } from '../../src/router/circuit.ts';
import { createEndpointView } from '../../src/router/endpoint-view.ts';
import type { Endpoint } from '../../src/router/ports.ts';

/** From when on an endpoint is read again beside a request, and from when on before it is used. */
const SOFT_AGE_MS = 5_000;
const UNSETTLED_SOFT_AGE_MS = 2_000;
const HARD_AGE_MS = 10_000;

/** How long a request waits for a read, how long an answer does, and how long a read that failed is not repeated. */
const READ_MS = 2_000;
const SETTLE_MS = 300;
const RETRY_AFTER_MS = 5_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Read {
  readonly name: string;
  readonly startedAt: number;
  endedAt?: number;
  outcome?: 'found' | 'missing' | 'failed';
}

/** A registry that takes its time, fails or hangs as a test says, and gives up when the signal fires. */
class FakeRegistry {
  readonly stored = new Map<string, Endpoint>();
  readonly reads: Read[] = [];
  state: 'answers' | 'fails' | 'hangs' = 'answers';
  readMs = 0;

  put(name: string): void {
    const version = (this.stored.get(name)?.version ?? 0) + 1;
    const target = { namespace: 'default', taskQueue: name };
    this.stored.set(name, { name, target, services: [], version, createdAt: 0, lastModifiedAt: Date.now() });
  }

  async get(name: string, signal?: AbortSignal): Promise<Endpoint | undefined> {
    const read: Read = { name, startedAt: Date.now() };
    this.reads.push(read);
    const [found, { state, readMs }] = [this.stored.get(name), this];
    try {
      await new Promise<void>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        if (state === 'hangs') return;
        if (readMs === 0) resolve();
        else setTimeout(resolve, readMs);
      });
      if (state === 'fails') throw new Error('the table is down');
      read.outcome = found === undefined ? 'missing' : 'found';
      return found;
    } catch (error) {
      read.outcome = 'failed';
      throw error;
    } finally {
      read.endedAt = Date.now();
    }
  }
}

/** A view of a registry that holds `shop` at version 1. */
function setUp() {
  const registry = new FakeRegistry();
  registry.put('shop');
  const stale: { name: string; message: string }[] = [];
  const onStale = (name: string, error: unknown) => stale.push({ name, message: (error as Error).message });
  const view = createEndpointView({ registry, clock: { now: () => Date.now() }, onStale });
  const startedAt = Date.now();
  return {
    registry,
    stale,
    view,
    /** The version that a request for `shop` gets now, without anything else having happened. */
    async versionNow(name = 'shop') {
      let version: number | string | undefined = 'waits';
      view.get(name).then(
        (endpoint) => {
          version = endpoint?.version;
        },
        (error: Error) => {
          version = `failed: ${error.message}`;
        },
      );
      await vi.advanceTimersByTimeAsync(0);
      return version;
    },
    /** When each read started, counted from now. */
    reads: () => registry.reads.map((read) => read.startedAt - startedAt),
  };
}

it('reads an endpoint once, for all requests of the next five seconds', async () => {
  const { versionNow, registry, reads } = setUp();
  expect(await versionNow()).toBe(1);
  expect(await versionNow()).toBe(1);
  registry.put('shop');
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS - 1);
  expect(await versionNow()).toBe(1);
  expect(reads()).toEqual([0]);
});

it('after five seconds serves what it has at once, and reads it again beside the request', async () => {
  const { versionNow, registry, reads } = setUp();
  await versionNow();
  registry.put('shop');
  registry.readMs = 100;
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  expect(await versionNow()).toBe(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(await versionNow()).toBe(2);
  expect(reads()).toEqual([0, SOFT_AGE_MS]);
});

it.each<[string, StoredCircuit, number]>([
  ['is at rest', { status: 'closed', version: 1, streak: 0 }, SOFT_AGE_MS],
  ['has a streak', { status: 'closed', version: 1, streak: 1, since: 0 }, UNSETTLED_SOFT_AGE_MS],
  ['is open', { status: 'open', version: 1, streak: 5, openedAt: 0, nextProbeAt: 1 }, UNSETTLED_SOFT_AGE_MS],
])('reads an endpoint whose circuit %s again after so long', async (_what, circuit, softAgeMs) => {
  const { versionNow, registry, reads } = setUp();
  registry.stored.set('shop', { ...registry.stored.get('shop')!, circuit });
  await versionNow();
  await vi.advanceTimersByTimeAsync(softAgeMs - 1);
  await versionNow();
  expect(reads()).toEqual([0]);
  await vi.advanceTimersByTimeAsync(1);
  await versionNow();
  expect(reads()).toEqual([0, softAgeMs]);
});

it('says without a read what it read last', async () => {
  const { versionNow, view, registry, reads } = setUp();
  expect(view.latest('shop')).toBeUndefined();
  await versionNow();
  registry.put('shop');
  expect(view.latest('shop')).toMatchObject({ version: 1 });
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  await versionNow();
  await versionNow();
  expect(view.latest('shop')).toMatchObject({ version: 2 });
  expect(reads()).toEqual([0, SOFT_AGE_MS]);
});

it('after ten seconds waits for the read', async () => {
  const { versionNow, view, registry } = setUp();
  await versionNow();
  registry.put('shop');
  registry.readMs = 100;
  await vi.advanceTimersByTimeAsync(HARD_AGE_MS - 1);
  expect(await versionNow()).toBe(1);
  await vi.advanceTimersByTimeAsync(100);
  registry.put('shop');
  await vi.advanceTimersByTimeAsync(HARD_AGE_MS);
  expect(await versionNow()).toBe('waits');
  const latest = view.get('shop');
  await vi.advanceTimersByTimeAsync(100);
  expect((await latest)?.version).toBe(3);
});

it.each([
  ['a request a second', 1_000, 4_500],
  ['a request in six seconds', 6_000, 5_500],
  ['a request in nine seconds', 9_000, 8_500],
  ['a request in eleven seconds', 11_000, undefined],
  ['a request a minute', 60_000, undefined],
])('with %s, serves a change within ten seconds', async (_, everyMs, oldestMs) => {
  let oldest: number | undefined;
  for (let changedAt = 500; changedAt < 2 * everyMs + 10_000; changedAt += 1_000) {
    const { view, registry } = setUp();
    let now = 0;
    const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms).then(() => (now += ms));
    let changed = false;
    while (now < changedAt + 30_000 + everyMs) {
      const served = await view.get('shop');
      if (changed && served?.version === 1) oldest = Math.max(oldest ?? 0, now - changedAt);
      const change = changedAt - now;
      if (changed || change > everyMs) await pass(everyMs);
      else {
        await pass(change);
        registry.put('shop');
        changed = true;
        await pass(everyMs - change);
      }
    }
  }
  expect(oldest).toBe(oldestMs);
});

it('makes one read for all requests that need it at the same time', async () => {
  const { view, versionNow, registry, reads } = setUp();
  registry.readMs = 50;
  const first = Promise.all([view.get('shop'), view.get('shop'), view.getLatest('shop')]);
  await vi.advanceTimersByTimeAsync(50);
  expect((await first).map((endpoint) => endpoint?.version)).toEqual([1, 1, 1]);
  expect(reads()).toEqual([0]);
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  expect([await versionNow(), await versionNow(), await versionNow()]).toEqual([1, 1, 1]);
  expect(reads()).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(50 + HARD_AGE_MS);
  const late = Promise.all([view.get('shop'), view.get('shop')]);
  await vi.advanceTimersByTimeAsync(50);
  await late;
  expect(reads()).toHaveLength(3);
});

it('counts the age of an endpoint from the start of its read', async () => {
  const { view, reads, registry, versionNow } = setUp();
  registry.readMs = 1_000;
  const first = view.get('shop');
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS - 1);
  await first;
  expect(await versionNow()).toBe(1);
  expect(reads()).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await versionNow()).toBe(1);
  expect(reads()).toHaveLength(2);
});

it('reads it again when the clock was set back, whatever failed before that', async () => {
  const { versionNow, registry } = setUp();
  await versionNow();
  vi.setSystemTime(Date.now() - 3_600_000);
  registry.state = 'fails';
  expect(await versionNow()).toBe(1);
  registry.put('shop');
  registry.state = 'answers';
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(await versionNow()).toBe(2);
});

it.each(['fails', 'hangs'] as const)(
  'serves the last view, however old, while the registry %s, and tries again after five seconds',
  async (state) => {
    const { view, versionNow, registry, reads, stale } = setUp();
    await versionNow();
    registry.state = state;
    await vi.advanceTimersByTimeAsync(86_400_000);
    const first = view.get('shop');
    await vi.advanceTimersByTimeAsync(state === 'hangs' ? READ_MS : 0);
    expect((await first)?.version).toBe(1);
    const message = state === 'hangs' ? 'no answer within 2000 ms' : 'the table is down';
    expect(stale).toEqual([{ name: 'shop', message }]);
    await vi.advanceTimersByTimeAsync(RETRY_AFTER_MS - 1);
    expect(await versionNow()).toBe(1);
    expect(reads()).toHaveLength(2);
    registry.state = 'answers';
    registry.put('shop');
    await vi.advanceTimersByTimeAsync(1);
    expect(await versionNow()).toBe(2);
    expect(stale).toHaveLength(1);
  },
);

it('waits two seconds at most for a registry that hangs', async () => {
  const { view, versionNow, registry } = setUp();
  await versionNow();
  registry.state = 'hangs';
  await vi.advanceTimersByTimeAsync(HARD_AGE_MS);
  let served = false;
  view.get('shop').then(() => {
    served = true;
  });
  await vi.advanceTimersByTimeAsync(READ_MS - 1);
  expect(served).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(served).toBe(true);
});

it('tells once of a read that failed, however many requests waited for it', async () => {
  const { view, versionNow, registry, stale } = setUp();
  await versionNow();
  registry.state = 'hangs';
  await vi.advanceTimersByTimeAsync(HARD_AGE_MS);
  const waiting = Promise.all([view.get('shop'), view.get('shop'), view.get('shop')]);
  await vi.advanceTimersByTimeAsync(READ_MS);
  expect((await waiting).map((endpoint) => endpoint?.version)).toEqual([1, 1, 1]);
  expect(stale).toHaveLength(1);
});

it('rejects for an endpoint that it never saw while the registry fails, and tells nobody of an older view', async () => {
  const { versionNow, registry, stale, reads } = setUp();
  registry.state = 'fails';
  expect(await versionNow()).toBe('failed: the table is down');
  expect(await versionNow()).toBe('failed: the table is down');
  expect(reads()).toEqual([0, 0]);
  expect(stale).toEqual([]);
});

it('looks an unknown name up each time, so that an endpoint is there as soon as it was created', async () => {
  const { versionNow, registry, reads } = setUp();
  expect(await versionNow('bank')).toBeUndefined();
  expect(await versionNow('bank')).toBeUndefined();
  registry.put('bank');
  expect(await versionNow('bank')).toBe(1);
  expect(reads()).toHaveLength(3);
});

it('forgets an endpoint that was deleted with the next read', async () => {
  const { versionNow, registry } = setUp();
  await versionNow();
  registry.stored.delete('shop');
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  expect(await versionNow()).toBe(1);
  expect(await versionNow()).toBeUndefined();
  registry.state = 'fails';
  expect(await versionNow()).toBe('failed: the table is down');
});

it('getLatest reads whatever the age, has the view renewed, and rejects where it cannot read', async () => {
  const { view, versionNow, registry } = setUp();
  await versionNow();
  registry.put('shop');
  expect((await view.getLatest('shop'))?.version).toBe(2);
  expect(await versionNow()).toBe(2);
  registry.state = 'fails';
  await expect(view.getLatest('shop')).rejects.toThrow('the table is down');
  expect(await versionNow()).toBe(2);
});

it('settle returns at once where nothing is read', async () => {
  const { view, versionNow } = setUp();
  await versionNow();
  await view.settle();
  expect(vi.getTimerCount()).toBe(0);
});

it('settle waits for reads under way, and no longer than they take', async () => {
  const { view, versionNow, registry } = setUp();
  await versionNow();
  registry.put('shop');
  registry.readMs = SETTLE_MS - 1;
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  await versionNow();
  const settled = view.settle();
  await vi.advanceTimersByTimeAsync(SETTLE_MS - 1);
  await settled;
  expect(vi.getTimerCount()).toBe(0);
  expect(await versionNow()).toBe(2);
});

it('settle gives reads that hang up after 300 ms, leaves no timer behind, and the last view serves on', async () => {
  const { view, versionNow, registry, stale, reads } = setUp();
  registry.put('bank');
  await versionNow();
  await versionNow('bank');
  registry.state = 'hangs';
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  await versionNow();
  await versionNow('bank');
  let settled = false;
  view.settle().then(() => {
    settled = true;
  });
  await vi.advanceTimersByTimeAsync(SETTLE_MS - 1);
  expect(settled).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(settled).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
  const message = 'no answer within 300 ms';
  expect(stale).toEqual([
    { name: 'shop', message },
    { name: 'bank', message },
  ]);
  await vi.advanceTimersByTimeAsync(RETRY_AFTER_MS - 1);
  expect([await versionNow(), await versionNow('bank')]).toEqual([1, 1]);
  expect(reads()).toHaveLength(4);
});

it.each([
  [1, 1],
  [100, 100],
  [SETTLE_MS, SETTLE_MS],
  [10_000, SETTLE_MS],
])('settle with %d ms left gives reads that hang up after %d', async (withinMs, waitMs) => {
  const { view, versionNow, registry, stale } = setUp();
  await versionNow();
  registry.state = 'hangs';
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  await versionNow();
  const startedAt = Date.now();
  let settledAt = Number.NaN;
  view.settle(withinMs).then(() => {
    settledAt = Date.now();
  });
  await vi.advanceTimersByTimeAsync(SETTLE_MS);
  expect(settledAt - startedAt).toBe(waitMs);
  expect(stale).toEqual([{ name: 'shop', message: expect.stringMatching(/^no answer within /) }]);
  expect(await versionNow()).toBe(1);
});

it.each([0, -5])('settle with %d ms left gives reads up at once', async (withinMs) => {
  const { view, versionNow, registry, stale } = setUp();
  await versionNow();
  registry.state = 'hangs';
  await vi.advanceTimersByTimeAsync(SOFT_AGE_MS);
  await versionNow();
  await view.settle(withinMs);
  expect(stale).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('leaves no timer behind, whether the registry answers, fails or hangs', async () => {
  const { view, registry } = setUp();
  for (const state of ['answers', 'fails', 'hangs'] as const) {
    registry.state = state;
    const read = view.getLatest('shop').catch(() => {});
    await vi.advanceTimersByTimeAsync(READ_MS);
    await read;
    expect(vi.getTimerCount()).toBe(0);
  }
});

type Step =
  | { readonly kind: 'get' | 'getLatest' | 'put' | 'delete'; readonly name: string }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'registry'; readonly state: FakeRegistry['state']; readonly readMs: number }
  | { readonly kind: 'settle'; readonly withinMs: number };

const name = fc.constantFrom('shop', 'bank');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('get'), name }) },
  fc.record({ kind: fc.constantFrom('getLatest', 'put', 'delete'), name }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 0, max: 40_000 }) }) },
  fc.record({
    kind: fc.constant('registry'),
    state: fc.constantFrom('answers', 'answers', 'fails', 'hangs'),
    readMs: fc.integer({ min: 0, max: READ_MS - 1 }),
  }),
  fc.record({ kind: fc.constant('settle'), withinMs: fc.integer({ min: 0, max: 400 }) }),
) as fc.Arbitrary<Step>;

interface Served {
  readonly name: string;
  readonly at: number;
  readonly endpoint?: Endpoint | undefined;
  readonly error?: unknown;
}

/** Takes the steps, and returns what requests got and what was ever stored, by when it was gone. */
async function take(steps: readonly Step[]) {
  const { view, registry } = setUp();
  const served: Served[] = [];
  const goneAt = new Map<Endpoint, number>();
  const replace = (endpointName: string, change: () => void) => {
    const before = registry.stored.get(endpointName);
    change();
    if (before !== undefined) goneAt.set(before, Date.now());
  };
  const open: Promise<unknown>[] = [];
  for (const taken of steps) {
    switch (taken.kind) {
      case 'get':
        open.push(
          view.get(taken.name).then(
            (endpoint) => served.push({ name: taken.name, at: Date.now(), endpoint }),
            (error: unknown) => served.push({ name: taken.name, at: Date.now(), error }),
          ),
        );
        break;
      case 'getLatest':
        open.push(view.getLatest(taken.name).catch(() => {}));
        break;
      case 'put':
        replace(taken.name, () => registry.put(taken.name));
        break;
      case 'delete':
        replace(taken.name, () => registry.stored.delete(taken.name));
        break;
      case 'pass':
        await vi.advanceTimersByTimeAsync(taken.ms);
        break;
      case 'registry':
        registry.state = taken.state;
        registry.readMs = taken.readMs;
        break;
      case 'settle':
        open.push(view.settle(taken.withinMs));
    }
    await vi.advanceTimersByTimeAsync(0);
  }
  await vi.advanceTimersByTimeAsync(READ_MS);
  await Promise.all(open);
  return { served, goneAt, reads: registry.reads };
}

it('serves nothing older than 10 s while the registry answers, and rejects for no endpoint that it has seen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { served, goneAt, reads } = await take(steps);
      for (const { name, at, endpoint, error } of served) {
        const before = reads.filter((read) => read.name === name && read.endedAt !== undefined && read.endedAt <= at);
        const lastAnswer = before.findLast(({ outcome }) => outcome !== 'failed');
        if (error !== undefined) expect(lastAnswer?.outcome).not.toBe('found');
        const failedLately = before.some(
          (read) => read.outcome === 'failed' && at - (read.endedAt ?? 0) < RETRY_AFTER_MS,
        );
        if (endpoint !== undefined && !failedLately) {
          expect(at - (goneAt.get(endpoint) ?? at)).toBeLessThan(HARD_AGE_MS);
        }
      }
      expect(vi.getTimerCount()).toBe(0);
    }),
  );
});

it('never makes two reads of one name at a time, nor tries one that failed again within five seconds', async () => {
  const asked = step.filter(({ kind }) => kind !== 'getLatest' && kind !== 'delete');
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { maxLength: 40 }), async (steps) => {
      const { reads } = await take(steps);
      for (const name of ['shop', 'bank']) {
        const ofName = reads.filter((read) => read.name === name);
        const seenFrom = ofName.findIndex(({ outcome }) => outcome === 'found');
        for (const [index, read] of ofName.entries()) {
          const next = ofName[index + 1];
          if (next === undefined) continue;
          expect(next.startedAt).toBeGreaterThanOrEqual(read.endedAt ?? Number.POSITIVE_INFINITY);
          if (seenFrom === -1 || index < seenFrom || read.outcome !== 'failed') continue;
          expect(next.startedAt - (read.endedAt ?? 0)).toBeGreaterThanOrEqual(RETRY_AFTER_MS);
        }
      }
    }),
  );
});
