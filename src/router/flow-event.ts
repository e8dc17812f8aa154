/** Why a request was not let through. */
export type RefusalReason = 'rate' | 'concurrency' | 'circuit' | 'paused' | 'throttled';

/** The states of a circuit: `closed` lets requests through, `open` refuses them, `probing` has let one through to see. */
export type CircuitStatus = 'closed' | 'open' | 'probing';

/** What flow control did to an endpoint's requests: each is worth a line in a log, and a metric. */
export type FlowEvent = { readonly endpoint: string } & (
  | {
      readonly kind: 'circuit-changed';
      readonly from: CircuitStatus;
      readonly to: CircuitStatus;
      /** The failure that caused it, or the words of the person who did. */
      readonly why: string;
      /** The principal of whom did it by hand. */
      readonly by?: string;
    }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly principal: string }
  /** Accepted for later instead of refused, or instead of answered with the handler's own failure. */
  | { readonly kind: 'absorbed'; readonly reason: RefusalReason | 'failure'; readonly principal: string }
  /** The attempt of a queued operation was not let through, and waits. */
  | { readonly kind: 'deferred'; readonly reason: RefusalReason; readonly principal: string }
  /** Answered with a token shortly before its deadline; the handler goes on. */
  | { readonly kind: 'promoted'; readonly principal: string }
  /** What a limit has left: `left` of `limit`. */
  | {
      readonly kind: 'headroom';
      readonly of: 'rate' | 'concurrency';
      readonly left: number;
      readonly limit: number;
    }
);

/** Takes events of flow control. Never rejects, and keeps no request waiting. */
export type EmitFlowEvent = (event: FlowEvent) => void;
