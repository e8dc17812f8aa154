import type { DoctorTemporal } from '../temporal/doctor-temporal.ts';
import type { Deployment } from './deployment.ts';
import { type Finding, skip } from './finding.ts';
import { cannotList, nexusEndpointFinding } from './nexus-endpoint-hop.ts';
import type { TemporalServer } from './operation-hops.ts';
import { temporalFinding } from './reach-hops.ts';
import { shellWord } from './shell-word.ts';
import { shownUrl } from './target.ts';
import type { WalkContext } from './walk-context.ts';

/** The server that is to call the handler, and how it calls the endpoint there. */
export interface CallingSide extends TemporalServer {
  /** Name of the Nexus endpoint. */
  readonly endpoint: string;
}

/** The hops from here to a Temporal server that knows the endpoint. */
export async function* walkTemporal(
  temporal: DoctorTemporal | undefined,
  deployment: Deployment,
  { signal }: WalkContext,
): AsyncGenerator<Finding, CallingSide | undefined> {
  if (temporal === undefined) {
    yield noAddress(deployment);
    return undefined;
  }
  const { address } = temporal;
  const reach = await temporal.reach(signal);
  signal.throwIfAborted();
  const reached = temporalFinding(reach);
  yield reached;
  if (reached.status === 'fail') return undefined;

  let endpoints: Awaited<ReturnType<DoctorTemporal['nexusEndpoints']>>;
  try {
    endpoints = await temporal.nexusEndpoints(signal);
  } catch (error) {
    signal.throwIfAborted();
    yield cannotList(error, { address });
    return undefined;
  }
  const { finding, name } = nexusEndpointFinding(endpoints, deployment, { address });
  yield finding;
  return name === undefined ? undefined : { address, version: reach.serverVersion, endpoint: name };
}

function noAddress({ target, auth }: Deployment): Finding {
  const url = shellWord(shownUrl(target, auth.kind === 'basic' ? auth.user : undefined));
  return skip('temporal', 'no Temporal server was named', [
    `npx nexus-lambda doctor --url ${url} --temporal-address HOST:7233`,
  ]);
}
