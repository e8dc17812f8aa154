import type { UnseenCrash } from '../operations/unseen-crash.ts';
import type { RefusalReason } from './flow-event.ts';
import type { Endpoint, SlotLease } from './ports.ts';

/** A request that is about to be delivered, or the attempt of a queued one. */
export interface Arrival {
  /** As the registry has it, with its circuit and its override. */
  readonly endpoint: Endpoint;
  readonly principal: string;
  readonly kind: 'start' | 'cancel';
  /** The longest that the delivery may take, in milliseconds. Default: what a gateway waits for a direct one, 30 s. */
  readonly leaseMs?: number;
}

/** How a delivery ended, as its endpoint's flow control sees it. */
export type DeliveryResult =
  /** The handler answered, be it with an OperationError or a caller's mistake: it works. */
  | { readonly kind: 'succeeded' }
  /** It timed out, crashed, gave no answer, or a retryable HandlerError. */
  | { readonly kind: 'failed'; readonly message: string }
  /** It says nothing about the handler, which ran, goes on, or may have run. */
  | { readonly kind: 'unjudged' }
  /** The handler did not run: nothing was delivered, or Lambda had no room for it. */
  | { readonly kind: 'not-reached' };

/** A slot of a concurrency limit that a start has. */
export interface HeldSlot {
  readonly lease: SlotLease;
  /** It is not let go with `ended`: the handler goes on, was told the lease, and lets it go when it ends. */
  leave(): void;
}

/** Let through. `ended` is to be called once, whatever comes; neither rejects. */
export interface Admitted {
  readonly kind: 'admitted';
  /** Where a limit has one for it. */
  readonly slot?: HeldSlot;
  /** Tells of a delivery before this one that ended with its environment, so that nobody told how it did. */
  crashed?(crash: UnseenCrash): Promise<void>;
  ended(result: DeliveryResult): Promise<void>;
}

/** Not let through now. */
export interface Refused {
  readonly kind: 'refused';
  readonly reason: RefusalReason;
  /** Milliseconds after which it may be tried again. */
  readonly retryAfterMs: number;
  /** Since when it refuses all, and lets one through from time to time to see; epoch milliseconds. Left out of other refusals. */
  readonly since?: number;
  readonly message: string;
}

/** Decides whether a request is delivered now. Never rejects: where its state cannot be read, it falls back as documented. */
export interface Gate {
  admit(arrival: Arrival): Promise<Admitted | Refused>;
}

const LONGEST_SPREAD_MS = 20_000;

/** When to come again, in milliseconds: what one gate refused at the same time must not all come at one moment. */
export function spreadOut(retryAfterMs: number, random: number): number {
  return Math.ceil(retryAfterMs + Math.min(LONGEST_SPREAD_MS, retryAfterMs) * random);
}

/** Several gates as one, asked in turn; what a later one refuses was not delivered for those before it. */
export function gates(...all: readonly Gate[]): Gate {
  return {
    async admit(arrival) {
      const admitted: Admitted[] = [];
      const ended = async (result: DeliveryResult) => {
        await Promise.all(admitted.map((one) => one.ended(result)));
      };
      const crashed = async (crash: UnseenCrash) => {
        await Promise.all(admitted.map((one) => one.crashed?.(crash)));
      };
      for (const gate of all) {
        const admission = await gate.admit(arrival);
        if (admission.kind === 'refused') {
          await ended({ kind: 'not-reached' });
          return admission;
        }
        admitted.push(admission);
      }
      const slot = admitted.find((one) => one.slot !== undefined)?.slot;
      return { kind: 'admitted', crashed, ended, ...(slot && { slot }) };
    },
  };
}
