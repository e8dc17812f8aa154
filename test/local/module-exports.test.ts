import * as nexus from 'nexus-rpc';
import { expect, it } from 'vitest';
import { createServiceHandler } from '../../src/index.ts';
import { collectHandlers } from '../../src/local/module-exports.ts';

function handlerOf(name: string) {
  return nexus.serviceHandler(nexus.service(name, { place: nexus.operation<string, string>() }), {
    place: async (_ctx, x) => x,
  });
}

const orders = handlerOf('orders');
const stock = handlerOf('stock');

it.each([
  ['named', { orders, stock }],
  ['default', { default: orders, stock }],
  ['in an array', { default: [orders, stock] }],
  ['in a Lambda handler', { handler: createServiceHandler({ services: [orders, stock] }) }],
  [
    'in several ways, with other things among them',
    { orders, stock, all: [orders, stock], price: 1, nothing: null, orders2: orders },
  ],
])('collects service handlers that are exported %s, each once', (_how, exported) => {
  expect(collectHandlers(exported).services).toEqual([orders, stock]);
});

it('takes a service handler of another copy of nexus-rpc by its shape', () => {
  const { definition } = orders;
  const other = { definition, getOperationHandler: () => undefined };
  expect(collectHandlers({ other }).services).toEqual([other]);
});

it('tells the services that a Lambda handler carries, also where they are exported plainly as well', () => {
  const handler = createServiceHandler({ services: [orders] });
  const { lambdaHandlers } = collectHandlers({ orders, stock, default: handler, handler, all: [handler] });
  expect(lambdaHandlers).toEqual(new Map([['orders', handler]]));
});

it('fails when two different Lambda handlers carry one service, naming both exports', () => {
  const first = createServiceHandler({ services: [orders] });
  const second = createServiceHandler({ services: [orders, stock] });
  expect(() => collectHandlers({ first, second })).toThrow(
    'the exports "first" and "second" are different Lambda handlers of the same service "orders"',
  );
});

it.each([
  [{}, 'it exports nothing at all,'],
  [{ orders: orders.definition }, 'it exports orders (a service without its handler),'],
  [
    { default: [], price: 1, place: () => {}, nothing: null },
    'it exports default (array of 0), price (number), place (function), nothing (null),',
  ],
])('fails when the exports are %o, listing them', (exported, message) => {
  expect(() => collectHandlers(exported)).toThrow(message);
});

it('fails when two different handlers have one service name, naming both exports', () => {
  expect(() => collectHandlers({ first: orders, second: [handlerOf('orders')] })).toThrow(
    'the exports "first" and "second" are different handlers of the same service "orders"',
  );
});
