import type { CheckResult } from '../nexus/doctor-contract.ts';
import { addressFinding } from './address-hop.ts';
import { credentialsFinding, noAwsCredentials } from './credentials-hop.ts';
import type { Deployment } from './deployment.ts';
import type { Finding } from './finding.ts';
import { handlerFindings } from './handler-hop.ts';
import { readAnswer } from './read-answer.ts';
import { routeFinding } from './route-hop.ts';
import type { WalkContext } from './walk-context.ts';

/** The hops from here to the handler, and what that sees of Temporal. Returns what the handler said. */
export async function* walkFront(
  deployment: Deployment,
  { deps, timeoutMs, signal }: WalkContext,
): AsyncGenerator<Finding, CheckResult | undefined> {
  const { target, auth } = deployment;
  const connecting = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const address = addressFinding(await deps.connect(target, connecting), target);
  signal.throwIfAborted();
  yield address;
  if (address.status === 'fail') return undefined;

  const seen = await deps.ask(target, auth, { timeoutMs, signal });
  signal.throwIfAborted();
  if (seen.kind === 'no-aws-credentials') {
    yield noAwsCredentials(seen.message);
    return undefined;
  }
  const answer = readAnswer(seen);
  const credentials = credentialsFinding(answer, deployment);
  yield credentials;
  if (credentials.status === 'fail') return undefined;
  const route = routeFinding(answer, deployment);
  yield route;
  if (route.status === 'fail' || answer.from === 'front' || answer.from === 'nobody') return undefined;
  yield* handlerFindings(answer);
  return answer.from === 'handler' ? answer.check : undefined;
}
