import type { LambdaHttpResult } from '../handler/invocation.ts';
import { InvokeError, type InvokeErrorReason } from '../router/errors.ts';
import { resultProblem } from '../router/lambda-result.ts';

/** What Lambda's Invoke answered: the members that are used. */
export interface InvokeAnswer {
  /** Set where the function gave no answer of its own; then the payload describes the error. */
  readonly FunctionError?: string | undefined;
  readonly Payload?: Uint8Array | undefined;
  readonly $metadata: { readonly requestId?: string | undefined };
}

/** Reads the handler's answer; fails with an `InvokeError` that says where the cause is to be found. */
export function readInvokeAnswer(answer: InvokeAnswer, functionArn: string): LambdaHttpResult {
  const payload = parseJson(answer.Payload ?? new Uint8Array());
  if (answer.FunctionError === undefined) return payload as LambdaHttpResult; // its shape is checked by whoever asked
  const { errorType, errorMessage } = textsOf(payload);
  const reason = reasonOf(errorType, errorMessage);
  const type = isTypeName(errorType) ? errorType : 'an error without a type';
  throw new InvokeError(
    reason,
    `${WHAT[reason] ?? WHAT.crashed} (${type}); the log of function ${functionName(functionArn)} says why${requestOf(answer)}`,
    // What the function said of itself is for the log, not for its caller.
    { cause: new Error(`${errorType}: ${errorMessage}`) },
  );
}

/** Fails with an `InvokeError` that names the function where its answer is no HTTP response. */
export function checkResult(result: LambdaHttpResult, answer: InvokeAnswer, functionArn: string): void {
  const problem = resultProblem(result);
  if (problem === undefined) return;
  throw new InvokeError(
    'bad-answer',
    `the handler's answer is no HTTP response: ${problem}; look at the middlewares of function ${functionName(functionArn)}${requestOf(answer)}`,
  );
}

function requestOf({ $metadata: { requestId } }: InvokeAnswer): string {
  return requestId === undefined ? '' : `, request ${requestId}`;
}

/** The error where the time is over before the function has answered; it may go on where it `goesOn`. */
export function tooLate(functionArn: string, options: { readonly goesOn?: boolean } = {}): InvokeError {
  const called = `function ${functionName(functionArn)}`;
  return new InvokeError('timeout', `${called} gave no answer within the time that the caller gave`, options);
}

/** The error of Invoke itself: the function was not reached, or nobody knows. */
export function invokeRequestError(error: unknown, functionArn: string): InvokeError {
  const { name, code, message = '', Reason: limit } = (error ?? {}) as RequestError;
  const called = `function ${functionName(functionArn)}`;
  const options = { cause: error };
  switch (name) {
    case 'TooManyRequestsException':
      return new InvokeError('throttled', `${called} has no capacity left (${limit ?? 'throttled'})`, options);
    case 'ResourceNotFoundException':
      return new InvokeError('no-handler', `${called} does not exist, or has not this alias; deploy it again`, options);
    case 'AccessDeniedException':
      return new InvokeError(
        'no-handler',
        `the router may not invoke ${called}; allow its role lambda:InvokeFunction on ${functionArn}`,
        options,
      );
    case 'RequestTooLargeException':
      return new InvokeError(
        'request-too-large',
        `the request is larger than ${called} can be given: ${message}`,
        options,
      );
    default: {
      // Among them: EC2ThrottledException, ENILimitReachedException, ResourceNotReadyException, KMS…, SnapStart…, and
      // TimeoutError, as which the SDK passes on ECONNRESET, EPIPE and a connection that took too long to make.
      const what = code ?? name ?? 'no error name';
      return new InvokeError('unreachable', `${called} could not be invoked (${what})`, options);
    }
  }
}

/**
 * Whether user code cannot have run, so that trying again runs nothing twice: a throttle, or a connection that was never
 * made. A connection that broke may have carried the request.
 */
export function neverRan(error: unknown): boolean {
  const { name, code } = (error ?? {}) as RequestError;
  if (name === 'TooManyRequestsException') return true;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN';
}

/** `name:alias` of a function's ARN, as people know it. */
export function functionName(functionArn: string): string {
  return /:function:(.+)$/.exec(functionArn)?.[1] ?? functionArn;
}

interface RequestError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly Reason?: string;
}

const WHAT: Partial<Record<InvokeErrorReason, string>> = {
  timeout: 'the handler ran into the timeout of its function',
  module: "the handler's module does not load",
  'too-large': "the handler's answer is larger than Lambda passes on",
  crashed: 'the handler gave no answer',
};

/** Types of module errors that Lambda's Node.js runtime names. An error that user code throws at import has its own name. */
const MODULE_ERRORS = new Set([
  'Runtime.ImportModuleError',
  'Runtime.UserCodeSyntaxError',
  'Runtime.HandlerNotFound',
  'Runtime.MalformedHandlerName',
]);

/** What a function says of its error, as far as it is text: user code may throw anything. */
function textsOf(payload: unknown): { readonly errorType: string; readonly errorMessage: string } {
  const { errorType, errorMessage } = (payload ?? {}) as Readonly<Record<string, unknown>>;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return { errorType: text(errorType), errorMessage: text(errorMessage) };
}

/** Whether it is the name of a class or of one of Lambda's errors, and no sentence. */
function isTypeName(text: string): boolean {
  return /^[\w$.]{1,100}$/.test(text);
}

function reasonOf(errorType: string, errorMessage: string): InvokeErrorReason {
  if (errorType === 'Sandbox.Timedout') return 'timeout';
  // As Lambda said it before it had types.
  if (errorType === '' && /Task timed out after [\d.]+ seconds$/.test(errorMessage)) return 'timeout';
  if (MODULE_ERRORS.has(errorType)) return 'module';
  if (errorType === 'Function.ResponseSizeTooLarge') return 'too-large';
  return 'crashed';
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined; // refused by whoever looks at its shape
  }
}
