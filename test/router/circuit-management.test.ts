import { expect, it, onTestFinished } from 'vitest';
import { createSqliteCircuitStore } from '../../src/local/sqlite-circuit-store.ts';
import { createSqliteEndpointRegistry } from '../../src/local/sqlite-endpoint-registry.ts';
import { openEphemeralStore } from '../../src/local/store.ts';
import type { StoredCircuit } from '../../src/router/circuit.ts';
import { createCircuitManagement } from '../../src/router/circuit-management.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { createManagement } from '../../src/router/management.ts';
import { isManagementPath } from '../../src/router/management-path.ts';
import { ManualClock } from '../contract/endpoint-registry.contract.ts';

const BASE = '/nexus/manage/circuits';
const spec = { name: 'shop', target: { namespace: 'default', taskQueue: 'shop' }, services: [] };
const NOW = new ManualClock().nowMs;
const AT_REST = { status: 'closed', streak: 0, settings: { circuitFailures: 5, circuitOpenMs: 60_000 } };
const OPEN: StoredCircuit = {
  ...{ status: 'open', version: 1, streak: 5, openedAt: NOW, nextProbeAt: NOW + 60_000 },
  lastFailure: { at: NOW, message: 'the bank is down' },
};

/** The management API of `shop` and `bank`, the first with this circuit. */
async function setUp({ circuit, settings = {} }: { circuit?: StoredCircuit; settings?: object } = {}) {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const clock = new ManualClock();
  const registry = createSqliteEndpointRegistry(db, clock);
  const store = createSqliteCircuitStore(db);
  await registry.create({ ...spec, settings });
  await registry.create({ ...spec, name: 'bank' });
  if (circuit !== undefined) await store.write('shop', circuit);
  const events: FlowEvent[] = [];
  const emit = (event: FlowEvent) => void events.push(event);
  const part = createCircuitManagement({ registry, store, clock, emit });
  const management = createManagement({ mayManage: (principal) => principal !== 'basic:shop', parts: [part] });
  async function ask(method: string, path: string, principal = 'iam:ops') {
    const [pathname = '', query = ''] = path.split('?');
    const request = { method, path: pathname, query, headers: {}, body: new Uint8Array() };
    const answer = await management.answer(request, { principal });
    return { status: answer?.status, value: JSON.parse(new TextDecoder().decode(answer?.body)) };
  }
  const get = (path: string) => ask('GET', BASE + path);
  const post = (path: string) => ask('POST', BASE + path);
  const stored = async () => (await registry.get('shop'))?.circuit;
  return { clock, store, events, ask, get, post, stored };
}

it('lists the circuits of all endpoints, those at rest included', async () => {
  const { get } = await setUp({ circuit: OPEN });
  expect(await get('')).toEqual({
    status: 200,
    value: {
      circuits: [
        { endpoint: 'bank', ...AT_REST },
        expect.objectContaining({ endpoint: 'shop', status: 'open', nextProbeAt: '2026-01-01T00:01:00.000Z' }),
      ],
    },
  });
});

it('describes one with its last failure, and the settings that hold', async () => {
  const { get } = await setUp({ circuit: OPEN, settings: { circuitFailures: 9 } });
  expect((await get('/shop')).value).toEqual({
    endpoint: 'shop',
    status: 'open',
    streak: 5,
    since: '2026-01-01T00:00:00.000Z',
    lastFailure: { at: '2026-01-01T00:00:00.000Z', message: 'the bank is down' },
    nextProbeAt: '2026-01-01T00:01:00.000Z',
    settings: { circuitFailures: 9, circuitOpenMs: 60_000 },
  });
});

it('describes one with a streak, and one that probes', async () => {
  const streak = await setUp({ circuit: { status: 'closed', version: 1, streak: 3, since: NOW } });
  expect((await streak.get('/shop')).value).toMatchObject({
    status: 'closed',
    streak: 3,
    since: '2026-01-01T00:00:00.000Z',
  });
  const { get, clock } = await setUp({ circuit: { ...OPEN, probe: { id: 'p', leaseUntil: NOW + 1_000 } } });
  const probing = (await get('/shop')).value;
  expect(probing).toMatchObject({ status: 'probing', probeUntil: '2026-01-01T00:00:01.000Z' });
  expect(probing).not.toHaveProperty('nextProbeAt');
  clock.nowMs += 1_000;
  expect((await get('/shop')).value).toMatchObject({ status: 'open' });
});

