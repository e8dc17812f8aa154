import fc from 'fast-check';
import type { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/nexus/base64.ts';
import type { NexusHttpRequest } from '../../src/nexus/message.ts';
import { formatPath } from '../../src/nexus/path.ts';
import type { OperationRecord } from '../../src/operations/record.ts';
import { type AttemptResult, attemptEnded, leaseExpired, received } from '../../src/operations/transitions.ts';
import type { Caller } from '../../src/router/caller.ts';
import { createOperationPolling } from '../../src/router/operation-polling.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import { NOW, newRecord, tokenOf } from '../contract/operation-records.ts';

const LOCAL: Caller = { principal: 'local' };
const MOMENT = { now: NOW, random: 0 };

const SUCCEEDED = succeeded('json/plain', '{"id":1}');
const FAILED = {
  kind: 'ended',
  outcome: { state: 'failed', failure: { message: 'no tea left' }, links: [], at: NOW },
} as const satisfies AttemptResult;
const CANCELED = {
  kind: 'ended',
  outcome: { state: 'canceled', failure: { message: 'stopped', canceledFailureInfo: {} }, links: [], at: NOW },
} as const satisfies AttemptResult;
const HANDED_OVER = { kind: 'handed-over', token: 'workflow', links: [] } as const satisfies AttemptResult;

function succeeded(encoding: string, text: string): AttemptResult {
  const payload = { metadata: { encoding: base64(encoding) }, data: base64(text) };
  const links = [{ url: 'temporal:///namespaces/n/workflows/w/r/history', type: 'temporal.link' }];
  return { kind: 'ended', outcome: { state: 'succeeded', payload, links, at: NOW } };
}

function base64(text: string): string {
  return encodeBase64(new TextEncoder().encode(text));
}

function claimed(record = newRecord()): OperationRecord {
  const claim = { leaseUntil: NOW + 900_000, invocation: 'i' };
  const arrived = received(record, { ...MOMENT, attempt: 1, claim });
  if (arrived.kind !== 'run') throw new Error(arrived.kind);
  return arrived.transition.record;
}

function settled(result: AttemptResult, record?: OperationRecord): OperationRecord {
  return attemptEnded(claimed(record), { ...MOMENT, attempt: 1, result })!.record;
}

function deadLettered(): OperationRecord {
  return leaseExpired({ ...claimed(), crashes: 100 }, MOMENT).record;
}

/** Who asks for this record; time passes only while somebody waits. `writes` says when it becomes another one. */
function setUp(record: OperationRecord, writes: { readonly atMs: number; readonly next: OperationRecord }[] = []) {
  const clock = { time: NOW, now: () => clock.time };
  const closing = new AbortController();
  const asked: number[] = [];
  const polling = createOperationPolling({
    store: {
      async get(token) {
        const latest = writes.filter(({ atMs }) => NOW + atMs <= clock.time).at(-1)?.next ?? record;
        return token === record.token ? latest : undefined;
      },
    },
    clock,
    changed: async (_token, ms) => {
      asked.push(ms);
      clock.time += ms;
    },
    closing: closing.signal,
  });
  const endpoint = { name: 'shop' } as Endpoint;
  const { service, operation } = record.start;
  const ask = (path: string, given: Partial<NexusHttpRequest> = {}, caller: Caller = LOCAL) => {
    const headers = { 'nexus-operation-token': record.token, ...given.headers };
    const request = { method: 'GET', path, query: '', body: new Uint8Array(), ...given, headers };
    return polling.answer(endpoint, request, caller);
  };
  return {
    clock,
    closing,
    asked,
    ask,
    info: (given?: Partial<NexusHttpRequest>, caller?: Caller) => ask(`/${service}/${operation}`, given, caller),
    result: (given?: Partial<NexusHttpRequest>, caller?: Caller) =>
      ask(`/${service}/${operation}/result`, given, caller),
  };
}

type Answer = Awaited<ReturnType<ReturnType<typeof setUp>['ask']>>;

function text(answer: Answer): string {
  return new TextDecoder().decode(answer?.body);
}

async function errorOf(answer: Promise<Answer>): Promise<{ type: string; message: string }> {
  const { type, message } = (await answer.then(
    () => expect.unreachable('it answered'),
    (error: HandlerError) => error,
  )) as HandlerError;
  return { type, message };
}

describe('the state of an operation', () => {
  it.each([
    ['running', 'queued', newRecord()],
    ['running', 'claimed', claimed()],
    ['running', 'dead-lettered', deadLettered()],
    ['running', 'handed over', settled(HANDED_OVER)],
    ['succeeded', 'ended with a result', settled(SUCCEEDED)],
    ['failed', 'ended with a failure', settled(FAILED)],
    ['canceled', 'canceled', settled(CANCELED)],
  ])('is %s while it is %s', async (state, _what, record) => {
    const answer = await setUp(record).info();
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'nexus-operation-state': state },
    });
    expect(JSON.parse(text(answer))).toEqual({ token: record.token, state });
  });

  it('is told for the token in the query, too', async () => {
    const record = newRecord();
    const { ask } = setUp(record);
    const given = { query: `token=${record.token}`, headers: { 'nexus-operation-token': '' } };
    expect(await ask('/orders/place', given)).toMatchObject({ status: 200 });
  });
});

