/** A full path, taken apart at the endpoint; nothing of it is decoded. */
export interface EndpointPath {
  readonly endpoint: string;
  /** Below the endpoint's base URL, with its leading slash; `/` for the base URL itself. */
  readonly path: string;
}

/**
 * Up to two segments may stand in front, such as the `/basic` of a route or the mapping of a custom domain. None of them
 * may be `nexus`: whom a policy lets call `/nexus/endpoints/a/…` must not reach an endpoint that is named further on.
 */
const ENDPOINT_PATH = /^(?:\/(?!nexus\/)[^/]+){0,2}?\/nexus\/endpoints\/([^/]+)\/services(\/.*)?$/s;

/** Takes `/nexus/endpoints/{endpoint}/services/{rest}` apart; `undefined` for any other path. */
export function splitEndpointPath(path: string): EndpointPath | undefined {
  const match = ENDPOINT_PATH.exec(path);
  return match?.[1] === undefined ? undefined : { endpoint: match[1], path: match[2] ?? '/' };
}
