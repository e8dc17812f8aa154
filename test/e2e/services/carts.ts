import { getClient, signalWithStartWorkflow } from '@temporalio/nexus';
import { serviceHandler } from 'nexus-rpc';
import { addItem, addLabel, keepCart, showCart } from '../workflows/carts.ts';
import { carts } from './contracts.ts';

const cartOf = (id: string) => getClient().workflow.getHandle(id);

export const cartsHandler = serviceHandler(carts, {
  open: async (ctx, { id, label }) => {
    const cart = await signalWithStartWorkflow<typeof keepCart, [string]>(ctx, keepCart, {
      workflowId: id,
      signal: addLabel,
      signalArgs: [label],
    });
    return cart.workflowId;
  },
  label: async (_ctx, { id, label }) => cartOf(id).signal(addLabel, label),
  add: async (_ctx, { id, item }) => cartOf(id).executeUpdate(addItem, { args: [item] }),
  show: async (_ctx, { id }) => cartOf(id).query(showCart),
});
