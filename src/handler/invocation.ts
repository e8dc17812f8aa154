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
  readonly request: {
    readonly method: string;
    /** Below `/nexus/endpoints/{endpoint}/services`, still escaped, with its leading slash. */
    readonly path: string;
    readonly query: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Base64; empty for no body. */
    readonly body: string;
  };
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
  /** Milliseconds until Lambda ends this environment. */
  getRemainingTimeInMillis(): number;
  /** How a host that is not Lambda replaces this environment after the answer. Lambda's own context has none. */
  retireEnvironment?(): void;
}
