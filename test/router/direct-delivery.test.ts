import { HandlerError } from 'nexus-rpc';
import { describe, expect, it } from 'vitest';
import type { LambdaHttpResult, NexusInvocation } from '../../src/handler/invocation.ts';
import type { UnseenCrash } from '../../src/operations/unseen-crash.ts';
import { createDirectDelivery, type Delivery } from '../../src/router/direct-delivery.ts';
import type { Absorption } from '../../src/router/durable-delivery.ts';
import { InvokeError } from '../../src/router/errors.ts';
import type { FlowEvent } from '../../src/router/flow-event.ts';
import { type Admitted, type DeliveryResult, type Gate, gates, type Refused } from '../../src/router/gate.ts';
import type { Endpoint } from '../../src/router/ports.ts';
import type { Promotion } from '../../src/router/promotion.ts';
import { SHOP } from './shop.ts';

const DONE = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };
const BROKEN = { ...DONE, statusCode: 503 };
const ACCEPTED = { status: 201, headers: {}, body: new Uint8Array() };
const REFUSED: Refused = { kind: 'refused', reason: 'circuit', retryAfterMs: 1_500, message: 'it is open' };

const FREE: Admitted = { kind: 'admitted', ended: async () => {} };

/** A gate that lets all through, and remembers how each ended. */
function openGate() {
  const ended: DeliveryResult[] = [];
  const admitted: Admitted = { kind: 'admitted', ended: async (result) => void ended.push(result) };
  return { ended, gate: { admit: async () => admitted } satisfies Gate };
}

interface Given {
  readonly answer?: LambdaHttpResult | Error;
  readonly gate?: Gate;
  readonly absorb?: () => Promise<typeof ACCEPTED>;
  readonly promotion?: Promotion;
  readonly delivery?: Partial<Delivery>;
}

