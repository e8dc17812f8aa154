import { CHECK_OPERATION, DOCTOR_SERVICE } from '../nexus/doctor-contract.ts';
import { formatRequest } from '../nexus/format-request.ts';
import type { Auth } from './auth.ts';
import { authorizedRequest } from './authorized-request.ts';
import { codeAndMessage } from './connect.ts';
import type { Target } from './target.ts';

/** What came of calling the handler's `check` over HTTP. */
export type AnswerSeen =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Lower-case names. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: 'no-answer'; readonly code: string; readonly message: string; readonly waitedMs: number }
  /** There is nothing to sign with. */
  | { readonly kind: 'no-aws-credentials'; readonly message: string };

/** Calls the handler's `check` at this URL. Never rejects. */
export async function askHandler(
  target: Target,
  auth: Auth,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<AnswerSeen> {
  const began = performance.now();
  let request: Request;
  try {
    request = await authorizedRequest(checkRequest(target, timeoutMs), auth);
  } catch (error) {
    return { kind: 'no-aws-credentials', message: error instanceof Error ? error.message : String(error) };
  }
  try {
    const response = await fetch(request, {
      // Temporal follows none either, or follows it as a GET.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { status, headers } = response;
    return { kind: 'answer', status, headers: Object.fromEntries(headers), body: await response.text() };
  } catch (error) {
    const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
    return { kind: 'no-answer', ...codeAndMessage(cause), waitedMs: performance.now() - began };
  }
}

function checkRequest({ baseUrl, query }: Target, timeoutMs: number): Request {
  const { path, headers } = formatRequest({
    kind: 'start',
    service: DOCTOR_SERVICE,
    operation: CHECK_OPERATION,
    headers: {},
    failureSupport: true,
    requestTimeoutMs: timeoutMs,
    requestId: crypto.randomUUID(),
    callbackHeaders: {},
    links: [],
    payload: { metadata: { encoding: new TextEncoder().encode('binary/null') }, data: new Uint8Array() },
  });
  return new Request(`${baseUrl}${path}${query}`, { method: 'POST', headers });
}
