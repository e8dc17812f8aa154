import { describe, expect, it } from 'vitest';
import { createHandWork } from '../../src/operations/hand-work.ts';
import { createOperations } from '../../src/operations/operations.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { leaseExpired, received } from '../../src/operations/transitions.ts';
import { createManagement } from '../../src/router/management.ts';
import { isManagementPath } from '../../src/router/management-path.ts';
import { createOperationManagement } from '../../src/router/operation-management.ts';
import { endedRecord, NOW, newRecord, tokenOf } from '../contract/operation-records.ts';
import { recordedQueues } from '../operations/recorded-queues.ts';
import { SHOP } from './shop.ts';

const BASE = '/nexus/manage/operations';
const CALLBACK = { callback: { url: 'http://127.0.0.1/callback', headers: {} } };

type Accepted = Parameters<typeof newRecord>[0];

function claimed(members?: Accepted): OperationRecord {
  const claim = { leaseUntil: NOW + 900_000, invocation: 'i' };
  const arrived = received(newRecord(members), { now: NOW, random: 0, attempt: 1, claim });
  if (arrived.kind !== 'run') throw new Error(arrived.kind);
  return arrived.transition.record;
}

function deadLettered(members?: Accepted): OperationRecord {
  return leaseExpired({ ...claimed(members), crashes: 100 }, { now: NOW, random: 0 }).record;
}

/** The management API of a store that holds these. */
async function setUp(...records: readonly OperationRecord[]) {
  const { deps, clock, sent } = recordedQueues();
  for (const record of records) await deps.store.create(record, NOW);
  const handWork = createHandWork(deps);
  const part = createOperationManagement({
    store: deps.store,
    operations: createOperations(deps),
    handWork: {
      ...handWork,
      redrive: (token) => (broken.has(token) ? Promise.reject(new Error('throttled')) : handWork.redrive(token)),
    },
    clock,
    endpointOf: async (name) => ({ ...SHOP, name, functionArn: `arn:${name}` }),
  });
  const management = createManagement({ mayManage: (principal) => principal === 'local', parts: [part] });
  const broken = new Set<string>();
  async function ask(method: string, path: string, { principal = 'local' } = {}) {
    const [pathname = '', query = ''] = path.split('?');
    const request = { method, path: pathname, query, headers: {}, body: new Uint8Array() };
    const answer = await management.answer(request, { principal });
    return { status: answer?.status, value: JSON.parse(new TextDecoder().decode(answer?.body)) };
  }
  const get = (path: string) => ask('GET', `${BASE}${path}`);
  const post = (path: string) => ask('POST', `${BASE}${path}`);
  return { deps, clock, sent, broken, management, ask, get, post };
}

describe('GET', () => {
  it('lists operations, the newest first, page by page', async () => {
    const records = [0, 1, 2].map((ms) => newRecord({ acceptedAt: NOW + ms }));
    const { get } = await setUp(...records);
    const first = await get('?limit=2');
    expect(first.value.operations.map(({ token }: OperationRecord) => token)).toEqual([
      records[2]?.token,
      records[1]?.token,
    ]);
    const second = await get(`?limit=2&from=${encodeURIComponent(first.value.next)}`);
    expect(second.value).toEqual({ operations: [expect.objectContaining({ token: records[0]?.token })] });
  });

  it('lists those that the query asks for, and none that was forgotten', async () => {
    const old = deadLettered();
    const bank = deadLettered({ endpoint: 'bank' });
    const forgotten = deadLettered({ retainUntil: NOW });
    const { get } = await setUp(newRecord(), old, bank, forgotten);
    const { value } = await get('?state=dead-lettered&endpoint=shop');
    expect(value.operations).toMatchObject([{ token: old.token, state: 'dead-lettered', endpoint: 'shop' }]);
    expect((await get('?acceptedBefore=2026-01-01T00:00:00Z')).value.operations).toEqual([]);
  });

  it('counts operations by state, and their sum', async () => {
    const { get } = await setUp(newRecord(), newRecord(), claimed(), newRecord({ endpoint: 'bank' }));
    expect((await get('/count?endpoint=shop')).value).toEqual({
      counts: { queued: 2, claimed: 1, 'handed-over': 0, 'dead-lettered': 0, ended: 0 },
      total: 3,
    });
    expect((await get('/count')).value.total).toBe(4);
    expect(await get('/count?state=queued')).toMatchObject({
      status: 400,
      value: {
        message: 'there is no parameter "state"; allowed here: endpoint, acceptedFrom, acceptedBefore, from',
      },
    });
  });

  it('counts those of an age, and what is older than where a count ended', async () => {
    const records = [0, 1, 2, 3].map((ms) => newRecord({ acceptedAt: NOW + ms }));
    const { get } = await setUp(...records);
    expect((await get(`/count?acceptedFrom=${NOW + 1}`)).value.total).toBe(3);
    expect((await get(`/count?acceptedFrom=${NOW + 1}&acceptedBefore=${NOW + 2}`)).value.total).toBe(1);
    const from = `${NOW + 1}`.padStart(16, '0');
    expect((await get(`/count?from=${from}.~`)).value).toMatchObject({ counts: { queued: 2 }, total: 2 });
  });

  it('describes one, with the function whose log its crashes are in', async () => {
    const record = newRecord();
    const { get } = await setUp(record);
    expect(await get(`/${record.token}`)).toMatchObject({
      status: 200,
      value: { token: record.token, state: 'queued', functionArn: 'arn:shop', input: { bytes: 0 } },
    });
  });

  it('tells what one came to', async () => {
    const record = endedRecord(newRecord());
    const { get } = await setUp(record);
    expect((await get(`/${record.token}/result`)).value).toMatchObject({
      state: 'canceled',
      failure: { message: 'the operation was canceled' },
    });
  });
});

