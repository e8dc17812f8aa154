import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceContract } from '../../src/nexus/message.ts';
import { gateVerdict, isSameContract, removedOperations } from '../../src/router/contract.ts';

type Contract = readonly ServiceContract[];

// Few names, so that contracts share some; with `/`, two pairs of names look like one as text.
const name = fc.constantFrom('a', 'b', 'a/b', 'b/c', 'c', '__proto__', 'größe');
const services: fc.Arbitrary<ServiceContract[]> = fc.uniqueArray(
  fc.record({ name, operations: fc.uniqueArray(name, { maxLength: 4 }) }),
  { selector: (service) => service.name, maxLength: 4 },
);
const someServices = services.filter((contract) => contract.length > 0);
/** With no two operations that look like one as text: those are refused. */
const clearServices = someServices.filter((contract) => {
  const paths = contract.flatMap((service) => service.operations.map((one) => `${service.name}/${one}`));
  return new Set(paths).size === paths.length;
});

/** The same contract with its services and operations in another order. */
function reordered(contract: Contract): fc.Arbitrary<ServiceContract[]> {
  const all = <T>(list: readonly T[]) => fc.shuffledSubarray([...list], { minLength: list.length });
  return all(contract).chain((list) =>
    fc.tuple(...list.map((service) => all(service.operations).map((operations) => ({ ...service, operations })))),
  );
}

const twiceInAnyOrder = someServices.chain((contract) => fc.tuple(fc.constant(contract), reordered(contract)));

/** Every pair of names, which no other pair is the same text as. */
function pairs(contract: Contract): Set<string> {
  return new Set(contract.flatMap((service) => service.operations.map((one) => JSON.stringify([service.name, one]))));
}

function names(contract: Contract): Set<string> {
  return new Set(contract.map((service) => service.name));
}

function without(all: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...all].filter((one) => !others.has(one));
}

const shop: Contract = [
  { name: 'orders', operations: ['place', 'cancel order'] },
  { name: 'stock', operations: ['count'] },
];

describe('removedOperations', () => {
  it.each<[string, Contract, string[]]>([
    ['the same', shop, []],
    ['one more operation', [{ name: 'orders', operations: ['place', 'cancel order', 'pay'] }, shop[1]!], []],
    ['an operation less', [{ name: 'orders', operations: ['place'] }, shop[1]!], ['orders/cancel order']],
    ['a renamed operation', [{ name: 'orders', operations: ['Place', 'cancel order'] }, shop[1]!], ['orders/place']],
    ['a renamed service', [{ ...shop[0]!, name: 'order' }, shop[1]!], ['orders/place', 'orders/cancel order']],
    ['an operation in another service', [shop[0]!, { name: 'stock', operations: ['place'] }], ['stock/count']],
    ['nothing', [], ['orders/place', 'orders/cancel order', 'stock/count']],
  ])('compares with %s', (_, candidate, removed) => {
    expect(removedOperations(shop, candidate)).toEqual(removed);
  });

  it('tells names apart that look the same with a slash between', () => {
    expect(removedOperations([{ name: 'a', operations: ['b/c'] }], [{ name: 'a/b', operations: ['c'] }])).toEqual([
      'a/b/c',
    ]);
  });

  it('counts each operation of one and not of the other, and no other', () => {
    fc.assert(
      fc.property(services, services, (recorded, candidate) => {
        expect(removedOperations(recorded, candidate)).toHaveLength(without(pairs(recorded), pairs(candidate)).length);
      }),
    );
  });
});

describe('isSameContract', () => {
  it('does not go by the order', () => {
    fc.assert(fc.property(twiceInAnyOrder, ([one, other]) => isSameContract(one, other)));
  });

  it('is false where a service or an operation is in one only', () => {
    fc.assert(
      fc.property(services, services, (one, other) => {
        const inOneOnly = [names, pairs].flatMap((parts) => [
          ...without(parts(one), parts(other)),
          ...without(parts(other), parts(one)),
        ]);
        fc.pre(inOneOnly.length > 0);
        expect(isSameContract(one, other)).toBe(false);
      }),
    );
  });
});

