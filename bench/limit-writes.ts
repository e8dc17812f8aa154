/*
 * Prints how many writes of the store a rate limit costs: starts that come by chance to environments of the router, before
 * the embedded store, with a clock that is moved. `node bench/limit-writes.ts`; it takes some ten seconds of one core.
 */
import { createSqliteLimitStore } from '../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../src/local/store.ts';
import type { Endpoint, LimitStore } from '../src/router/ports.ts';
import { createRateGate } from '../src/router/rate-gate.ts';

interface Load {
  readonly perSecond: number;
  /** Starts a second, over all environments. */
  readonly demand: number;
  readonly environments: number;
}

const LOADS: readonly Load[] = [
  { perSecond: 10, demand: 5, environments: 50 },
  { perSecond: 10, demand: 50, environments: 50 },
  { perSecond: 100, demand: 50, environments: 50 },
  { perSecond: 100, demand: 500, environments: 50 },
  { perSecond: 1_000, demand: 500, environments: 50 },
  { perSecond: 1_000, demand: 5_000, environments: 50 },
  { perSecond: 1_000, demand: 5_000, environments: 500 },
  { perSecond: 10_000, demand: 5_000, environments: 50 },
  { perSecond: 10_000, demand: 50_000, environments: 50 },
];

const STARTS = 200_000;
const LONGEST_S = 60;
const BEGIN = Date.UTC(2026, 0, 1);

/** The same numbers in each run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function play({ perSecond, demand, environments }: Load) {
  const { db, close } = openEphemeralStore();
  const store = createSqliteLimitStore(db);
  const random = randomOf(1);
  const writes = new Map<string, number>();
  let now = BEGIN;
  const counted: Pick<LimitStore, 'takeTokens'> = {
    async takeTokens(limit, ask) {
      writes.set(limit, (writes.get(limit) ?? 0) + 1);
      return store.takeTokens(limit, ask);
    },
  };
  const gates = Array.from({ length: environments }, () =>
    createRateGate({
      store: counted,
      reach: { call: async (ask) => ({ value: await ask(new AbortController().signal) }) },
      clock: { now: () => now },
      random,
      emit: () => {},
    }),
  );
  const target = { namespace: 'default', taskQueue: 'shop' };
  const settings = { requestsPerSecond: perSecond };
  const endpoint: Endpoint = {
    name: 'shop',
    target,
    services: [],
    settings,
    version: 1,
    createdAt: 0,
    lastModifiedAt: 0,
  };
  const endMs = Math.min(LONGEST_S, STARTS / demand) * 1_000;
  let admitted = 0;
  let came = 0;
  for (let ms = 0; ms < endMs; came++) {
    ms += (-Math.log(1 - random()) * 1_000) / demand;
    now = BEGIN + Math.floor(ms);
    const gate = gates[Math.floor(random() * environments)]!;
    if ((await gate.admit({ endpoint, principal: 'local', kind: 'start' })).kind === 'admitted') admitted++;
  }
  close();
  const seconds = endMs / 1_000;
  const all = [...writes.values()].reduce((sum, count) => sum + count, 0);
  return {
    share: admitted / Math.min(came, perSecond * seconds + perSecond),
    perThousand: (1_000 * all) / admitted,
    perItemAndSecond: Math.max(...writes.values()) / seconds,
  };
}

for (const load of LOADS) {
  const { share, perThousand, perItemAndSecond } = await play(load);
  const { perSecond, demand, environments } = load;
  const numbers = [perSecond, demand, environments].map((number) => number.toLocaleString('en-US'));
  const results = [`${(100 * share).toFixed(1)} %`, perThousand.toFixed(0), perItemAndSecond.toFixed(0)];
  console.log(`| ${[...numbers, ...results].join(' | ')} |`);
}
