import { type Auth, chooseAuth } from '../doctor/auth.ts';
import { authorizedRequest } from '../doctor/authorized-request.ts';
import { codeAndMessage } from '../doctor/connect.ts';
import { DoctorUsageError } from '../doctor/doctor-usage-error.ts';
import type { OperationDescription, OperationResult, OperationSummary } from '../router/operation-description.ts';
import type { RedrivenPage } from '../router/operation-management.ts';
import { OperationCommandError } from './operation-command-error.ts';

export type OperationAction = 'cancel' | 'retry' | 'redrive';

/** Parameters of a query; those that are undefined are left away. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** How many operations there are, by state; with `next`, a part of them. */
export interface Counted {
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly next?: string;
}

/** The management API of a deployment or of the dev server. Fails with an `OperationCommandError`. */
export interface OperationClient {
  list(query: Query): Promise<{ readonly operations: readonly OperationSummary[]; readonly next?: string }>;
  count(query: Query): Promise<Counted>;
  describe(token: string): Promise<OperationDescription>;
  result(token: string): Promise<OperationResult>;
  act(token: string, action: OperationAction): Promise<OperationSummary>;
  redrivePage(query: Query): Promise<RedrivenPage>;
}

export interface OperationClientOptions {
  /** Origin and prefix, as `parseApiUrl` has it. */
  readonly url: string;
  /** Signs for a host that does not look like one of AWS, too. */
  readonly sign: boolean;
  /** `AWS_REGION` and `AWS_DEFAULT_REGION` are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Longer than a gateway waits. */
const TIMEOUT_MS = 35_000;

/** A client for this URL: a host of AWS is called with a signature, any other as nobody. */
export function createOperationClient(options: OperationClientOptions): OperationClient {
  const { url } = options;
  const auth = authOf(options);

  async function ask<T>(method: 'GET' | 'POST', path: string, query: Query = {}): Promise<T> {
    const request = new Request(`${url}/nexus/manage/operations${path}${formatQuery(query)}`, { method });
    const response = await send(await signed(request, auth), url);
    const body = await response.text();
    const value = jsonOf(body);
    if (response.ok && value !== undefined) return value as T;
    throw new OperationCommandError(refusal(response.status, value, { url, auth }));
  }

  const at = (token: string) => `/${encodeURIComponent(token)}`;
  return {
    list: (query) => ask('GET', '', query),
    count: (query) => ask('GET', '/count', query),
    describe: (token) => ask('GET', at(token)),
    result: (token) => ask('GET', `${at(token)}/result`),
    act: (token, action) => ask('POST', `${at(token)}/${action}`),
    redrivePage: (query) => ask('POST', '/redrive', query),
  };
}

/** The management API takes signatures only: a token for endpoints must not be sent to it. */
function authOf({ url, sign, env: { AWS_REGION, AWS_DEFAULT_REGION } }: OperationClientOptions): Auth {
  try {
    const target = { baseUrl: url, query: '', endpoint: '', prefix: new URL(url).pathname.replace(/\/$/, '') };
    return chooseAuth(target, { sign, env: { AWS_REGION, AWS_DEFAULT_REGION } });
  } catch (error) {
    if (error instanceof DoctorUsageError) throw new OperationCommandError(error.message, { cause: error });
    throw error;
  }
}

async function signed(request: Request, auth: Auth): Promise<Request> {
  try {
    return await authorizedRequest(request, auth);
  } catch (cause) {
    throw new OperationCommandError(`the request cannot be signed: ${(cause as Error).message}`, { cause });
  }
}

async function send(request: Request, url: string): Promise<Response> {
  try {
    // A redirected POST would come as a GET.
    return await fetch(request, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
    const { code, message } = codeAndMessage(cause);
    const why = code === 'ECONNREFUSED' ? 'nothing listens there' : message || code;
    throw new OperationCommandError(
      `${url} was not reached: ${why}; start "nexus-lambda dev", or give the URL of a deployment with --url`,
      { cause },
    );
  }
}

function refusal(status: number, value: unknown, { url, auth }: { readonly url: string; readonly auth: Auth }): string {
  const { message, Message } = Object(value) as Record<string, unknown>;
  const said = message ?? Message; // a Function URL has it with a capital
  if (typeof said !== 'string') {
    return `${url} answered ${status}, and is no management API of nexus-lambda; --url takes the URL of the API or of "nexus-lambda dev"`;
  }
  if (status !== 401 && status !== 403) return said;
  const hint =
    auth.kind === 'none'
      ? '; --sign signs the request, for AWS_REGION'
      : '; "aws sts get-caller-identity" says who signed it';
  return `${url} refused with ${status}: ${said}${hint}`;
}

function formatQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a page of whatever else is there
  }
}