describe('the result of an operation', () => {
  it('is answered as a start would have answered it, with its links', async () => {
    const answer = await setUp(settled(SUCCEEDED)).result();
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(answer?.headers['nexus-link']).toContain('temporal:///namespaces/n/workflows/w/r/history');
    expect(text(answer)).toBe('{"id":1}');
  });

  it('has no type where it is nothing, and one that its reader knows behind a gateway that adds one', async () => {
    const { result } = setUp(settled(succeeded('binary/null', '')));
    const gateway = { principal: 'local', gateway: 'http-api' } as const;
    const temporal = { headers: { 'user-agent': 'temporalio/server' } };
    expect((await result())?.headers).not.toHaveProperty('content-type');
    expect(text(await result({}, gateway))).toBe('null');
    expect((await result(temporal, gateway))?.headers['content-type']).toBe('application/x-temporal-payload');
  });

  it.each([
    ['failed', FAILED, 'no tea left'],
    ['canceled', CANCELED, 'stopped'],
  ])(
    'is 424 with the failure where the operation %s, in the form that the caller reads',
    async (state, ended, message) => {
      const { result } = setUp(settled(ended));
      const old = await result();
      expect(old).toMatchObject({ status: 424, headers: { 'nexus-operation-state': state } });
      expect(JSON.parse(text(old))).toMatchObject({ message });
      const current = await result({ headers: { 'temporal-nexus-failure-support': 'true' } });
      expect(JSON.parse(text(current))).toMatchObject({
        metadata: { type: 'nexus.OperationError' },
        cause: { message },
      });
    },
  );

  it.each([[''], ['wait=0s']])('is 412 at once while the operation runs, with the query "%s"', async (query) => {
    const { result, asked } = setUp(claimed());
    const answer = await result({ query });
    expect(answer).toMatchObject({ status: 412, headers: { 'nexus-operation-state': 'running' } });
    expect(JSON.parse(text(answer)).message).toBe(
      "operation 'orders/place' is still running; ask again later, or with ?wait=20s",
    );
    expect(asked).toEqual([]);
  });

  it('is waited for, and answered within a second of the end', async () => {
    const record = claimed();
    const { result, clock } = setUp(record, [{ atMs: 3_500, next: { ...settled(SUCCEEDED), token: record.token } }]);
    expect(await result({ query: 'wait=20s' })).toMatchObject({ status: 200 });
    expect(clock.time - NOW).toBe(4_000);
  });

  it.each([
    ['what the caller asks for', 'wait=2500ms', {}, {}, 2_500],
    ['Request-Timeout, less the way back', 'wait=20s', { 'request-timeout': '4s' }, {}, 3_800],
    ['what is left of the gateway, less the way back', 'wait=60s', {}, { gatewayMs: 10_000 }, 9_800],
    ['30 s, less the way back', 'wait=10m', {}, {}, 29_800],
    ['nothing, where no time is left', 'wait=20s', {}, { gatewayMs: -5 }, 0],
  ])('is 408 after %s', async (_limit, query, headers, caller, waitedMs) => {
    const { result, clock } = setUp(claimed());
    expect(await result({ query, headers }, { principal: 'local', ...caller })).toMatchObject({
      status: 408,
      headers: { 'nexus-operation-state': 'running' },
    });
    expect(clock.time - NOW).toBe(waitedMs);
  });

  it('is not waited for once the server closes', async () => {
    const { result, clock, closing } = setUp(claimed());
    closing.abort();
    expect(await result({ query: 'wait=20s' })).toMatchObject({ status: 408 });
    expect(clock.time).toBe(NOW);
  });

  it('is waited for by time alone where nothing tells of writes', async () => {
    const record = claimed(newRecord({ retainUntil: Number.MAX_SAFE_INTEGER }));
    const polling = createOperationPolling({ store: { get: async () => record }, clock: Date });
    const headers = { 'nexus-operation-token': record.token };
    const request = {
      method: 'GET',
      path: '/orders/place/result',
      query: 'wait=20ms',
      headers,
      body: new Uint8Array(),
    };
    expect(await polling.answer({ name: 'shop' } as Endpoint, request, LOCAL)).toMatchObject({ status: 408 });
  });

  it('is 404 where the operation is forgotten while somebody waits', async () => {
    const record = claimed(newRecord({ retainUntil: NOW + 2_000 }));
    const { type } = await errorOf(setUp(record).result({ query: 'wait=20s' }));
    expect(type).toBe('NOT_FOUND');
  });

  it('is 409 where the handler answered with a token of its own, also to one who waits for it', async () => {
    const record = claimed();
    const handedOver = { ...settled(HANDED_OVER), token: record.token };
    const { type, message } = await errorOf(setUp(handedOver).result());
    expect({ type, message }).toEqual({
      type: 'CONFLICT',
      message: expect.stringMatching(/^operation 'orders\/place' has no result here .*a token of its own/),
    });
    const waiting = setUp(record, [{ atMs: 1_000, next: handedOver }]);
    expect(await errorOf(waiting.result({ query: 'wait=20s' }))).toMatchObject({ type: 'CONFLICT' });
  });

  it.each(['soon', '-1s', '20'])('is not waited for "%s": it says what a time looks like', async (wait) => {
    const { type, message } = await errorOf(setUp(claimed()).result({ query: `wait=${wait}` }));
    expect({ type, message }).toEqual({ type: 'BAD_REQUEST', message: expect.stringContaining('"20s"') });
  });

  it('asks for the token where there is none', async () => {
    const { type, message } = await errorOf(setUp(claimed()).result({ headers: { 'nexus-operation-token': '' } }));
    expect({ type, message }).toEqual({
      type: 'BAD_REQUEST',
      message: expect.stringContaining('Nexus-Operation-Token'),
    });
  });
});

