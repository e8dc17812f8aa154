import type { ServiceContract } from '../nexus/message.ts';

/** A front door of AWS that decodes paths, and adds a Content-Type to an answer without one. */
export type Gateway = 'http-api' | 'function-url';

/**
 * What the router sends to a handler Lambda, and what it gets back: the request as it came, less the credentials,
 * plus what only the router knows.
 */
export interface NexusInvocation {
  /** Version of this shape; also what tells it from the events of AWS. */
  readonly nexusInvocation: 1;
  /** Name of the endpoint that was called. */
  readonly endpoint: string;
  /** Who calls, as the router authenticated them: `iam:<role ARN>`, `basic:<user>`, `jwt:<sub>`, `local`. */
  readonly principal: string;
  /**
   * Milliseconds that are left for the answer, counted from when the handler receives this. A duration and never a
   * clock time: the clocks of two machines differ.
   */
  readonly timeoutMs: number;
  /** What stands in front of the router and has its habits; none in the dev server. */
  readonly gateway?: Gateway;
  /** Where the handler may go on past the time of its caller, who is given a token then. */
  readonly promotion?: PromotionTerms;
  readonly request: {
    readonly method: string;
    /** Below `/nexus/endpoints/{endpoint}/services`, with its leading slash; escaped unless the gateway decoded it. */
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Base64; empty for no body. */
    readonly body: string;
  };
}

/** What a handler needs that goes on past the time of its caller. */
export interface PromotionTerms {
  /**
   * Milliseconds, counted from when the handler receives this: until then it answers and writes nothing, from then on it
   * writes what came of it before it answers. A handler that cannot write has `timeoutMs`, which is the same.
   */
  readonly cutOffMs: number;
  /** None in the dev server, which writes for its handlers. */
  readonly tables?: PromotionTables;
  /** The operation's record as it would be accepted now, less what is in `request`; `draftOf` of src/operations makes it. */
  readonly draft: object;
  /** The slot of a concurrency limit that it has: kept from the cut-off on, and let go at its end. */
  readonly slot?: { readonly part: string; readonly slot: number; readonly holder: string };
}

/** Names of the tables that a handler writes what came of an operation into, and finds its endpoint in. */
export interface PromotionTables {
  readonly operations: string;
  readonly endpoints: string;
}

/** Asks a handler Lambda which services and operations it has, as a deploy does before it lets a version serve. */
export interface ContractQuery {
  readonly nexusContract: 1;
}

/** The answer to a {@link ContractQuery}. */
export interface ContractAnswer {
  readonly nexusContract: 1;
  readonly services: readonly ServiceContract[];
}

/** The answer of a handler Lambda: the response format 2.0 of an API Gateway HTTP API, so one shape serves both. */
export interface LambdaHttpResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

/** The members of Lambda's context that are used. */
export interface LambdaContext {
  readonly awsRequestId: string;
  readonly functionName: string;
  readonly logStreamName?: string;
  /** Milliseconds until Lambda ends this environment. */
  getRemainingTimeInMillis(): number;
  /** Fires when the operation that runs was canceled; only where a queue delivers it. */
  readonly canceled?: AbortSignal;
  /** How a host that is not Lambda replaces this environment after the answer. Lambda's own context has none. */
  retireEnvironment?(): void;
}

/** Runs one invocation as if the router had sent it. Does not reject. */
export type HandleInvocation = (invocation: NexusInvocation, context: LambdaContext) => Promise<LambdaHttpResult>;