function setUp({ answer = DONE, gate, absorb, promotion, delivery: given }: Given) {
  const absorptions: Absorption[] = [];
  const events: FlowEvent[] = [];
  const waits: number[] = [];
  let invocations = 0;
  const deliver = createDirectDelivery({
    invoker: {
      async invoke(_endpoint, _invocation, waitMs) {
        invocations++;
        waits.push(waitMs);
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    ...(gate && { gate }),
    ...(promotion && { promotion }),
    ...(absorb && {
      durable: {
        async absorb(_endpoint, _request, _caller, absorption) {
          absorptions.push(absorption);
          return absorb();
        },
      },
    }),
    emit: (event) => events.push(event),
  });
  const delivery: Delivery = {
    endpoint: SHOP,
    caller: { principal: 'local' },
    request: { method: 'POST', path: '/a/b', query: '', headers: {}, body: new Uint8Array() },
    invocationOf: () => ({}) as NexusInvocation,
    times: () => ({ handlerMs: 1_000, waitMs: 1_000 }),
    ...given,
  };
  return {
    absorptions,
    events,
    waits,
    invocations: () => invocations,
    deliver: (endpoint: Partial<Endpoint> = {}) => deliver({ ...delivery, endpoint: { ...SHOP, ...endpoint } }),
  };
}

describe('a request that a gate refuses', () => {
  const refusing = { admit: async () => REFUSED };

  it('does not reach the handler, and is told when to come again', async () => {
    const { deliver, invocations, events } = setUp({ gate: refusing });
    const { status, headers, body } = await deliver();
    expect({ status, retryAfter: headers['retry-after'] }).toEqual({ status: 503, retryAfter: '2' });
    expect(new TextDecoder().decode(body)).toContain('it is open');
    expect(invocations()).toBe(0);
    expect(events).toEqual([{ kind: 'refused', endpoint: 'shop', reason: 'circuit', principal: 'local' }]);
  });

  it.each(['rate', 'concurrency'] as const)('by its %s limit is told so with 429', async (reason) => {
    const { deliver } = setUp({ gate: { admit: async () => ({ ...REFUSED, reason }) } });
    expect((await deliver()).status).toBe(429);
  });

  it('is accepted for later where that can be', async () => {
    const { deliver, absorptions, events, invocations } = setUp({ gate: refusing, absorb: async () => ACCEPTED });
    expect(await deliver()).toBe(ACCEPTED);
    expect(absorptions).toEqual([{ reason: 'circuit', delayMs: 1_500 }]);
    expect(events).toEqual([{ kind: 'absorbed', endpoint: 'shop', reason: 'circuit', principal: 'local' }]);
    expect(invocations()).toBe(0);
  });

  it('is refused where the store of operations cannot keep it', async () => {
    const absorb = async () => Promise.reject(new HandlerError('UNAVAILABLE', 'no store'));
    const { status, body } = await setUp({ gate: refusing, absorb }).deliver();
    expect(status).toBe(503);
    expect(new TextDecoder().decode(body)).toContain('it is open');
  });
});

describe('a handler without capacity', () => {
  const answer = new InvokeError('throttled', 'at its limit');

  it('has its requests accepted for later, and is not judged', async () => {
    const { ended, gate } = openGate();
    const { deliver, absorptions } = setUp({ answer, gate, absorb: async () => ACCEPTED });
    expect(await deliver()).toBe(ACCEPTED);
    expect(absorptions).toEqual([{ reason: 'throttled', delayMs: 1_000 }]);
    expect(ended).toEqual([{ kind: 'not-reached' }]);
  });

  it('has those refused whose callers can take no token', async () => {
    const { deliver, events } = setUp({ answer });
    expect(await deliver()).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(events).toEqual([{ kind: 'refused', endpoint: 'shop', reason: 'throttled', principal: 'local' }]);
  });
});

describe("a handler's retryable failure", () => {
  it('goes to the caller', async () => {
    const { deliver, absorptions } = setUp({ answer: BROKEN, absorb: async () => ACCEPTED });
    expect((await deliver()).status).toBe(503);
    expect(absorptions).toEqual([]);
  });

  it.each([
    ['an answer', BROKEN],
    ['none', new InvokeError('timeout', 'no answer in time')],
  ])('is kept from it where the endpoint absorbs failures: %s', async (_, answer) => {
    const { ended, gate } = openGate();
    const { deliver, absorptions, events } = setUp({ answer, gate, absorb: async () => ACCEPTED });
    expect(await deliver({ absorbFailures: ['a/b'] })).toBe(ACCEPTED);
    expect(absorptions).toEqual([{ reason: 'failure', message: expect.any(String) }]);
    expect(events).toMatchObject([{ kind: 'absorbed', reason: 'failure' }]);
    expect(ended).toMatchObject([{ kind: 'failed' }]);
  });
});

it.each([
  ['goes on past its caller’s time', { handler: 'goes on' }, 'unjudged'],
  ['was not asked, since an earlier start has the token', { handler: 'not asked' }, 'not-reached'],
  ['answered in time', { handler: 'answered' }, 'succeeded'],
] as const)('tells the gate of a handler that %s', async (_, { handler }, kind) => {
  const { ended, gate } = openGate();
  await setUp({ gate, promotion: { deliver: async () => ({ response: ACCEPTED, handler }) } }).deliver();
  expect(ended).toEqual([{ kind }]);
});

it('tells the gate how each delivery ended, one that broke among them', async () => {
  const { ended, gate } = openGate();
  await setUp({ gate }).deliver();
  await setUp({ gate, answer: BROKEN }).deliver();
  await setUp({ gate, answer: new TypeError('a mistake of ours') })
    .deliver()
    .catch(() => {});
  expect(ended.map(({ kind }) => kind)).toEqual(['succeeded', 'failed', 'unjudged']);
});

describe('an operation that is named cancel', () => {
  const services = [{ name: 'orders', operations: ['cancel'] }];
  const headers = { 'nexus-operation-token': 't' };
  const post = (path: string) => ({ method: 'POST', path, query: '', headers, body: new Uint8Array() });

  it.each([
    ['/orders/cancel', 'start'],
    ['/orders/place/cancel', 'cancel'],
    ['/orders/cancel/cancel', 'cancel'],
  ] as const)('is a start to the gates, unlike a cancel of one: %s is a %s', async (path, kind) => {
    const kinds: string[] = [];
    const gate: Gate = {
      async admit(arrival) {
        kinds.push(arrival.kind);
        return FREE;
      },
    };
    await setUp({ gate, delivery: { request: post(path) } }).deliver({ services });
    const behindGateway = { request: post(path), caller: { principal: 'local', gateway: 'http-api' } } as const;
    await setUp({ gate, delivery: behindGateway }).deliver({ services });
    expect(kinds).toEqual([kind, kind]);
  });

  it('is limited as any start, and judged', async () => {
    const request = post('/orders/cancel');
    const { ended, gate } = openGate();
    await setUp({ gate, answer: BROKEN, delivery: { request } }).deliver({ services });
    expect(ended).toMatchObject([{ kind: 'failed' }]);
    const limited = setUp({
      gate: { admit: async ({ kind }) => (kind === 'start' ? REFUSED : FREE) },
      delivery: { request },
    });
    expect((await limited.deliver({ services })).status).toBe(503);
    expect(limited.invocations()).toBe(0);
  });
});

it('gives the handler what is left of the time once the gates have taken theirs', async () => {
  let elapsedMs = 0;
  const gate: Gate = {
    async admit() {
      elapsedMs += 700;
      return FREE;
    },
  };
  const given: number[] = [];
  const { deliver, waits } = setUp({
    gate,
    delivery: {
      times: () => ({ handlerMs: 9_000 - elapsedMs, waitMs: 10_000 - elapsedMs }),
      invocationOf(handlerMs) {
        given.push(handlerMs);
        return {} as NexusInvocation;
      },
    },
  });
  await deliver();
  expect({ given, waits }).toEqual({ given: [8_300], waits: [9_300] });
});

describe('several gates', () => {
  it('let through what all of them do, and hear how it ended', async () => {
    const [first, second] = [openGate(), openGate()];
    await setUp({ gate: gates(first.gate, second.gate) }).deliver();
    expect([first.ended, second.ended]).toEqual([[{ kind: 'succeeded' }], [{ kind: 'succeeded' }]]);
  });

  it('have the slot that one of them took', async () => {
    const slot = { lease: { part: 'p', slot: 0, holder: 'one' }, leave: () => {} };
    const all = gates({ admit: async () => FREE }, { admit: async () => ({ ...FREE, slot }) });
    const slots: unknown[] = [];
    const promotion: Promotion = {
      async deliver(_endpoint, delivery) {
        slots.push(delivery.slot);
        return { response: ACCEPTED, handler: 'goes on' };
      },
    };
    await setUp({ gate: all, promotion }).deliver();
    expect(slots).toEqual([slot]);
  });

  it('hear of crashes that nobody saw, where they care', async () => {
    const crashes: UnseenCrash[] = [];
    const caring: Admitted = { ...FREE, crashed: async (crash) => void crashes.push(crash) };
    const both = gates({ admit: async () => FREE }, { admit: async () => caring });
    const admitted = await both.admit({ endpoint: SHOP, principal: 'local', kind: 'start' });
    const crash = { since: 1, message: 'attempt 1 never ended' };
    if (admitted.kind === 'admitted') await admitted.crashed?.(crash);
    expect(crashes).toEqual([crash]);
  });

  it('refuse what one does, which is no judgement to those before it and nothing to those after it', async () => {
    const [first, third] = [openGate(), openGate()];
    const { deliver, invocations } = setUp({ gate: gates(first.gate, { admit: async () => REFUSED }, third.gate) });
    expect((await deliver()).status).toBe(503);
    expect(invocations()).toBe(0);
    expect([first.ended, third.ended]).toEqual([[{ kind: 'not-reached' }], []]);
  });
});
