import type { Logger } from '../handler/logger.ts';
import type { LimitStore, SlotLease } from './ports.ts';

/** The slot of an operation that goes on past the time of its caller, where it runs. Neither call rejects. */
export interface OutlivingSlot {
  /**
   * Has the slot stay with the operation as long as it may run. To be called at its cut-off, and again as it goes on: does
   * nothing where that was done, and tries again where the store could not be reached.
   */
  keep(): Promise<void>;
  /** Lets it go: the operation has ended. */
  free(): Promise<void>;
}

export interface OutlivingSlotDeps {
  readonly store: Pick<LimitStore, 'extendSlot' | 'freeSlot'>;
  readonly lease: SlotLease;
  /** When the operation has ended, or nobody would say that it has; milliseconds since the epoch. */
  readonly until: number;
  readonly logger: Logger;
}

export function createOutlivingSlot({ store, lease, until, logger }: OutlivingSlotDeps): OutlivingSlot {
  let kept: Promise<boolean> | undefined;
  let isLogged = false;
  const { part } = lease;

  async function extend(): Promise<boolean> {
    try {
      await store.extendSlot(lease, until);
      return true;
    } catch (error) {
      if (!isLogged)
        logger.warn('an operation that goes on could not keep its slot of a concurrency limit', { part, error });
      isLogged = true;
      return false;
    }
  }

  return {
    async keep() {
      kept ??= extend();
      if (!(await kept)) kept = undefined;
    },
    async free() {
      // A write that is under way must not outlive the function that makes it.
      await kept;
      try {
        await store.freeSlot(lease);
      } catch (error) {
        logger.warn('a slot of a concurrency limit is free only after its lease', { part, error });
      }
    },
  };
}
