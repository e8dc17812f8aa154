import type { CheckResult, TemporalProblem, TemporalReach } from '../nexus/doctor-contract.ts';
import { type Finding, fail, ok, skip } from './finding.ts';
import { CREDENTIALS_ADVICE, reachAdvice } from './reach-advice.ts';
import { handlerSide, here } from './reach-side.ts';

/** Temporal's gRPC as the handler sees it. */
export function handlerTemporalFinding({ temporal, functionName }: CheckResult): Finding {
  if (temporal === undefined) {
    return skip('handler-temporal', 'the handler was given no Temporal: its operations answer by themselves');
  }
  const { problem } = temporal;
  if (problem === undefined) return ok('handler-temporal', `the handler reaches ${describeReach(temporal)}`);
  return fail(
    'handler-temporal',
    `the handler cannot use Temporal at ${temporal.address}: ${wordsOf(problem)}`,
    reachAdvice(problem, temporal, handlerSide(temporal, functionName)),
  );
}

/** Temporal's gRPC as seen from here. */
export function temporalFinding(reach: TemporalReach): Finding {
  const { problem } = reach;
  if (problem === undefined) return ok('temporal', `${describeReach(reach)} is reached from here`);
  return fail(
    'temporal',
    `Temporal at ${reach.address} cannot be used from here: ${wordsOf(problem)}`,
    reachAdvice(problem, reach, here),
  );
}

/** The handler has nothing to show to Temporal, and does not get as far as to answer. */
export function noTemporalCredentials(message: string): Finding {
  return fail('handler-temporal', message, CREDENTIALS_ADVICE);
}

function describeReach({ address, namespace, serverVersion, tls, authentication }: TemporalReach): string {
  const how = [tls ? 'TLS' : 'no TLS', ...(authentication === 'none' ? [] : [authentication.replace('-', ' ')])];
  return `Temporal ${serverVersion ?? ''} at ${address}, namespace "${namespace}" (${how.join(', ')})`;
}

/** What gRPC says, less what it says of itself. */
function wordsOf({ message, code }: TemporalProblem): string {
  const last = /Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*\))?\.? ?(?:\n.*)?Resolution note/s.exec(message)?.[1];
  const words = (last ?? message).replaceAll(/\s+/g, ' ').trim();
  return code === undefined ? words : `${words} (gRPC status ${code})`;
}
