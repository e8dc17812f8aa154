/** `create` found an endpoint of that name. */
export class EndpointExistsError extends Error {
  override readonly name = 'EndpointExistsError';
  readonly endpoint: string;

  constructor(endpoint: string) {
    super(`an endpoint named "${endpoint}" exists; update it with its version, or choose another name`);
    this.endpoint = endpoint;
  }
}

/** `update`, `delete` or `override` found no endpoint of that name. */
export class EndpointNotFoundError extends Error {
  override readonly name = 'EndpointNotFoundError';
  readonly endpoint: string;

  constructor(endpoint: string) {
    super(`no endpoint is named "${endpoint}"; create it first`);
    this.endpoint = endpoint;
  }
}

/** `update`, `delete` or `override` was given another version than the stored one: somebody else changed the endpoint since. */
export class EndpointVersionError extends Error {
  override readonly name = 'EndpointVersionError';
  readonly endpoint: string;
  readonly given: number;
  readonly stored: number;

  constructor(endpoint: string, given: number, stored: number) {
    super(`endpoint "${endpoint}" is at version ${stored}, not ${given}; read it again and apply the change to that`);
    this.endpoint = endpoint;
    this.given = given;
    this.stored = stored;
  }
}

/**
 * Why a handler gave no answer: nothing serves its task queue, its environment ended, its module does not load, its
 * time was over, what it answered is no HTTP response or too large, the request is too large to be given to it, it had no
 * capacity left, or the connection to it broke and nobody knows whether it ran.
 */
export type InvokeErrorReason =
  | 'no-handler'
  | 'crashed'
  | 'module'
  | 'timeout'
  | 'bad-answer'
  | 'too-large'
  | 'request-too-large'
  | 'throttled'
  | 'unreachable';

/** A handler gave no answer. The message goes to the caller, and says where the cause is to be found. */
export class InvokeError extends Error {
  override readonly name = 'InvokeError';
  readonly reason: InvokeErrorReason;
  /** Whether the handler may still run: whoever waited for it only stopped waiting. */
  readonly goesOn: boolean;

  constructor(reason: InvokeErrorReason, message: string, options?: ErrorOptions & { readonly goesOn?: boolean }) {
    super(message, options);
    this.reason = reason;
    this.goesOn = options?.goesOn ?? false;
  }
}
