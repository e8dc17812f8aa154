import { type Auth, chooseAuth } from '../doctor/auth.ts';
import { authorizedRequest } from '../doctor/authorized-request.ts';
import { codeAndMessage } from '../doctor/connect.ts';
import { DoctorUsageError } from '../doctor/doctor-usage-error.ts';
import { ManagementCommandError } from './management-command-error.ts';

/** Parameters of a query; those that are undefined are left away. */
export type Query = Readonly<Record<string, string | number | undefined>>;

export interface ManagementAsk {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** Asks the management API: what is at a path below `/nexus/manage`. Fails with a `ManagementCommandError`. */
export type AskManagement = <T>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  ask?: ManagementAsk,
) => Promise<T>;

export interface ManagementClientOptions {
  /** Origin and prefix, as `parseApiUrl` has it. */
  readonly url: string;
  /** Signs for a host that does not look like one of AWS, too. */
  readonly sign: boolean;
  /** `AWS_REGION` and `AWS_DEFAULT_REGION` are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Longer than a gateway waits. */
const TIMEOUT_MS = 35_000;

/** Asks the API at this URL: a host of AWS is called with a signature, any other as nobody. */
export function createManagementClient(options: ManagementClientOptions): AskManagement {
  const { url } = options;
  const auth = authOf(options);

  return async <T>(method: string, path: string, { query = {}, body }: ManagementAsk = {}) => {
    const request = new Request(`${url}/nexus/manage${path}${formatQuery(query)}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const response = await send(await signed(request, auth), url);
    const value = jsonOf(await response.text());
    if (response.ok && value !== undefined) return value as T;
    throw new ManagementCommandError(refusal(response.status, value, { url, auth }));
  };
}

/** The management API takes signatures only: a token for endpoints must not be sent to it. */
function authOf({ url, sign, env: { AWS_REGION, AWS_DEFAULT_REGION } }: ManagementClientOptions): Auth {
  try {
    const target = { baseUrl: url, query: '', endpoint: '', prefix: new URL(url).pathname.replace(/\/$/, '') };
    return chooseAuth(target, { sign, env: { AWS_REGION, AWS_DEFAULT_REGION } });
  } catch (error) {
    if (error instanceof DoctorUsageError) throw new ManagementCommandError(error.message, { cause: error });
    throw error;
  }
}

async function signed(request: Request, auth: Auth): Promise<Request> {
  try {
    return await authorizedRequest(request, auth);
  } catch (cause) {
    throw new ManagementCommandError(`the request cannot be signed: ${(cause as Error).message}`, { cause });
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
    throw new ManagementCommandError(
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
