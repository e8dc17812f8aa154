import { expect, it, onTestFinished } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import { createCircuitGate } from '../../src/router/circuit-gate.ts';
import { trippedByHand } from '../../src/router/circuit-transitions.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import type { Admitted, DeliveryResult } from '../../src/router/gate.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const FAILED: DeliveryResult = { kind: 'failed', message: 'the bank is down' };
const SUCCEEDED: DeliveryResult = { kind: 'succeeded' };
const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };

/** Gates of environments that share one store, and what they told. */
async function setUp({ settings = {} } = {}) {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(db, clock);
  await registry.create({ ...spec, settings });
  const store = createSqliteCircuitStore(db);
  const events: FlowEvent[] = [];
  const unwritten: unknown[] = [];
  const state = { isDown: false, writes: 0, ids: 0 };

  function createEnvironment() {
    const gate = createCircuitGate({
      store: {
        async write(...args) {
          state.writes++;
          if (state.isDown) throw new Error('the table is down');
          return store.write(...args);
        },
      },
      clock,
      emit: (event) => events.push(event),
      newId: () => `probe-${state.ids++}`,
      onUnwritten: (endpoint, error) => unwritten.push({ endpoint, error }),
    });
    let view: Endpoint | undefined;
    const environment = {
      /** Reads the endpoint as it is stored; without, a request comes with what was read last. */
      async refresh() {
        view = await registry.get('shop');
        return environment;
      },
      async admit(leaseMs?: number) {
        if (view === undefined) await environment.refresh();
        const more = leaseMs === undefined ? {} : { leaseMs };
        return gate.admit({ endpoint: view!, principal: 'local', kind: 'start', ...more });
      },
      async begin(leaseMs?: number): Promise<Admitted> {
        const admission = await environment.admit(leaseMs);
        if (admission.kind !== 'admitted') throw new Error(admission.message);
        return admission;
      },
      async request(result: DeliveryResult): Promise<'admitted' | 'refused'> {
        const admission = await environment.admit();
        if (admission.kind === 'admitted') await admission.ended(result);
        return admission.kind;
      },
      async requests(...results: readonly DeliveryResult[]) {
        for (const result of results) await environment.request(result);
        return environment;
      },
    };
    return environment;
  }

  const circuit = async () => (await registry.get('shop'))?.circuit;
  return { clock, registry, store, events, unwritten, state, circuit, createEnvironment };
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

it('opens with the fifth failure in a row of a caller that calls one by one, and tells what it was', async () => {
  const { createEnvironment, circuit, events } = await setUp();
  const environment = createEnvironment();
  await environment.requests(...times(4, FAILED), SUCCEEDED, ...times(4, FAILED));
  expect(await circuit()).toMatchObject({ status: 'closed' });
  expect(events).toEqual([]);
  await environment.request(FAILED);
  expect(await circuit()).toMatchObject({ status: 'open', streak: 5, lastFailure: { message: 'the bank is down' } });
  expect(events).toEqual([
    { kind: 'circuit-changed', endpoint: 'shop', from: 'closed', to: 'open', why: 'the bank is down' },
  ]);
  expect(await environment.request(SUCCEEDED)).toBe('refused');
});

it('refuses saying since when, after what, and when the next request is let through, but not with which words it failed', async () => {
  const { createEnvironment, clock } = await setUp();
  const environment = await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 18_000;
  expect(await environment.admit()).toEqual({
    kind: 'refused',
    reason: 'circuit',
    retryAfterMs: 42_000,
    since: clock.nowMs - 18_000,
    message:
      'the circuit of endpoint "shop" is open since 2026-01-01T00:00:00.000Z, after 5 failures in a row; ' +
      'the next request is let through at 2026-01-01T00:01:00.000Z',
  });
});

it('goes by the settings of the endpoint', async () => {
  const { createEnvironment, clock } = await setUp({ settings: { circuitFailures: 1, circuitOpenMs: 2_000 } });
  const environment = await createEnvironment().requests(FAILED);
  expect(await environment.admit()).toMatchObject({
    retryAfterMs: 2_000,
    message: expect.stringContaining('after 1 failure;'),
  });
  clock.nowMs += 2_000;
  expect(await environment.request(SUCCEEDED)).toBe('admitted');
});

it('writes nothing while all goes well, and nothing for what says nothing', async () => {
  const { createEnvironment, state, circuit } = await setUp();
  await createEnvironment().requests(...times(100, SUCCEEDED), ...times(100, { kind: 'unjudged' } as const));
  await createEnvironment().requests(...times(100, { kind: 'not-reached' } as const));
  expect(state.writes).toBe(0);
  expect(await circuit()).toBeUndefined();
});

it('writes a failure once a second at most, and the one that opens the circuit at once', async () => {
  const { createEnvironment, state, clock, circuit } = await setUp({ settings: { circuitFailures: 100 } });
  const environment = createEnvironment();
  for (let ms = 0; ms < 5_000; ms += 100) {
    await environment.request(FAILED);
    clock.nowMs += 100;
  }
  expect(state.writes).toBe(5);
  expect(await circuit()).toMatchObject({ streak: 41 });
  await environment.requests(...times(50, FAILED));
  expect(await circuit()).toMatchObject({ status: 'open', streak: 100 });
});

it('adds the failures of many environments up, and lets the success of any that knows of them end the streak', async () => {
  const { createEnvironment, circuit, clock } = await setUp();
  const [first, second, third] = times(3, undefined).map(createEnvironment);
  for (const environment of [first, second, third]) await environment!.refresh();
  await first!.request(FAILED);
  await second!.request(FAILED);
  await third!.request(FAILED);
  expect(await circuit()).toMatchObject({ streak: 3 });
  clock.nowMs += 2_000;
  await (await createEnvironment().refresh()).request(SUCCEEDED);
  expect(await circuit()).toMatchObject({ status: 'closed', streak: 0 });
});

it('opens with the fifth failure of calls one by one that reach another environment each time', async () => {
  const { createEnvironment, circuit, clock } = await setUp();
  for (let call = 1; call <= 5; call++) {
    expect(await circuit()).not.toMatchObject({ status: 'open' });
    await createEnvironment().requests(FAILED);
    clock.nowMs += 250;
  }
  expect(await circuit()).toMatchObject({ status: 'open', streak: 5 });
});

it('lets one environment of all probe, and closes for all when that succeeded', async () => {
  const { createEnvironment, clock, circuit, events } = await setUp();
  const environments = times(5, undefined).map(createEnvironment);
  await environments[0]!.requests(...times(5, FAILED));
  for (const environment of environments) await environment.refresh();
  clock.nowMs += 60_000;
  const admissions = await Promise.all(environments.map((environment) => environment.admit()));
  const probes = admissions.filter(({ kind }) => kind === 'admitted') as Admitted[];
  expect(probes).toHaveLength(1);
  expect(admissions.find(({ kind }) => kind === 'refused')).toMatchObject({ retryAfterMs: 35_000 });
  await probes[0]!.ended(SUCCEEDED);
  expect(await circuit()).toMatchObject({ status: 'closed', streak: 0 });
  expect(events.slice(1)).toMatchObject([
    { from: 'open', to: 'probing', why: 'a probe is due' },
    { from: 'probing', to: 'closed', why: 'the probe succeeded' },
  ]);
  for (const environment of environments)
    expect(await (await environment.refresh()).request(SUCCEEDED)).toBe('admitted');
});

it('stays open for as long again where the probe failed, with what it failed with', async () => {
  const { createEnvironment, clock, circuit, events } = await setUp();
  const environment = await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 60_000;
  expect(await environment.request({ kind: 'failed', message: 'still down' })).toBe('admitted');
  expect(await environment.admit()).toMatchObject({ kind: 'refused', retryAfterMs: 60_000 });
  expect(await circuit()).toMatchObject({ lastFailure: { message: 'still down' } });
  expect(events.at(-1)).toMatchObject({ from: 'probing', to: 'open', why: 'still down' });
});

it.each([
  ['not-reached', 'the probe did not reach the handler'],
  ['unjudged', 'the probe said nothing about the handler'],
] as const)('makes another probe in a second where one says nothing of the handler: %s', async (kind, why) => {
  const { createEnvironment, clock, events } = await setUp();
  const environment = await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 60_000;
  await environment.request({ kind });
  expect(events.at(-1)).toMatchObject({ from: 'probing', to: 'open', why });
  expect(await environment.admit()).toMatchObject({ kind: 'refused', retryAfterMs: 1_000 });
  clock.nowMs += 1_000;
  expect(await environment.request(SUCCEEDED)).toBe('admitted');
});

it('makes another probe once the lease of one that never ended is over, and tells so', async () => {
  const { createEnvironment, clock, events, circuit } = await setUp();
  await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 60_000;
  const lost = await createEnvironment().begin(5_000);
  const other = createEnvironment();
  expect(await other.admit()).toMatchObject({ kind: 'refused', retryAfterMs: 5_000 });
  clock.nowMs += 5_000;
  const probe = await other.begin();
  expect(events.slice(-2)).toMatchObject([
    { from: 'probing', to: 'open', why: 'the probe did not end in its time' },
    { from: 'open', to: 'probing' },
  ]);
  await lost.ended(FAILED);
  expect(await circuit()).toMatchObject({ status: 'open', probe: { id: expect.any(String) } });
  clock.nowMs += 1;
  await probe.ended(FAILED);
  const opened = await circuit();
  expect(opened).toMatchObject({ status: 'open', lastFailure: { message: 'the bank is down' } });
  await lost.ended(SUCCEEDED);
  expect(await circuit()).toEqual(opened);
});

it('closes where attempts succeed that all take longer than the lease of a probe', async () => {
  const { createEnvironment, clock, circuit } = await setUp();
  await createEnvironment().requests(...times(5, FAILED));
  const attempts: Admitted[] = [];
  while (attempts.length < 5) {
    clock.nowMs += 60_000;
    attempts.push(await (await createEnvironment().refresh()).begin(900_000));
  }
  clock.nowMs += 30_000;
  await attempts[0]!.ended(SUCCEEDED);
  expect(await circuit()).toMatchObject({ status: 'closed', successMs: 270_000 });
});

it('has others wait a minute at most for the probe of an attempt that may take longer', async () => {
  const { createEnvironment, clock, circuit } = await setUp();
  await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 60_000;
  await createEnvironment().begin(900_000);
  expect(await circuit()).toMatchObject({ probe: { leaseUntil: clock.nowMs + 60_000 } });
  const other = createEnvironment();
  clock.nowMs += 59_999;
  expect(await other.request(SUCCEEDED)).toBe('refused');
  clock.nowMs += 1;
  expect(await other.request(SUCCEEDED)).toBe('admitted');
  expect(await circuit()).toMatchObject({ status: 'closed' });
});

it('counts a crash that nobody saw as a failure that came now', async () => {
  const { createEnvironment, circuit, clock } = await setUp();
  const environment = createEnvironment();
  const since = clock.nowMs;
  clock.nowMs += 600_000;
  await (await environment.begin()).crashed?.({ since, message: 'attempt 1 never ended' });
  const lastFailure = { at: clock.nowMs, message: 'attempt 1 never ended' };
  expect(await circuit()).toEqual({ status: 'closed', version: 1, streak: 1, since: clock.nowMs, lastFailure });
});

it('counts no crash of an attempt that began before a success, also where it learns of that by its own write', async () => {
  const { createEnvironment, circuit, clock } = await setUp({ settings: { circuitFailures: 2 } });
  const crash = { since: clock.nowMs, message: 'attempt 1 never ended' };
  const [old, own] = [createEnvironment(), createEnvironment()];
  const [first, second] = [await old.begin(), await own.begin()];
  clock.nowMs += 1_000;
  await own.request(SUCCEEDED);
  await second.crashed?.(crash);
  expect(await circuit()).toBeUndefined();
  await createEnvironment().requests(FAILED, SUCCEEDED);
  const cleared = await circuit();
  expect(cleared).toMatchObject({ streak: 0, clearedAt: clock.nowMs });
  clock.nowMs += 1_000;
  await first.crashed?.(crash);
  expect(await circuit()).toEqual(cleared);
  clock.nowMs += 1_000;
  await old.request(FAILED);
  expect(await circuit()).toMatchObject({ status: 'closed', streak: 1 });
});

it('counts no crash for an attempt that is the probe', async () => {
  const { createEnvironment, circuit, clock } = await setUp();
  const environment = await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 60_000;
  const probe = await environment.begin();
  const probing = await circuit();
  await probe.crashed?.({ since: clock.nowMs - 1_000, message: 'attempt 1 never ended' });
  expect(await circuit()).toEqual(probing);
});

it('learns by its own write that its view is old', async () => {
  const { createEnvironment, clock, state } = await setUp();
  const old = await createEnvironment().refresh();
  await createEnvironment().requests(...times(5, FAILED));
  expect(await old.request(FAILED)).toBe('admitted');
  expect(await old.request(FAILED)).toBe('refused');
  clock.nowMs += 60_000;
  await createEnvironment().requests(SUCCEEDED);
  const writes = state.writes;
  expect(await old.request(SUCCEEDED)).toBe('admitted');
  expect(state.writes).toBe(writes + 1);
});

it('keeps a circuit that was opened by hand open until it is reset, and gives the reason', async () => {
  const { createEnvironment, clock, store, circuit } = await setUp();
  const tripped = trippedByHand(
    { status: 'closed', version: 0, streak: 0 },
    { by: 'iam:ops', reason: 'the bank moves', at: clock.nowMs },
  );
  await store.write('shop', tripped!);
  const environment = createEnvironment();
  for (const ms of [0, 60_000, 86_400_000]) {
    clock.nowMs += ms;
    expect(await environment.admit()).toEqual({
      kind: 'refused',
      reason: 'circuit',
      retryAfterMs: 60_000,
      message:
        'the circuit of endpoint "shop" is open since 2026-01-01T00:00:00.000Z, by hand: the bank moves; ' +
        'no request is let through until somebody resets it',
    });
  }
  expect(await circuit()).toMatchObject({ version: 1 });
});

it('starts anew with an endpoint that was deleted and made again', async () => {
  const { createEnvironment, registry, clock } = await setUp();
  const environment = await createEnvironment().requests(...times(5, FAILED));
  clock.nowMs += 1;
  await registry.delete('shop', 1);
  await registry.create(spec);
  await environment.refresh();
  await environment.requests(...times(4, FAILED));
  expect(await environment.request(SUCCEEDED)).toBe('admitted');
});

it('never rejects where the store cannot be written, and goes on as if it were alone', async () => {
  const { createEnvironment, state, clock, events, unwritten, circuit } = await setUp();
  state.isDown = true;
  const [failing, other] = [createEnvironment(), createEnvironment()];
  await failing.requests(...times(5, FAILED));
  expect(await failing.request(SUCCEEDED)).toBe('refused');
  expect(await other.request(SUCCEEDED)).toBe('admitted');
  expect(await circuit()).toBeUndefined();
  expect(events).toMatchObject([
    { from: 'closed', to: 'open', why: expect.stringMatching(/^the bank is down \(known to this environment alone: /) },
  ]);
  expect(unwritten).toEqual([{ endpoint: 'shop', error: new Error('the table is down') }]);
  clock.nowMs += 60_000;
  expect(await failing.request(FAILED)).toBe('admitted');
  expect(await failing.request(SUCCEEDED)).toBe('refused');
  clock.nowMs += 60_000;
  expect(await failing.request(SUCCEEDED)).toBe('admitted');
  expect(await failing.request(SUCCEEDED)).toBe('admitted');
});

it('tries a write that failed again after five seconds, and writes then what it knows', async () => {
  const { createEnvironment, state, clock, circuit } = await setUp({ settings: { circuitFailures: 100 } });
  const environment = createEnvironment();
  state.isDown = true;
  for (let second = 0; second < 5; second++) {
    await environment.request(FAILED);
    clock.nowMs += 1_000;
  }
  expect(state.writes).toBe(1);
  state.isDown = false;
  await environment.request(FAILED);
  expect(state.writes).toBe(2);
  expect(await circuit()).toMatchObject({ streak: 6 });
});

it('follows the last view that it has while the store cannot be written', async () => {
  const { createEnvironment, state, clock } = await setUp();
  const environment = createEnvironment();
  await createEnvironment().requests(...times(5, FAILED));
  await environment.refresh();
  state.isDown = true;
  expect(await environment.request(SUCCEEDED)).toBe('refused');
  clock.nowMs += 60_000;
  expect(await environment.request(SUCCEEDED)).toBe('admitted');
  expect(await environment.request(SUCCEEDED)).toBe('admitted');
});

it('does not wait for a store that gives no answer', async () => {
  const { registry, clock } = await setUp({ settings: { circuitFailures: 1 } });
  const gate = createCircuitGate({
    store: {
      write: (_endpoint, _circuit, signal) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    },
    clock,
    emit: () => {},
    newId: () => 'p',
    onUnwritten: (_endpoint, error) => expect(error).toEqual(new Error('no answer within 500 ms')),
  });
  const endpoint = (await registry.get('shop'))!;
  const startedAt = performance.now();
  const admission = await gate.admit({ endpoint, principal: 'local', kind: 'start' });
  if (admission.kind === 'admitted') await admission.ended(FAILED);
  expect(await gate.admit({ endpoint, principal: 'local', kind: 'start' })).toMatchObject({ kind: 'refused' });
  expect(performance.now() - startedAt).toBeGreaterThan(400);
});
