import type { CheckResult } from '../nexus/doctor-contract.ts';
import { FAILURE_TYPE } from '../nexus/failure.ts';
import type { AnswerSeen } from './ask-handler.ts';

/** An answer to the handler's `check`, by who gave it. */
export type ReadAnswer =
  | { readonly from: 'handler'; readonly check: CheckResult }
  /** A Nexus failure: the router's, the dev server's or the handler's. */
  | { readonly from: 'nexus'; readonly type: string; readonly message: string }
  /** API Gateway, a Function URL or whatever else is at the address. */
  | { readonly from: 'front'; readonly status: number; readonly headers: Headers; readonly message: string }
  | { readonly from: 'nobody'; readonly code: string; readonly message: string; readonly waitedMs: number };

type Headers = Readonly<Record<string, string>>;

/** How much of a foreign answer is shown. */
const EXCERPT_LENGTH = 100;

export function readAnswer(seen: Exclude<AnswerSeen, { kind: 'no-aws-credentials' }>): ReadAnswer {
  if (seen.kind === 'no-answer') {
    const { code, message, waitedMs } = seen;
    return { from: 'nobody', code, message, waitedMs };
  }
  const { status, headers, body } = seen;
  const json = jsonOf(body);
  if (status === 200 && isCheckResult(json)) return { from: 'handler', check: json };
  const { metadata, details, message } = json;
  if (typeOf(metadata) === FAILURE_TYPE.handlerError) {
    return { from: 'nexus', type: typeOf(details) ?? '', message: innermostMessage(json) };
  }
  const said = message ?? json.Message; // a Function URL has it with a capital
  return { from: 'front', status, headers, message: typeof said === 'string' ? said : excerpt(body) };
}

/** A handler error around another says less than the one inside. */
function innermostMessage({ message, cause }: Record<string, unknown>): string {
  const inner = typeof cause === 'object' && cause !== null ? innermostMessage(cause as Record<string, unknown>) : '';
  return typeof message === 'string' && message !== '' ? message : inner;
}

function isCheckResult(json: object): json is CheckResult {
  return (
    'nexusLambda' in json && typeof json.nexusLambda === 'string' && 'services' in json && Array.isArray(json.services)
  );
}

function typeOf(value: unknown): string | undefined {
  const type = (value as { readonly type?: unknown } | null | undefined)?.type;
  return typeof type === 'string' ? type : undefined;
}

/** Empty where it is no JSON object. */
function jsonOf(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function excerpt(body: string): string {
  const line = body.replaceAll(/\s+/g, ' ').trim();
  return line.length > EXCERPT_LENGTH ? `${line.slice(0, EXCERPT_LENGTH)}…` : line;
}
