import { condition, defineQuery, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import type { Cart } from '../services/contracts.ts';

export const addLabel = defineSignal<[string]>('label');
export const addItem = defineUpdate<number, [string]>('add');
export const showCart = defineQuery<Cart>('show');
export const closeCart = defineSignal('close');

/** Keeps labels and items until it is closed. */
export async function keepCart(): Promise<Cart> {
  const cart = { labels: [] as string[], items: [] as string[] };
  let closed = false;
  setHandler(addLabel, (label) => {
    cart.labels.push(label);
  });
  setHandler(addItem, (item) => cart.items.push(item));
  setHandler(showCart, () => cart);
  setHandler(closeCart, () => {
    closed = true;
  });
  await condition(() => closed);
  return cart;
}