describe('POST cancel', () => {
  it('ends an operation that does not run, and answers with it', async () => {
    const record = newRecord();
    const { post } = await setUp(record);
    expect(await post(`/${record.token}/cancel`)).toMatchObject({
      status: 200,
      value: { token: record.token, state: 'ended', outcome: { state: 'canceled' } },
    });
  });

  it('asks one that runs, as often as it is asked to', async () => {
    const record = claimed();
    const { post, deps } = await setUp(record);
    for (let time = 0; time < 2; time++) {
      expect(await post(`/${record.token}/cancel`)).toMatchObject({ status: 200, value: { state: 'claimed' } });
    }
    expect(await deps.store.get(record.token)).toMatchObject({ cancelRequestedAt: NOW });
  });

  it('is refused for one that has ended', async () => {
    const record = endedRecord(newRecord());
    const { post } = await setUp(record);
    expect(await post(`/${record.token}/cancel`)).toMatchObject({
      status: 409,
      value: { message: `operation ${record.token} has ended` },
    });
  });
});

describe('POST retry and redrive', () => {
  it.each(['retry', 'redrive'])('%s takes up what was dead-lettered, and answers with it', async (action) => {
    const record = deadLettered();
    const { post, sent } = await setUp(record);
    expect(await post(`/${record.token}/${action}`)).toMatchObject({
      status: 200,
      value: { token: record.token, state: 'queued', attempt: 2 },
    });
    expect(sent).toMatchObject([{ kind: 'wake', token: record.token }]);
  });

  it.each(['retry', 'redrive'])('%s is refused for one that runs, with the reason', async (action) => {
    const record = claimed();
    const { post } = await setUp(record);
    const { status, value } = await post(`/${record.token}/${action}`);
    expect(status).toBe(409);
    expect(value.message).toMatch(new RegExp(`^operation ${record.token} runs`));
  });
});

describe('POST retry of a page', () => {
  it('makes the next attempt of those of an endpoint that are queued now, and leaves the others', async () => {
    const waiting = [0, 1, 2].map((ms) => newRecord({ acceptedAt: NOW - ms }));
    const others = [newRecord({ endpoint: 'bank' }), claimed(), deadLettered(), endedRecord(newRecord())];
    const { post, deps, sent } = await setUp(...waiting, ...others);
    const first = await post('/retry?endpoint=shop&limit=2');
    const second = await post(`/retry?endpoint=shop&limit=2&from=${first.value.next}`);
    expect([...first.value.done, ...second.value.done]).toEqual(waiting.map(({ token }) => token));
    expect(sent.map(({ kind, token }) => [kind, token])).toEqual(waiting.map(({ token }) => ['wake', token]));
    for (const other of others) expect(await deps.store.get(other.token)).toEqual(other);
  });

  it('is refused with a state: it is for those that are queued', async () => {
    const { post } = await setUp();
    expect(await post('/retry?state=dead-lettered')).toMatchObject({
      status: 400,
      value: { message: 'there is no parameter "state"; allowed here: endpoint, limit, from' },
    });
  });
});

