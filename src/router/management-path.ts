/**
 * As of an endpoint's path, up to two segments may stand in front, none of them `nexus`: whom a policy lets call
 * `/nexus/endpoints/…` must not get here.
 */
const PATH = /^(?:\/(?!nexus\/)[^/]+){0,2}?\/nexus\/manage(?:\/.*)?$/s;

/** Whether a path is one of the management API, with whatever stands in front. */
export function isManagementPath(path: string): boolean {
  return PATH.test(path);
}
