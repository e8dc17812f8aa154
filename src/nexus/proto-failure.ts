/**
 * A `temporal.api.failure.v1.Failure` as protojson: what both SDK and server mean by "failure".
 *
 * Only the members that the wire itself looks at are named; every other `…FailureInfo` is carried as it is.
 */
export interface ProtoFailure {
  readonly message?: string;
  readonly source?: string;
  readonly stackTrace?: string;
  /** A protojson Payload that replaces message and stack trace when the failure converter encrypts them. */
  readonly encodedAttributes?: JsonPayload;
  readonly cause?: ProtoFailure;
  readonly applicationFailureInfo?: {
    readonly type?: string;
    readonly nonRetryable?: boolean;
    readonly details?: { readonly payloads?: readonly JsonPayload[] };
    /** Seconds with the letter: `3s`, `0.5s`. */
    readonly nextRetryDelay?: string;
    readonly category?: string;
  };
  readonly canceledFailureInfo?: { readonly details?: { readonly payloads?: readonly JsonPayload[] } };
  readonly nexusHandlerFailureInfo?: {
    readonly type?: string;
    readonly retryBehavior?:
      | 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_UNSPECIFIED'
      | 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE'
      | 'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE';
  };
  readonly [info: string]: unknown;
}

/** A Payload as protojson: metadata values and data in base64. */
export interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}