describe('POST redrive of a page', () => {
  it('takes up all that are dead-lettered of an endpoint, and says how each fared', async () => {
    const records = [deadLettered(), deadLettered(), deadLettered()];
    const bank = deadLettered({ endpoint: 'bank' });
    const { post, broken, deps } = await setUp(...records, bank, newRecord());
    const [first, second, third] = records.map(({ token }) => token).sort();
    broken.add(second ?? '');
    const { status, value } = await post('/redrive?endpoint=shop&state=dead-lettered');
    expect(status).toBe(200);
    expect(value.done.sort()).toEqual([first, third]);
    expect(value).toMatchObject({ unchanged: [], failed: [{ token: second, message: 'throttled' }] });
    expect(await deps.store.get(bank.token)).toEqual(bank);
  });

  it('goes on page by page over what is left', async () => {
    const records = [0, 1, 2].map((ms) => deadLettered({ acceptedAt: NOW - ms }));
    const { post } = await setUp(...records);
    const first = await post('/redrive?state=dead-lettered&limit=2');
    const second = await post(`/redrive?state=dead-lettered&limit=2&from=${first.value.next}`);
    expect([...first.value.done, ...second.value.done]).toEqual(records.map(({ token }) => token));
    expect(second.value).not.toHaveProperty('next');
  });

  it.each(['dead-lettered', 'refused'] as const)('sends completions again that are %s', async (kind) => {
    const record = endedRecord(newRecord(CALLBACK), { kind, message: '400' });
    const { post, sent } = await setUp(record, endedRecord(newRecord(CALLBACK)));
    expect((await post(`/redrive?completion=${kind}`)).value.done).toEqual([record.token]);
    expect(sent).toMatchObject([{ kind: 'complete', token: record.token }]);
  });

  it.each(['', '?endpoint=shop', '?state=queued', '?completion=pending', '?state=dead-lettered&completion=refused'])(
    'is refused with the query "%s": it says what can be redriven',
    async (query) => {
      const { post, sent } = await setUp(deadLettered());
      expect(await post(`/redrive${query}`)).toMatchObject({
        status: 400,
        value: {
          message: 'what to redrive? give state=dead-lettered, completion=dead-lettered or completion=refused',
        },
      });
      expect(sent).toEqual([]);
    },
  );
});

it.each([
  ['GET', ''],
  ['GET', '/retry'],
  ['POST', '/cancel'],
])('answers 404 to %s …/{token}%s of an operation that is not there, or was forgotten', async (method, more) => {
  const forgotten = deadLettered({ retainUntil: NOW });
  const { ask } = await setUp(forgotten);
  for (const token of [tokenOf('other'), forgotten.token, 'workflow']) {
    expect(await ask(method, `${BASE}/${token}${more}`)).toMatchObject({ status: 404 });
  }
});

it.each([
  ['POST', ''],
  ['GET', '/a/b/c'],
  ['POST', '/a/result'],
  ['GET', '/a/cancel'],
  ['PUT', '/a'],
])('answers 404 to %s …%s, saying what there is', async (method, path) => {
  const { ask } = await setUp();
  const { status, value } = await ask(method, `${BASE}${path}`);
  expect(status).toBe(404);
  expect(value.message).toContain('there is GET /nexus/manage/operations');
});

it('refuses whoever may not manage, whatever is asked for', async () => {
  const record = deadLettered();
  const { ask, deps } = await setUp(record);
  for (const [method, path] of [
    ['GET', ''],
    ['GET', `/${record.token}`],
    ['POST', `/${record.token}/redrive`],
    ['GET', '/a/b/c'],
  ] as const) {
    expect(await ask(method, `${BASE}${path}`, { principal: 'basic:shop' })).toMatchObject({
      status: 403,
      value: { message: expect.stringContaining('"basic:shop" may not manage operations') },
    });
  }
  expect(await deps.store.get(record.token)).toEqual(record);
});

it.each([
  ['/nexus/manage/operations', true],
  ['/nexus/manage/operations/count', true],
  ['/prod/nexus/manage/operations', true],
  ['/nexus/manage', true],
  ['/nexus/manage/operation', true],
  ['/nexus/manages', false],
  ['/nexus/endpoints/shop/services/nexus/manage/operations', false],
  ['/nexus/endpoints/nexus/manage/operations', false],
  ['/a/b/c/nexus/manage/operations', false],
])('takes %s for a path of the management API: %s', async (path, isOne) => {
  const { management } = await setUp();
  const request = { method: 'GET', path, query: '', headers: {}, body: new Uint8Array() };
  expect((await management.answer(request, { principal: 'local' })) !== undefined).toBe(isOne);
  expect(isManagementPath(path)).toBe(isOne);
});
