/**
 * One HTTP request or response of the Nexus wire, without a server or a client attached to it.
 *
 * Header names are lower case; a field that came more than once is joined by `, `.
 */
export type Headers = Readonly<Record<string, string>>;

/** A Nexus request below the base URL of its endpoint, as it came off the wire. */
export interface NexusHttpRequest {
  readonly method: string;
  /** The path below the endpoint's base URL, still escaped, with its leading slash: `/{service}/{operation}`. */
  readonly path: string;
  /** The query without its `?`, still escaped; empty where there is none. */
  readonly query: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** The answer to a {@link NexusHttpRequest}. */
export interface NexusHttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** The operations of one service: what an endpoint serves, by name. */
export interface ServiceContract {
  readonly name: string;
  readonly operations: readonly string[];
}
