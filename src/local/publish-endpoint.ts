import { isDeepStrictEqual } from 'node:util';
import type { Endpoint, EndpointRegistry, EndpointSpec } from '../router/ports.ts';

/**
 * Makes the registry's entry say what `spec` says: creates it, updates it, or leaves it alone where it does already.
 * A description that somebody gave it stays.
 */
export async function publishEndpoint(registry: EndpointRegistry, spec: EndpointSpec): Promise<Endpoint> {
  const stored = await registry.get(spec.name);
  if (stored === undefined) return registry.create(spec);
  const said = ({ target, services, queued, promotable, absorbFailures, deduplicate }: EndpointSpec) => ({
    ...{ target, services, queued, promotable, absorbFailures, deduplicate },
  });
  if (isDeepStrictEqual(said(stored), said(spec))) return stored;
  return registry.update(
    { ...spec, ...(stored.description === undefined ? {} : { description: stored.description }) },
    stored.version,
  );
}

/**
 * Makes sure that the endpoint routes, where its services are not known: an entry that has the right target stays as
 * it is, with the services it had.
 */
export async function reserveEndpoint(
  registry: EndpointRegistry,
  spec: Omit<EndpointSpec, 'services'>,
): Promise<Endpoint> {
  const stored = await registry.get(spec.name);
  return publishEndpoint(registry, { ...spec, services: stored?.services ?? [] });
}
