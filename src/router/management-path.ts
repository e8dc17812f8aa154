/**
 * As of an endpoint's path, up to two segments may stand in front, none of them `nexus`: whom a policy lets call
 * `/nexus/endpoints/…` must not get here.
 */
const PATH = /^(?:\/(?!nexus\/)[^/]+){0,2}?\/nexus\/manage(?:\/([^/]*)(?:\/(.*))?)?$/s;

/** Whether a path is one of the management API, with whatever stands in front. */
export function isManagementPath(path: string): boolean {
  return PATH.test(path);
}

/** What is managed, such as `operations`, and what follows that; `undefined` for every path that is not of this API. */
export function parseManagementPath(path: string): { readonly name: string; readonly path: string } | undefined {
  const match = PATH.exec(path);
  return match === null ? undefined : { name: match[1] ?? '', path: match[2] ?? '' };
}
