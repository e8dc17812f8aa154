import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseToken } from '../../src/operations/operation-token.ts';
import {
  ANSWERS,
  type AnswerName,
  contentOf,
  type Fate,
  heardIn,
  type Request,
  SimulatedPromotion,
} from './simulated-promotion.ts';

type Step =
  | { readonly do: 'let a call go'; readonly index: number; readonly fate: Fate }
  | { readonly do: 'end'; readonly index: number; readonly answer: AnswerName; readonly late: boolean }
  | { readonly do: 'stop waiting'; readonly index: number; readonly goesOn: boolean }
  | { readonly do: 'kill'; readonly index: number; readonly who: 'router' | 'handler' }
  | { readonly do: 'wake'; readonly index: number; readonly answer: AnswerName }
  | { readonly do: 'look'; readonly index: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'repeat' | 'cancel' | 'reconcile' | 'complete' };

const index = fc.nat({ max: 5 });
const answer = fc.constantFrom(...(Object.keys(ANSWERS) as AnswerName[]));

type Weighted = fc.WeightedArbitrary<Step>;

/** Steps of one request, and of what comes of it. */
const ofOne: readonly Weighted[] = [
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('let a call go' as const),
      index,
      fate: fc.constantFrom<Fate>('made', 'made', 'made', 'made', 'made', 'lost', 'made, answer lost'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('end' as const), index, answer, late: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('stop waiting' as const),
      index,
      goesOn: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      index,
      who: fc.constantFrom('router' as const, 'handler' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wake' as const), index, answer }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const), index }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 70_000, 1_000_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'reconcile' as const, 'complete' as const) }),
  },
];
const repeat: Weighted = { weight: 4, arbitrary: fc.record({ do: fc.constant('repeat' as const) }) };

const stepsOf = (kinds: readonly Weighted[]) =>
  fc.record({ callback: fc.boolean(), steps: fc.array(fc.oneof(...kinds), { maxLength: 30 }) });

async function play({ callback, steps }: { callback: boolean; steps: readonly Step[] }) {
  const world = new SimulatedPromotion({ callback });
  world.request();
  await world.observe();
  for (const step of steps) {
    switch (step.do) {
      case 'let a call go':
        await world.step(step.index, step.fate);
        break;
      case 'end':
        world.end(step.index, step.answer, step.late);
        break;
      case 'stop waiting':
        world.stopWaiting(step.index, step.goesOn);
        break;
      case 'kill':
        world.kill(step.index, step.who);
        break;
      case 'wake':
        await world.wake(step.index, step.answer);
        break;
      case 'look':
        world.look(step.index);
        break;
      case 'wait':
        world.now += step.ms;
        break;
      case 'repeat':
        world.request();
        break;
      default:
        await world[step.do]();
    }
    await world.observe();
  }
  await world.settle();
  return world;
}

/** What must hold whatever happens. Returns what callers heard. */
async function check(world: SimulatedPromotion) {
  const { requests, record, history, posted } = world;
  expect(await world.count()).toBeLessThanOrEqual(1);
  // One outcome, which never changes.
  const outcomes = new Set(history.flatMap((version) => contentOf(version) ?? []));
  expect(outcomes.size).toBeLessThanOrEqual(1);
  expect(new Set(posted).size).toBeLessThanOrEqual(1);
  for (const sent of posted) expect(outcomes).toContain(sent);
  // A completion only goes to who was given a token, or would have been.
  if (posted.length > 0) expect(record?.promotedAt).toBeDefined();
  const heard = requests.flatMap((request) => (request.answer ? [{ request, ...heardIn(request.answer) }] : []));
  const tokens = new Set(heard.flatMap(({ token }) => (token !== undefined && parseToken(token) ? [token] : [])));
  expect(tokens.size).toBeLessThanOrEqual(1);
  for (const token of tokens) {
    expect(record?.token).toBe(token);
    expect(record?.promotedAt).toBeDefined();
    expect(world.isSettled).toBe(true);
    if (record?.callback && record.state === 'ended') expect(posted.length).toBeGreaterThanOrEqual(1);
  }
  // Who is done in time writes nothing, and asks nobody.
  for (const { inTime, storeCalls } of requests) if (inTime) expect(storeCalls).toBe(0);
  return heard;
}

/** Whether the record was asked for what its caller heard. */
const isKept = ({ inTime, unkept }: Request) => !inTime && !unkept;

describe('a promotable start', () => {
  it('has one outcome, which is its answer or its completion and never both', async () => {
    await fc.assert(
      fc.asyncProperty(stepsOf(ofOne), async (scenario) => {
        const world = await play(scenario);
        try {
          const heard = await check(world);
          const outcomes = heard.flatMap(({ outcome }) => outcome ?? []);
          expect(outcomes.length).toBeLessThanOrEqual(1);
          if (outcomes.length > 0) expect(world.posted).toEqual([]);
        } finally {
          world.close();
        }
      }),
      { numRuns: 1_000 },
    );
  }, 120_000);

  it('that is repeated has one token, and one outcome for all that looked: only who is done in time does not', async () => {
    await fc.assert(
      fc.asyncProperty(stepsOf([...ofOne, repeat]), async (scenario) => {
        const world = await play(scenario);
        try {
          const heard = await check(world);
          const kept = heard.filter(({ request }) => isKept(request)).flatMap(({ outcome }) => outcome ?? []);
          expect(new Set([...kept, ...world.posted]).size).toBeLessThanOrEqual(1);
        } finally {
          world.close();
        }
      }),
      { numRuns: 1_000 },
    );
  }, 120_000);
});
