import type { FailureSeen, OperationSeen } from '../temporal/doctor-seen.ts';
import { callAdvice } from './call-advice.ts';
import { allowedSettings, DEFAULT_HTTP_PORT, templateSettings } from './callback-settings.ts';
import type { Deployment } from './deployment.ts';
import { type Finding, fail, ok, skip } from './finding.ts';
import { shellWord } from './shell-word.ts';

/** What is known when the doctor's workflow has called the handler, or has not. */
export interface CallSeen {
  readonly operation: OperationSeen;
  /** Milliseconds since the workflow scheduled it. */
  readonly waitedMs: number;
  /** Whether the handler was asked to start a workflow, and not only to answer. */
  readonly relays: boolean;
  /** Name of the Nexus endpoint. */
  readonly endpoint: string;
  /** The server that calls. */
  readonly caller: TemporalServer;
  /** The server of the handler's workflows; undefined where it has none. */
  readonly handler: TemporalServer | undefined;
}

export interface TemporalServer {
  /** `host:port`. */
  readonly address: string;
  readonly version: string | undefined;
}

/** What the handler says where Temporal does not start its workflow. */
const REFUSED_START = /Temporal refused to start a workflow with the callback (\S+): (.*)$/s;

/** Temporal gives an attempt this long; until it is over nothing is seen of it. */
const ATTEMPT_MS = 10_000;

/** After this many attempts the failure is no accident. */
const ATTEMPTS = 2;

/** Whether nothing more is to be learned by waiting. */
export function isSettled(operation: OperationSeen): boolean {
  return operation.state !== 'waiting' || operation.blocked !== undefined || operation.attempts >= ATTEMPTS;
}

/** What a call of the handler by Temporal itself says of template, call and allowed addresses. */
export function callFindings(seen: CallSeen, deployment: Deployment): readonly Finding[] {
  const { operation, caller } = seen;
  switch (operation.state) {
    case 'waiting':
      if (operation.blocked !== undefined) return [UNKNOWN_TEMPLATE, blocked(operation.blocked, seen)];
      if (operation.failure !== undefined)
        return [templateSet(caller), callFailed(operation.failure, seen, deployment)];
      return [templateUnset(seen)];
    case 'failed': {
      const refused = refusedStart(operation.failure, seen);
      if (refused) return [templateSet(caller), called(seen, deployment), refused];
      return [templateSet(caller), callFailed(operation.failure, seen, deployment)];
    }
    case 'started':
      return [
        templateSet(caller),
        called(seen, deployment),
        ok('allowed-addresses', 'the callback was taken with the start of a workflow'),
      ];
    case 'completed':
      return [templateSet(caller), called(seen, deployment)];
  }
}

/** Why the doctor's own workflow did not come to its call. */
export function cannotCall(
  error: unknown,
  { address, endpoint }: { readonly address: string; readonly endpoint: string },
) {
  const { code, details = String(error) } = (error ?? {}) as { readonly code?: number; readonly details?: string };
  const says = `no workflow could call "${endpoint}" at ${address}: ${details}${code === undefined ? '' : ` (gRPC status ${code})`}`;
  return fail('callback-template', says, {
    why: /not found|not registered/i.test(details)
      ? 'The endpoint was made or deleted a moment ago: a server takes some seconds to know of it everywhere.'
      : 'The doctor starts a workflow in the namespace, polls its task and answers it; the credentials here must allow that.',
    type: [`temporal operator nexus endpoint get --name ${shellWord(endpoint)} --address ${address}`],
  });
}

const UNKNOWN_TEMPLATE = skip('callback-template', 'no call was made that would need it');

function templateSet({ version }: TemporalServer): Finding {
  return ok('callback-template', `Temporal ${version ?? ''} knows where it can be called back`);
}

function called({ endpoint }: CallSeen, { target }: Deployment): Finding {
  return ok('call', `a workflow's call through "${endpoint}" got to the handler at ${new URL(target.baseUrl).host}`);
}

/** The one fault that shows as nothing at all: Temporal waits for the setting without a word. */
function templateUnset({ waitedMs, caller }: CallSeen): Finding {
  const seconds = Math.round(waitedMs / 1000);
  const [host = ''] = caller.address.split(/:\d+$/);
  const sure = waitedMs > ATTEMPT_MS;
  return fail('callback-template', `an operation stays scheduled, without an attempt for ${seconds} s`, {
    why:
      `Temporal ${caller.version ?? ''} has no address at which it can be called back, and calls no external endpoint until it has.` +
      (sure ? '' : ' (A first attempt may also be under way still: with --timeout 15 it is known.)') +
      ` Put in the host and HTTP port of the frontend, as the server of the handler's workflows reaches it.`,
    type: templateSettings({ version: caller.version, host, httpPort: DEFAULT_HTTP_PORT }),
  });
}

function blocked(reason: string, { endpoint }: CallSeen): Finding {
  return fail('call', `Temporal's circuit breaker for "${endpoint}" is open: ${reason}`, {
    why: 'Five calls in a row failed, by whichever workflow. After a minute one is tried; its failure is what is to be mended.',
    type: ['sleep 60; npx nexus-lambda doctor …'],
  });
}

function callFailed(failure: FailureSeen, { endpoint, caller }: CallSeen, deployment: Deployment): Finding {
  const says = withoutUrl(failure.message) || failure.type || 'an empty failure';
  return fail(
    'call',
    `Temporal's call fails: ${says}`,
    callAdvice({ ...failure, message: says }, { endpoint, caller, deployment }),
  );
}

function refusedStart({ message }: FailureSeen, { handler }: CallSeen): Finding | undefined {
  const [, callback = '', reason = ''] = REFUSED_START.exec(message) ?? [];
  if (callback === '') return undefined;
  if (/callback address|callback url|invalid url/i.test(reason) && URL.canParse(callback)) {
    return fail('allowed-addresses', `completions may not go to ${callback}`, {
      why: `The Temporal server of the handler's workflows${handler ? ` (${handler.address})` : ''} passes completions on to addresses only that it was told of.`,
      type: allowedSettings(handler?.version, new URL(callback)),
    });
  }
  return fail('allowed-addresses', `the handler's Temporal refused to start a workflow: ${reason}`, {
    why: 'The handler reaches Temporal, and may not, or cannot, start a workflow there.',
  });
}

/** Go puts the request in front of what went wrong: it is long, and has the callback in it. */
function withoutUrl(message: string): string {
  return message.replace(/^Post "[^"]*": /, '');
}