describe('what is not there for a caller', () => {
  const record = newRecord();
  it.each([
    ['an unknown token', record, { headers: { 'nexus-operation-token': tokenOf('other') } }, LOCAL],
    ["a handler's own token", record, { headers: { 'nexus-operation-token': 'workflow' } }, LOCAL],
    ["another principal's token", record, {}, { principal: 'basic:shop' }],
    ["another endpoint's token", newRecord({ endpoint: 'bank' }), {}, LOCAL],
    ['one that was forgotten', newRecord({ retainUntil: NOW }), {}, LOCAL],
  ])('is %s: all are told the same', async (_what, stored, given, caller) => {
    const { info, result } = setUp(stored);
    const message = (path: string) =>
      `no operation at "${path}" has this token: it may have been forgotten, or be one that a handler issued itself, which ` +
      'cannot be asked for here';
    expect(await errorOf(info(given, caller))).toEqual({ type: 'NOT_FOUND', message: message('/orders/place') });
    expect(await errorOf(result(given, caller))).toEqual({
      type: 'NOT_FOUND',
      message: message('/orders/place/result'),
    });
  });

  it.each([
    '/orders/cancel',
    '/order/place',
    '/orders/place/outcome',
    '/orders/place/result/more',
    '/orders',
    '/',
    '/orders/pl%ZZ',
    '/orders/place/',
  ])('is a token at %s, which is not its place', async (path) => {
    expect(await errorOf(setUp(record).ask(path))).toMatchObject({ type: 'NOT_FOUND' });
  });
});

it.each([
  ['another method', { method: 'POST' }],
  ['no token, as a POST that was redirected has none', { headers: { 'nexus-operation-token': '' } }],
])('leaves %s to the handler', async (_what, given) => {
  expect(await setUp(newRecord()).info(given)).toBeUndefined();
});

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => text !== '.' && text !== '..');

it('finds an operation of any name, at its escaped path and at the one that a gateway decoded', async () => {
  await fc.assert(
    fc.asyncProperty(name, name, async (service, operation) => {
      const start = { service, operation, headers: {}, query: '', body: '' };
      const { ask } = setUp(settled(SUCCEEDED, newRecord({ start })));
      const escaped = formatPath({ kind: 'start', service, operation });
      const gateway = { principal: 'local', gateway: 'http-api' } as const;
      for (const [path, caller] of [
        [escaped, LOCAL],
        [escaped, gateway],
        [`/${service}/${operation}`, gateway],
      ] as const) {
        expect(JSON.parse(text(await ask(path, {}, caller)))).toMatchObject({ state: 'succeeded' });
        expect(text(await ask(`${path}/result`, {}, caller))).toBe('{"id":1}');
      }
    }),
  );
});
