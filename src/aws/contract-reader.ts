import type { ContractQuery } from '../handler/invocation.ts';
import type { ServiceContract } from '../nexus/message.ts';
import { InvokeError } from '../router/errors.ts';
import { functionName, readInvokeAnswer } from './invoke-outcome.ts';
import type { InvokeFunction } from './lambda-invoker.ts';

/**
 * Asks a version of a handler's function which services and operations it has. Tries again what passes by itself, such
 * as a throttle, until the signal fires.
 *
 * Rejects with an error that names the version and where to look: the function crashed or does not load, it is not ready,
 * it may not be invoked, or what it answered is no contract.
 */
export type ReadContract = (versionArn: string, signal: AbortSignal) => Promise<readonly ServiceContract[]>;

export interface ContractReaderDeps {
  readonly invokeFunction: InvokeFunction;
  /** Resolves after so many milliseconds, or settles when the signal fires. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8_000;

/** A permission that is part of the same deploy takes seconds until it is known everywhere. */
const ACCESS_ATTEMPTS = 6;

/** Of what nobody knows whether it passes, such as a broken connection. */
const OTHER_ATTEMPTS = 3;

/** How much of what a function says of its own error is passed on: the reason of a failed deploy has little room. */
const MAX_ERROR_LENGTH = 300;

/** Makes a {@link ReadContract} of an Invoke that does not try again by itself. */
export function createContractReader({ invokeFunction, wait }: ContractReaderDeps): ReadContract {
  return async (versionArn, signal) => {
    const query: ContractQuery = { nexusContract: 1 };
    let last: Problem | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return contractIn(
          readInvokeAnswer(await invokeFunction(versionArn, JSON.stringify(query), signal), versionArn),
        );
      } catch (error) {
        if (signal.aborted) throw unreadable(versionArn, [lateness(signal), last?.message], error);
        last = problemOf(error, versionArn);
        if (attempt >= last.attempts) throw unreadable(versionArn, [last.message], error);
        await wait(Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_DELAY_MS), signal).catch(() => {});
        if (signal.aborted) throw unreadable(versionArn, [last.message, lateness(signal)], error);
      }
    }
  };
}

interface Problem {
  readonly message: string;
  /** After how many attempts it is taken to stay. */
  readonly attempts: number;
}

function problemOf(error: unknown, versionArn: string): Problem {
  if (error instanceof NoContractError) return { message: error.message, attempts: 1 };
  if (error instanceof InvokeError) return { message: `${error.message}${ownWords(error)}`, attempts: 1 };
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const said = `${name}: ${message}`;
  switch (name) {
    case 'TooManyRequestsException':
    case 'EC2ThrottledException':
      return {
        message: `it has no capacity left (${said}); free some, or raise its reserved concurrency, and deploy again`,
        attempts: Number.POSITIVE_INFINITY,
      };
    case 'ResourceConflictException':
    case 'ResourceNotReadyException':
    case 'SnapStartNotReadyException':
      return {
        message: `Lambda still makes it ready (${said}); its state and StateReason (lambda get-function) say what is missing`,
        attempts: Number.POSITIVE_INFINITY,
      };
    case 'AccessDeniedException':
      return {
        message: `the registration function may not invoke it (${said}); allow its role lambda:InvokeFunction on ${versionArn}`,
        attempts: ACCESS_ATTEMPTS,
      };
    case 'ResourceNotFoundException':
      return { message: `it does not exist (${said}); deploy the stack that it belongs to first`, attempts: 1 };
    default:
      return { message: `it could not be invoked (${said})`, attempts: OTHER_ATTEMPTS };
  }
}

/** What the function said of its error, which the engineer who deploys may see. */
function ownWords({ cause }: InvokeError): string {
  const { message = '' } = (cause ?? {}) as { message?: string };
  const cut = message.length > MAX_ERROR_LENGTH ? `${message.slice(0, MAX_ERROR_LENGTH)}…` : message;
  return cut === '' ? '' : `; it says ${cut}`;
}

function lateness({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}

function unreadable(versionArn: string, problems: readonly (string | undefined)[], cause: unknown): Error {
  const why = problems.filter((problem) => problem !== undefined).join('; ');
  return new Error(`cannot read the operations of function ${functionName(versionArn)}: ${why}`, { cause });
}

class NoContractError extends Error {
  override readonly name = 'NoContractError';

  constructor(found: string) {
    super(
      `it answered ${found} where it was asked for its operations; is this a handler made by createServiceHandler of ` +
        'nexus-lambda, of the version that deploys it, and does nothing wrap it that changes its answers?',
    );
  }
}

/** Members that are not known are left out: they came with a later version, which would have another number if they mattered. */
function contractIn(answer: unknown): ServiceContract[] {
  if (!isObject(answer))
    throw new NoContractError(answer === undefined ? 'no JSON' : `${JSON.stringify(answer)}`.slice(0, 100));
  if (answer.nexusContract !== 1) throw new NoContractError(describe(answer));
  const { services } = answer;
  if (!Array.isArray(services)) throw new NoContractError('a contract without a list of services');
  const contract = services.map((service: unknown, index) => {
    if (!isObject(service) || !isName(service.name) || !isListOfNames(service.operations)) {
      throw new NoContractError(`a contract whose services[${index}] is no name with a list of names`);
    }
    return { name: service.name, operations: service.operations };
  });
  if (isListOfNames(contract.map(({ name }) => name))) return contract;
  throw new NoContractError('a contract that has a service twice');
}

function describe({ nexusContract, statusCode, ...others }: Record<string, unknown>): string {
  if (nexusContract !== undefined) return `a contract of format ${JSON.stringify(nexusContract)}, where 1 is known,`;
  if (statusCode !== undefined) return `an HTTP response of status ${JSON.stringify(statusCode)}`;
  return `an object with ${Object.keys(others).slice(0, 8).join(', ').slice(0, 100) || 'no members'}`;
}

/** One that the wire can carry. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.isWellFormed();
}

function isListOfNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isName) && new Set(value).size === value.length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
