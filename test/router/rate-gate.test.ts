import { describe, expect, it, onTestFinished } from 'vitest';
import { createSqliteLimitStore } from '../../src/local/sqlite-limit-store.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { createRateGate, type RateGateDeps } from '../../src/router/rate-gate.ts';
import { rateLimit, storedRate } from '../../src/router/rate-limits.ts';
import type { EndpointSettings } from '../../src/router/settings.ts';

const NOW = Date.UTC(2026, 0, 1);

function endpointWith(settings: EndpointSettings | undefined, name = 'shop'): Endpoint {
  const target = { namespace: 'default', taskQueue: 'shop' };
  return { name, target, services: [], version: 1, createdAt: NOW, lastModifiedAt: NOW, ...(settings && { settings }) };
}

function setUp(deps: Partial<RateGateDeps> = {}) {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const store = createSqliteLimitStore(db);
  const events: FlowEvent[] = [];
  const clock = { nowMs: NOW, now: () => clock.nowMs };
  const asked: string[] = [];
  const gate = createRateGate({
    store: {
      async takeTokens(limit, ask) {
        asked.push(limit);
        return store.takeTokens(limit, ask);
      },
    },
    reach: { call: async (ask) => ({ value: await ask(new AbortController().signal) }) },
    clock,
    random: () => 0.5,
    emit: (event) => events.push(event),
    ...deps,
  });
  const admit = (
    settings: EndpointSettings | undefined,
    principal = 'basic:shop',
    kind: 'start' | 'cancel' = 'start',
  ) => gate.admit({ endpoint: endpointWith(settings), principal, kind });
  const kinds = async (settings: EndpointSettings, times: number) => {
    const answers = [];
    for (let n = 0; n < times; n++) answers.push((await admit(settings)).kind);
    return answers;
  };
  return { gate, admit, kinds, clock, asked, events };
}

