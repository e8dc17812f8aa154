import { isLoopback } from './address-hop.ts';
import { basicTarget, type Deployment, isOnAws } from './deployment.ts';
import { endpointCommand } from './endpoint-command.ts';
import { type Finding, fail, ok } from './finding.ts';
import { credentialsOf, type Target } from './target.ts';

/** A Nexus endpoint as Temporal keeps it. */
export interface RegisteredEndpoint {
  readonly name: string;
  /** Of an external target; absent where it is a worker's. With user information, so that it is never to be shown. */
  readonly url?: string;
}

/** The Temporal server whose registry is looked at, for commands. */
export interface RegistryAt {
  readonly address: string;
}

export interface NexusEndpointFinding {
  readonly finding: Finding;
  /** Name of the registered endpoint that leads to this URL. */
  readonly name?: string;
}

/** Whether Temporal has an external Nexus endpoint that leads to the target. */
export function nexusEndpointFinding(
  endpoints: readonly RegisteredEndpoint[],
  deployment: Deployment,
  at: RegistryAt,
): NexusEndpointFinding {
  const { target } = deployment;
  const external = endpoints.flatMap(({ name, url }) =>
    url !== undefined && URL.canParse(url) ? [{ name, url: new URL(url) }] : [],
  );
  const doors = [target, ...(isOnAws(deployment) ? [basicTarget(deployment)] : [])];
  const leadsHere = external.filter(({ url }) => doors.some((door) => isSamePlace(url, new URL(door.baseUrl))));
  const best =
    leadsHere.find(({ url }) => canGetIn(url, deployment) && sameCredentials(url, target)) ??
    leadsHere.find(({ url }) => canGetIn(url, deployment)) ??
    leadsHere[0];
  if (best === undefined) return { finding: notRegistered(external, endpoints, deployment, at) };
  if (!canGetIn(best.url, deployment)) return { finding: cannotGetIn(best, deployment, at) };
  return { finding: ok('nexus-endpoint', registered(best, deployment)), name: best.name };
}

/** Why the list of endpoints was not to be had. */
export function cannotList(error: unknown, { address }: RegistryAt): Finding {
  const { code, details = String(error) } = (error ?? {}) as { readonly code?: number; readonly details?: string };
  if (/\.tmprl\.cloud|\.api\.temporal\.io/.test(address)) {
    return fail('nexus-endpoint', `the endpoints of ${address} cannot be listed: ${details}`, {
      why: 'Temporal Cloud offers no external endpoints: its workflows cannot call this URL. Callers that are no workflows can.',
    });
  }
  return fail(
    'nexus-endpoint',
    `the Nexus endpoints of ${address} cannot be listed: ${details} (gRPC status ${code})`,
    {
      why: 'The list takes rights of the operator service, which the credentials here do not have.',
      type: [`temporal operator nexus endpoint list --address ${address}`],
    },
  );
}

interface External {
  readonly name: string;
  readonly url: URL;
}

/** Where a URL leads, whoever goes there. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** This machine has several names. */
function isSamePlace(one: URL, other: URL): boolean {
  const [a, b] = [one, other].map((url) => {
    const named = new URL(url);
    if (isLoopback(named.hostname)) named.hostname = 'localhost';
    return placeOf(named);
  });
  return a === b;
}

/** Temporal cannot sign, and sends what user information the URL has. */
function canGetIn(url: URL, deployment: Deployment): boolean {
  if (credentialsOf(url) !== undefined) return true;
  if (placeOf(url).includes('/basic/nexus/')) return false;
  return !isOnAws(deployment) || deployment.auth.kind !== 'sigv4';
}

function sameCredentials(url: URL, { credentials }: Target): boolean {
  const registered = credentialsOf(url);
  return registered?.user === credentials?.user && registered?.password === credentials?.password;
}

function registered({ name, url }: External, { target }: Deployment): string {
  const has = credentialsOf(url);
  const says = `Temporal knows it as "${name}"`;
  const at = placeOf(url) === placeOf(new URL(target.baseUrl)) ? '' : `, at ${placeOf(url)}`;
  if (has === undefined) return `${says}${at}, without credentials`;
  if (target.credentials === undefined) return `${says}${at}, with the credentials of user "${has.user}"`;
  if (sameCredentials(url, target)) return `${says}${at}, with the same credentials`;
  const what =
    has.user === target.credentials.user ? 'another password' : `the credentials of another user, "${has.user}"`;
  return `${says}${at}, with ${what}`;
}

function notRegistered(
  external: readonly External[],
  all: readonly RegisteredEndpoint[],
  deployment: Deployment,
  at: RegistryAt,
): Finding {
  const { target } = deployment;
  const { endpoint } = target;
  const sameName = all.find(({ name }) => name === endpoint);
  // One of another name on another host may be of another stage of the deployment: it is left alone.
  const elsewhere =
    external.find(({ url }) => endpointIn(url) === endpoint && url.origin === new URL(target.baseUrl).origin) ??
    external.find(({ name }) => name === endpoint);
  if (elsewhere !== undefined) {
    return fail('nexus-endpoint', `Temporal knows "${elsewhere.name}" with another URL: ${placeOf(elsewhere.url)}`, {
      why: `Workflows that call "${elsewhere.name}" do not get to ${target.baseUrl}.`,
      type: endpointCommand('update', elsewhere.name, deployment, at),
    });
  }
  if (sameName !== undefined) {
    return fail('nexus-endpoint', `Temporal has an endpoint "${endpoint}" whose target is a worker's task queue`, {
      why: 'Workflows that call it get to that worker, and not to this URL.',
      type: endpointCommand('update', endpoint, deployment, at),
    });
  }
  const names = all.map(({ name }) => `"${name}"`).slice(0, 20);
  return fail('nexus-endpoint', 'Temporal has no Nexus endpoint with this URL', {
    why: names.length === 0 ? 'It has none at all.' : `It has ${names.join(', ')}.`,
    type: endpointCommand('create', endpoint, deployment, at),
  });
}

function cannotGetIn({ name, url }: External, deployment: Deployment, at: RegistryAt): Finding {
  return fail('nexus-endpoint', `Temporal knows it as "${name}", at ${placeOf(url)} and without credentials`, {
    why: 'Temporal cannot sign a request. What it can send is the user information of its target URL, to the route under /basic.',
    type: endpointCommand('update', name, deployment, at),
  });
}

function endpointIn({ pathname }: URL): string | undefined {
  const segment = /\/nexus\/endpoints\/([^/]+)\/services\/*$/.exec(pathname)?.[1];
  try {
    return segment && decodeURIComponent(segment);
  } catch {
    return undefined; // somebody else's URL
  }
}
