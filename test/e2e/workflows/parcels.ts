import {
  ApplicationFailure,
  CancellationScope,
  condition,
  createNexusServiceClient,
  defineQuery,
  defineSignal,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import { stock } from '../services/contracts.ts';

export async function shipParcel({ item, broken }: { item: string; broken?: boolean }): Promise<string> {
  if (broken === true) throw ApplicationFailure.nonRetryable(`${item} broke on the way`, 'Broken', { item });
  return `${item} is on its way`;
}

/** Lets a held parcel go: the workflow ends with this as its result, or as canceled where that was requested. */
export const releaseParcel = defineSignal<[to: string]>('release');
/** `held`, or `letting go` once its cancellation was requested. */
export const parcelState = defineQuery<string>('state');

/** Runs until it is released, canceled or not: somebody who takes time to clean up. */
export async function holdParcel(): Promise<string> {
  let state = 'held';
  let releasedTo: string | undefined;
  setHandler(parcelState, () => state);
  setHandler(releaseParcel, (to) => {
    releasedTo = to;
  });
  const released = () => condition(() => releasedTo !== undefined);
  try {
    await released();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    state = 'letting go';
    await CancellationScope.nonCancellable(released);
    throw error;
  }
  return `released to ${releasedTo}`;
}

export async function orderParcel(order: { id: string; item: string; warehouse: string }): Promise<string> {
  const client = createNexusServiceClient({ endpoint: order.warehouse, service: stock });
  const reserved = await client.executeOperation('reserve', { id: `${order.id}-stock`, item: order.item });
  return `ordered: ${reserved}`;
}