it.each([
  ['that is at rest', undefined],
  ['that is open', OPEN],
])('opens a circuit %s by hand, in the name of whoever asked, and tells so', async (_what, circuit) => {
  const { post, stored, events } = await setUp(circuit && { circuit });
  const { status, value } = await post('/shop/trip?reason=the%20bank%20moves');
  const tripped = { by: 'iam:ops', reason: 'the bank moves', at: '2026-01-01T00:00:00.000Z' };
  expect({ status, value }).toMatchObject({ status: 200, value: { endpoint: 'shop', status: 'open', tripped } });
  expect(value).not.toHaveProperty('nextProbeAt');
  expect(await stored()).toMatchObject({ status: 'open', tripped: { by: 'iam:ops' } });
  const from = circuit === undefined ? 'closed' : 'open';
  expect(events).toEqual([
    { kind: 'circuit-changed', endpoint: 'shop', from, to: 'open', why: 'the bank moves', by: 'iam:ops' },
  ]);
});

it('does not open one again that somebody opened, and says who that was', async () => {
  const { post, stored } = await setUp();
  await post('/shop/trip?reason=a');
  expect(await post('/shop/trip?reason=b')).toMatchObject({
    status: 409,
    value: {
      message:
        'the circuit of endpoint "shop" is open by hand since 2026-01-01T00:00:00.000Z, by iam:ops: a; reset it first',
    },
  });
  expect(await stored()).toMatchObject({ tripped: { reason: 'a' } });
});

it('closes one, whoever opened it, and leaves one at rest alone', async () => {
  const { post, stored, events } = await setUp({ circuit: OPEN });
  expect(await post('/shop/reset')).toMatchObject({ status: 200, value: { status: 'closed', streak: 0 } });
  await post('/shop/trip?reason=a');
  expect(await post('/shop/reset')).toMatchObject({ status: 200, value: { status: 'closed' } });
  expect(events.map((event) => event.kind === 'circuit-changed' && `${event.from} ${event.to} ${event.by}`)).toEqual([
    'open closed iam:ops',
    'closed open iam:ops',
    'open closed iam:ops',
  ]);
  const { version } = (await stored())!;
  expect((await post('/shop/reset')).value).toMatchObject({
    status: 'closed',
    lastFailure: { message: 'the bank is down' },
  });
  expect(await stored()).toMatchObject({ version });
});

it('comes through where a request writes in between', async () => {
  const { db, close } = openEphemeralStore();
  onTestFinished(close);
  const registry = createSqliteEndpointRegistry(db, new ManualClock());
  await registry.create(spec);
  const store = createSqliteCircuitStore(db);
  let others = 3;
  const part = createCircuitManagement({
    registry,
    store: {
      async write(endpoint, circuit, signal) {
        if (others-- > 0)
          await store.write(endpoint, { status: 'closed', version: circuit.version, streak: 1, since: NOW });
        return store.write(endpoint, circuit, signal);
      },
    },
    clock: new ManualClock(),
    emit: () => {},
  });
  const request = { method: 'POST', path: '', query: 'reason=a', headers: {}, body: new Uint8Array() };
  expect(await part.respond(request, 'shop/trip', { principal: 'local' })).toMatchObject({ status: 'open', streak: 1 });
  expect((await registry.get('shop'))?.circuit).toMatchObject({ version: 4, tripped: { by: 'local' } });
  others = Number.POSITIVE_INFINITY;
  await expect(part.respond(request, 'shop/reset', { principal: 'local' })).rejects.toThrow(
    'the circuit of endpoint "shop" is written by others all the time; try it again',
  );
});

it.each([
  ['GET', '/shp', 404, 'no endpoint is named "shp"; there is "bank", "shop"'],
  ['POST', '/shp/reset', 404, 'no endpoint is named "shp"'],
  [
    'POST',
    '/shop/trip',
    400,
    'a reason of 1 to 500 characters is needed, as ?reason=, for callers and whoever looks next; none is given',
  ],
  ['POST', '/shop/trip?reason=%20', 400, 'none is given'],
  ['POST', `/shop/trip?reason=${'x'.repeat(501)}`, 400, 'it has 501 characters'],
  ['POST', '/shop/trip?why=a', 400, 'there is no parameter "why"; allowed here: reason'],
  ['POST', '/shop', 404, 'there is no POST at "shop"; there is GET /nexus/manage/circuits'],
  ['DELETE', '', 404, 'there is no DELETE at ""'],
  ['GET', '/shop/trip', 404, 'there is no GET at "shop/trip"'],
  ['POST', '/shop/reset/now', 404, 'there is no POST at "shop/reset/now"'],
])('refuses %s %s', async (method, path, status, message) => {
  const { ask, stored } = await setUp();
  expect(await ask(method, BASE + path)).toMatchObject({
    status,
    value: { message: expect.stringContaining(message) },
  });
  expect(await stored()).toBeUndefined();
});

it('is for those who may manage, at its own path', async () => {
  const { ask } = await setUp();
  expect(await ask('GET', BASE, 'basic:shop')).toMatchObject({ status: 403 });
  expect(await ask('GET', `/prod${BASE}/shop`)).toMatchObject({ status: 200 });
  expect(isManagementPath(`${BASE}/shop`)).toBe(true);
  expect(isManagementPath(`/nexus/endpoints/shop/services${BASE}`)).toBe(false);
});