describe('gateVerdict', () => {
  const allowBreakingChange = false;

  it('lets the first handler of an endpoint pass', () => {
    fc.assert(
      fc.property(clearServices, (candidate) => {
        expect(gateVerdict({ candidate, entry: undefined, allowBreakingChange })).toEqual({ passes: true });
      }),
    );
  });

  it('lets what served last, or before the last change, pass in any order', () => {
    fc.assert(
      fc.property(twiceInAnyOrder, services, ([recorded, candidate], other) => {
        expect(gateVerdict({ candidate, entry: { services: recorded }, allowBreakingChange }).passes).toBe(true);
        const entry = { services: other, previousServices: recorded };
        expect(gateVerdict({ candidate, entry, allowBreakingChange }).passes).toBe(true);
      }),
    );
  });

  it('lets operations disappear only where that is allowed', () => {
    fc.assert(
      fc.property(clearServices, services, fc.option(services, { nil: undefined }), (candidate, recorded, previous) => {
        const entry = { services: recorded, ...(previous && { previousServices: previous }) };
        const removed = removedOperations(recorded, candidate);
        fc.pre(removed.length > 0 && !isSameContract(candidate, previous ?? []));
        expect(gateVerdict({ candidate, entry, allowBreakingChange: true })).toEqual({ passes: true });
        expect(gateVerdict({ candidate, entry, allowBreakingChange })).toMatchObject({ passes: false, removed });
      }),
    );
  });

  it('lets operations be added', () => {
    fc.assert(
      fc.property(clearServices, services, (candidate, other) => {
        const kept = candidate.map((service) => ({ ...service, operations: service.operations.slice(1) }));
        const entry = { services: kept, previousServices: other };
        expect(gateVerdict({ candidate, entry, allowBreakingChange }).passes).toBe(true);
      }),
    );
  });

  it('never lets a handler without a service pass', () => {
    fc.assert(
      fc.property(fc.option(services, { nil: undefined }), fc.boolean(), (recorded, allow) => {
        const entry = recorded && { services: recorded, previousServices: [] };
        expect(gateVerdict({ candidate: [], entry, allowBreakingChange: allow }).passes).toBe(false);
      }),
    );
  });

  it('says what is lost and what to change', () => {
    const candidate = [{ name: 'orders', operations: ['place'] }];
    expect(gateVerdict({ candidate, entry: { services: shop }, allowBreakingChange })).toEqual({
      passes: false,
      message:
        'it no longer has 2 operations that callers may use: "orders/cancel order", "stock/count"; keep what callers use ' +
        '(to them a renamed operation is a removed one), or set allowBreakingChange of the endpoint for this deploy',
      removed: ['orders/cancel order', 'stock/count'],
    });
    expect(gateVerdict({ candidate: [], entry: undefined, allowBreakingChange })).toMatchObject({
      message: 'it serves no service; pass at least one to createServiceHandler({ services: […] })',
    });
  });

  it('cuts a long list, after twenty names or where they are long', () => {
    const losing = (operations: string[]) => {
      const entry = { services: [{ name: 's', operations }] };
      const verdict = gateVerdict({ candidate: [{ name: 's', operations: [] }], entry, allowBreakingChange });
      return verdict.passes ? '' : verdict.message;
    };
    const many = Array.from({ length: 1_000 }, (_, n) => `op${n}`);
    expect(losing(many)).toMatch(/^it no longer has 1000 operations .*, "s\/op19" and 980 more; keep /);
    expect(losing(many.map((operation) => `${operation}${'界'.repeat(300)}`))).toMatch(/" and 99\d more; keep /);
    expect(Buffer.byteLength(losing(many.map((one) => `${one}${'界'.repeat(300)}`)))).toBeLessThan(1_200);
  });
});

it('refuses operations that a gateway which decodes paths cannot tell apart, whatever is allowed', () => {
  const candidate = [
    { name: 'a/b', operations: ['c', 'd'] },
    { name: 'a', operations: ['b/c'] },
  ];
  const verdict = gateVerdict({ candidate, entry: undefined, allowBreakingChange: true });
  expect(verdict).toMatchObject({
    passes: false,
    message: expect.stringContaining('"a%2Fb/c", "a/b%2Fc"; rename one'),
  });
});