describe('the gate of rate limits', () => {
  it('asks nothing of the store for an endpoint without a limit, nor for a cancel', async () => {
    const { admit, asked, events } = setUp();
    for (const settings of [undefined, {}, { concurrency: 1 }])
      expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
    expect(await admit({ requestsPerSecond: 0.01 }, 'basic:shop', 'cancel')).toMatchObject({ kind: 'admitted' });
    expect(asked).toEqual([]);
    expect(events).toEqual([]);
  });

  it('lets as many through at once as come in a second, where no burst is set, and then one after the other', async () => {
    const { kinds, clock } = setUp();
    const settings = { requestsPerSecond: 5 };
    expect(await kinds(settings, 6)).toEqual([...Array(5).fill('admitted'), 'refused']);
    clock.nowMs += 199;
    expect(await kinds(settings, 1)).toEqual(['refused']);
    clock.nowMs += 2_000;
    expect(await kinds(settings, 6)).toEqual([...Array(5).fill('admitted'), 'refused']);
  });

  it('says when there will be a token, what the limit is, and how it is raised', async () => {
    const { admit, clock } = setUp({ random: () => 0 });
    const settings = { requestsPerSecond: 0.5, burst: 1 };
    await admit(settings);
    const message =
      'endpoint "shop" takes 0.5 starts a second and 1 at once, over all callers; its owner may raise requestsPerSecond and burst';
    expect(await admit(settings)).toEqual({ kind: 'refused', reason: 'rate', retryAfterMs: 2_000, message });
    clock.nowMs += 1_999;
    expect(await admit(settings)).toMatchObject({ kind: 'refused', retryAfterMs: 1 });
    clock.nowMs += 1;
    expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
  });

  it('writes nothing for those that it refuses once it knows that there is no token', async () => {
    const { kinds, clock, asked } = setUp();
    const settings = { requestsPerSecond: 1 };
    await kinds(settings, 1);
    expect(asked).toHaveLength(1);
    clock.nowMs += 500;
    await kinds(settings, 10_000);
    expect(asked).toHaveLength(1);
  });

  it('writes once for many that come at once', async () => {
    const { admit, asked } = setUp();
    const settings = { requestsPerSecond: 10_000 };
    const answers = await Promise.all(Array.from({ length: 500 }, () => admit(settings)));
    expect(answers.filter(({ kind }) => kind === 'admitted')).toHaveLength(500);
    expect(asked.length).toBeLessThan(15);
  });

  it('writes each of its items some times a second, where all come to one environment', async () => {
    const { admit, clock, asked } = setUp();
    const settings = { requestsPerSecond: 10_000 };
    let admitted = 0;
    for (let n = 0; n < 20_000; n++) {
      if (n % 10 === 0) clock.nowMs += 2;
      if ((await admit(settings)).kind === 'admitted') admitted++;
    }
    expect(admitted).toBeGreaterThan(19_900);
    const perItem = Map.groupBy(asked, (item) => item);
    expect(perItem.size).toBe(20);
    for (const writes of perItem.values()) expect(writes.length / 4).toBeLessThan(10);
  });

  it('limits each caller for itself, and a caller that is over its own takes nothing from the others', async () => {
    const { admit } = setUp();
    const settings = { requestsPerSecondPerCaller: 1, burstPerCaller: 2, requestsPerSecond: 1, burst: 3 };
    const answers = [];
    for (const principal of ['a', 'a', 'a', 'a', 'b', 'b']) answers.push(await admit(settings, principal));
    expect(answers.map((answer) => (answer.kind === 'refused' ? answer.message : 'admitted'))).toEqual([
      'admitted',
      'admitted',
      ...Array(2).fill(
        'endpoint "shop" takes 1 start a second and 2 at once from "a" as from any one caller; its owner may raise ' +
          'requestsPerSecondPerCaller and burstPerCaller',
      ),
      'admitted',
      expect.stringContaining('takes 1 start a second and 3 at once, over all callers'),
    ]);
  });

  it('gives a caller back what the limit over all refused', async () => {
    const { admit, clock } = setUp({ random: () => 0 });
    const settings = { requestsPerSecondPerCaller: 0.01, burstPerCaller: 2, requestsPerSecond: 1, burst: 1 };
    expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
    for (let n = 0; n < 5; n++) expect(await admit(settings)).toMatchObject({ kind: 'refused' });
    clock.nowMs += 1_000;
    expect(await admit(settings)).toMatchObject({ kind: 'admitted' });
    clock.nowMs += 1_000;
    expect(await admit(settings)).toMatchObject({ message: expect.stringContaining('from any one caller') });
  });

  it.each([
    ['not-reached', 'admitted'],
    ['unjudged', 'refused'],
    ['succeeded', 'refused'],
  ] as const)('has the token again of a start that ended %s: the next one is %s', async (result, next) => {
    const { admit } = setUp();
    const settings = { requestsPerSecond: 1, burst: 1 };
    const first = await admit(settings);
    if (first.kind === 'admitted') await first.ended({ kind: result });
    expect(await admit(settings)).toMatchObject({ kind: next });
  });

  it('takes another limit as soon as the settings say so', async () => {
    const { kinds, clock } = setUp();
    await kinds({ requestsPerSecond: 0.01 }, 2);
    clock.nowMs += 10;
    expect(await kinds({ requestsPerSecond: 100 }, 1)).toEqual(['admitted']);
    clock.nowMs += 2_000;
    expect(await kinds({ requestsPerSecond: 100 }, 101)).toEqual([...Array(100).fill('admitted'), 'refused']);
  });

  it('goes on where the clock was set back by a day, without a burst', async () => {
    const { kinds, clock } = setUp();
    const settings = { requestsPerSecond: 3 };
    expect(await kinds(settings, 4)).toEqual([...Array(3).fill('admitted'), 'refused']);
    clock.nowMs -= 86_400_000;
    expect(await kinds(settings, 2)).toEqual(['admitted', 'refused']);
    clock.nowMs += 2_000;
    expect(await kinds(settings, 1)).toEqual(['admitted']);
  });

  it('reads the settings that hold now', async () => {
    const { gate, clock } = setUp({
      settingsOf: (_, now) => (now > NOW ? {} : { requestsPerSecond: 0.01 }),
    });
    const arrival = { endpoint: endpointWith(undefined), principal: 'a', kind: 'start' } as const;
    expect(await gate.admit(arrival)).toMatchObject({ kind: 'admitted' });
    expect(await gate.admit(arrival)).toMatchObject({ kind: 'refused' });
    clock.nowMs += 1;
    expect(await gate.admit(arrival)).toMatchObject({ kind: 'admitted' });
  });

  it('lets all through while the store cannot be reached', async () => {
    const { kinds } = setUp({ reach: { call: async () => undefined } });
    expect(await kinds({ requestsPerSecond: 1, requestsPerSecondPerCaller: 1 }, 100)).toEqual(
      Array(100).fill('admitted'),
    );
  });

  it('tells once a second what is left of the limit over all callers', async () => {
    const { kinds, clock, events } = setUp();
    const settings = { requestsPerSecond: 10, requestsPerSecondPerCaller: 10 };
    await kinds(settings, 4);
    clock.nowMs += 1_000;
    await kinds(settings, 20);
    clock.nowMs += 1_000;
    await kinds(settings, 1);
    const of = { kind: 'headroom', endpoint: 'shop', of: 'rate', limit: 10 };
    expect(events).toEqual([9, 9, 9].map((left) => ({ ...of, left })));
  });

  it('forgets callers that it has not seen for long, of many', async () => {
    const { admit, asked } = setUp();
    const settings = { requestsPerSecondPerCaller: 1, burstPerCaller: 1 };
    for (let n = 0; n < 1_001; n++) await admit(settings, `jwt:${n}`);
    expect(await admit(settings, 'jwt:0')).toMatchObject({ kind: 'refused' });
    expect(asked).toHaveLength(1_002);
  });
});

describe('a limit as it is stored', () => {
  it.each([
    { perSecond: 0.01, burst: undefined, items: 1, intervalUs: 100_000_000, lifeUs: 0 },
    { perSecond: 3, burst: undefined, items: 1, intervalUs: 333_334, lifeUs: 666_668 },
    { perSecond: 500, burst: 1, items: 1, intervalUs: 2_000, lifeUs: 0 },
    { perSecond: 501, burst: undefined, items: 2, intervalUs: 3_993, lifeUs: 249 * 3_993 },
    { perSecond: 100_000, burst: undefined, items: 200, intervalUs: 2_000, lifeUs: 499 * 2_000 },
    { perSecond: 100_000, burst: 25, items: 2, intervalUs: 20, lifeUs: 11 * 20 },
  ])('of $perSecond a second and $burst at once is $items items', ({ perSecond, burst, ...stored }) => {
    expect(storedRate(rateLimit(perSecond, burst))).toEqual(stored);
  });
});
