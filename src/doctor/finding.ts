/** The hops of an operation, in the order in which they are walked. */
export const HOPS = [
  /** DNS, TCP and TLS. */
  'address',
  /** Whether the front door, and the endpoint, let this caller in. */
  'credentials',
  /** Whether the path leads to the endpoint. */
  'route',
  /** Whether the endpoint's handler answers. */
  'handler',
  /** Temporal's gRPC, as the handler sees it. */
  'handler-temporal',
  /** Temporal's gRPC, as seen from here. */
  'temporal',
  /** Whether Temporal knows an external Nexus endpoint with this URL. */
  'nexus-endpoint',
  /** Whether Temporal knows the address at which it can be called back. */
  'callback-template',
  /** Temporal's own call of the handler. */
  'call',
  /** Whether the server of the handler's workflows passes completions on to that address. */
  'allowed-addresses',
  /** A completion that goes back to the caller. */
  'way-back',
] as const;

export type Hop = (typeof HOPS)[number];

/** What was found out about one hop. */
export interface Finding {
  readonly hop: Hop;
  /** `skip`: it was not looked at. */
  readonly status: 'ok' | 'fail' | 'skip';
  /** One sentence. */
  readonly says: string;
  /** Why it is so, for one that failed. */
  readonly why?: string;
  /** What to type, a line each: commands, or lines of a file. */
  readonly type?: readonly string[];
}

export interface Advice {
  readonly why?: string;
  readonly type?: readonly string[];
}

export function ok(hop: Hop, says: string): Finding {
  return { hop, status: 'ok', says };
}

export function fail(hop: Hop, says: string, { why, type }: Advice): Finding {
  return { hop, status: 'fail', says, ...(why !== undefined && { why }), ...(type && { type }) };
}

export function skip(hop: Hop, says: string, type?: readonly string[]): Finding {
  return { hop, status: 'skip', says, ...(type && { type }) };
}
